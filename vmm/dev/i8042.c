/* i8042 keyboard controller; i8042.h says what is modelled. */
#include "dev/i8042.h"
#include "dev/i8042_regs.h"

/* What PC firmware leaves: translation, IRQ 1, no auxiliary port, SYS after a good self-test. */
#define I8042_FIRMWARE_CB (I8042_CB_TRANSLATE | I8042_CB_AUX_OFF | I8042_CB_SYS | I8042_CB_KBD_INT)

bool i8042_kbd_irq_cause(const struct i8042 *ctl)
{
    return ctl->buffer_full && !(ctl->buffer_source & I8042_STATUS_AUX) &&
           (ctl->command_byte & I8042_CB_KBD_INT);
}

bool i8042_aux_irq_cause(const struct i8042 *ctl)
{
    return ctl->buffer_full && (ctl->buffer_source & I8042_STATUS_AUX) &&
           (ctl->command_byte & I8042_CB_AUX_INT);
}

static void i8042_sync_irq(struct i8042 *ctl)
{
    irq_set(&ctl->kbd_irq, i8042_kbd_irq_cause(ctl));
    irq_set(&ctl->aux_irq, i8042_aux_irq_cause(ctl));
}

/* --- output buffer ---------------------------------------------------------------------------- */

static void i8042_load_buffer(struct i8042 *ctl, uint8_t byte, uint8_t source)
{
    ctl->buffer = byte;
    ctl->buffer_source = source;
    ctl->buffer_full = true;
    ctl->buffer_is_reply = false;
}

/* Set 2 to set 1. False: F0h was only remembered, it is the next byte's release bit. */
static bool i8042_translate(struct i8042 *ctl, uint8_t *byte, bool is_key)
{
    if (!(ctl->command_byte & I8042_CB_TRANSLATE))
        return true;
    if (is_key && *byte == KBD_RELEASE) {
        ctl->release_seen = true;
        return false;
    }
    *byte = ps2kbd_set1_from_set2(*byte);
    if (is_key && ctl->release_seen) {
        *byte |= KBD_SET1_BREAK;
        ctl->release_seen = false;
    }
    return true;
}

static void i8042_offer_room(struct i8042 *ctl)
{
    if (!ctl->keys_refused || ctl->kbd.key_count + 2 > PS2KBD_KEYS)
        return;
    ctl->keys_refused = false;
    signal_raise(&ctl->room);
}

/* Fills an empty output buffer: the controller's reply first, then the keyboard if it may talk. */
static void i8042_fill_buffer(struct i8042 *ctl)
{
    uint8_t byte;
    bool is_key;
    if (ctl->buffer_full)
        return;
    if (ctl->reply_waiting) {
        ctl->reply_waiting = false;
        i8042_load_buffer(ctl, ctl->reply, ctl->reply_source);
        ctl->buffer_is_reply = true;
        return;
    }
    if (ctl->command_byte & I8042_CB_KBD_OFF)
        return;
    while (!ctl->buffer_full && ps2kbd_read(&ctl->kbd, &byte, &is_key))
        if (i8042_translate(ctl, &byte, is_key))
            i8042_load_buffer(ctl, byte, 0);
}

/* A reply takes the place of one that nobody read: Linux leaves the one to D3h behind and must not
 * find it where it expects the one to A9h. */
static void i8042_reply(struct i8042 *ctl, uint8_t byte, uint8_t source)
{
    if (ctl->buffer_is_reply)
        ctl->buffer_full = false;
    ctl->reply_waiting = true;
    ctl->reply = byte;
    ctl->reply_source = source;
}

bool i8042_host_scancode(struct i8042 *ctl, uint8_t byte)
{
    bool taken = ps2kbd_key(&ctl->kbd, byte);
    if (taken)
        ctl->keys++;
    else
        ctl->keys_refused = true;
    i8042_fill_buffer(ctl);
    i8042_sync_irq(ctl);
    return taken;
}

/* --- commands --------------------------------------------------------------------------------- */

static void i8042_set_command_byte(struct i8042 *ctl, uint8_t value)
{
    if ((ctl->command_byte ^ value) & I8042_CB_TRANSLATE)
        ctl->release_seen = false;
    ctl->command_byte = value & I8042_CB_MASK;
}

static uint8_t i8042_read_output_port(const struct i8042 *ctl)
{
    return I8042_OUT_NOT_RESET | ctl->output_port | I8042_OUT_KBD_LINES |
           (i8042_kbd_irq_cause(ctl) ? I8042_OUT_KBD_IRQ : 0);
}

static void i8042_write_output_port(struct i8042 *ctl, uint8_t value)
{
    ctl->output_port = value & I8042_OUT_A20;
    if (!(value & I8042_OUT_NOT_RESET))
        signal_raise(&ctl->reset);
}

/* Commands that change a bit of the command byte or of the output port; false: not one. */
static bool i8042_switch_command(struct i8042 *ctl, uint8_t command)
{
    switch (command) {
    case I8042_AUX_DISABLE:
        ctl->command_byte |= I8042_CB_AUX_OFF;
        return true;
    case I8042_AUX_ENABLE:
        ctl->command_byte &= ~I8042_CB_AUX_OFF;
        return true;
    case I8042_KBD_DISABLE:
        ctl->command_byte |= I8042_CB_KBD_OFF;
        return true;
    case I8042_KBD_ENABLE:
        ctl->command_byte &= ~I8042_CB_KBD_OFF;
        return true;
    case I8042_A20_OFF:
        ctl->output_port &= ~I8042_OUT_A20;
        return true;
    case I8042_A20_ON:
        ctl->output_port |= I8042_OUT_A20;
        return true;
    default:
        return false;
    }
}

/* Commands whose argument follows on port 60h. */
static enum i8042_expects i8042_argument_of(uint8_t command)
{
    switch (command) {
    case I8042_WRITE_CB:
        return I8042_EXPECTS_COMMAND_BYTE;
    case I8042_WRITE_OUTPUT:
        return I8042_EXPECTS_OUTPUT_PORT;
    case I8042_WRITE_KBD_BUF:
        return I8042_EXPECTS_KBD_BUFFER;
    case I8042_WRITE_AUX_BUF:
        return I8042_EXPECTS_AUX_BUFFER;
    case I8042_WRITE_AUX:
        return I8042_EXPECTS_AUX_BYTE;
    default:
        return I8042_EXPECTS_KBD_BYTE;
    }
}

static void i8042_write_command(struct i8042 *ctl, uint8_t command)
{
    ctl->expects = i8042_argument_of(command);
    if (i8042_switch_command(ctl, command))
        return;
    switch (command) {
    case I8042_READ_CB:
        i8042_reply(ctl, ctl->command_byte, 0);
        break;
    case I8042_AUX_TEST:
        i8042_reply(ctl, I8042_TEST_CLOCK_LOW, 0);
        break;
    case I8042_SELF_TEST:
        ctl->command_byte |= I8042_CB_SYS;
        i8042_reply(ctl, I8042_SELF_TEST_OK, 0);
        break;
    case I8042_KBD_TEST:
        i8042_reply(ctl, I8042_TEST_OK, 0);
        break;
    case I8042_READ_INPUT:
        i8042_reply(ctl, I8042_INPUT_PORT, 0);
        break;
    case I8042_READ_OUTPUT:
        i8042_reply(ctl, i8042_read_output_port(ctl), 0);
        break;
    default:
        if (command >= I8042_PULSE && !(command & I8042_OUT_NOT_RESET))
            signal_raise(&ctl->reset);
        break;
    }
}

static void i8042_write_data(struct i8042 *ctl, uint8_t value)
{
    enum i8042_expects expects = ctl->expects;
    ctl->expects = I8042_EXPECTS_KBD_BYTE;
    switch (expects) {
    case I8042_EXPECTS_KBD_BYTE:
        /* Talking to the keyboard opens its line again. */
        ctl->command_byte &= ~I8042_CB_KBD_OFF;
        ps2kbd_write(&ctl->kbd, value);
        break;
    case I8042_EXPECTS_COMMAND_BYTE:
        i8042_set_command_byte(ctl, value);
        break;
    case I8042_EXPECTS_OUTPUT_PORT:
        i8042_write_output_port(ctl, value);
        break;
    case I8042_EXPECTS_KBD_BUFFER:
    case I8042_EXPECTS_AUX_BUFFER: /* no auxiliary port: the byte isn't marked as its own */
        i8042_reply(ctl, value, 0);
        break;
    case I8042_EXPECTS_AUX_BYTE:
        i8042_reply(ctl, KBD_NAK, I8042_STATUS_AUX | I8042_STATUS_TIMEOUT);
        break;
    }
}

/* --- ports ------------------------------------------------------------------------------------ */

static uint8_t i8042_read_status(const struct i8042 *ctl)
{
    return I8042_STATUS_UNLOCK | (ctl->command_byte & I8042_CB_SYS ? I8042_STATUS_SYS : 0) |
           (ctl->last_was_command ? I8042_STATUS_CMD : 0) |
           (ctl->buffer_full ? I8042_STATUS_OBF | ctl->buffer_source : 0);
}

static uint8_t i8042_read_data(struct i8042 *ctl)
{
    uint8_t byte = ctl->buffer;
    ctl->buffer_full = false;
    /* Between two bytes the pins fall: an edge-triggered PIC needs to see it. */
    i8042_sync_irq(ctl);
    i8042_fill_buffer(ctl);
    i8042_offer_room(ctl);
    return byte;
}

static enum io_result i8042_read(void *dev, uint32_t offset, unsigned size, uint64_t *value)
{
    struct i8042 *ctl = dev;
    if (offset != I8042_DATA && offset != I8042_COMMAND)
        return IO_NO_REGISTER;
    if (size != 1)
        return IO_BAD_SIZE;
    *value = offset == I8042_COMMAND ? i8042_read_status(ctl) : i8042_read_data(ctl);
    i8042_sync_irq(ctl);
    return IO_OK;
}

static enum io_result i8042_write(void *dev, uint32_t offset, unsigned size, uint64_t value)
{
    struct i8042 *ctl = dev;
    if (offset != I8042_DATA && offset != I8042_COMMAND)
        return IO_NO_REGISTER;
    if (size != 1)
        return IO_BAD_SIZE;
    ctl->last_was_command = offset == I8042_COMMAND;
    if (offset == I8042_COMMAND)
        i8042_write_command(ctl, (uint8_t)value);
    else
        i8042_write_data(ctl, (uint8_t)value);
    i8042_fill_buffer(ctl);
    i8042_offer_room(ctl);
    i8042_sync_irq(ctl);
    return IO_OK;
}

static void i8042_reset(void *dev)
{
    struct i8042 *ctl = dev;
    bool refused = ctl->keys_refused;
    *ctl = (struct i8042){
        .kbd_irq = ctl->kbd_irq,
        .aux_irq = ctl->aux_irq,
        .reset = ctl->reset,
        .room = ctl->room,
        .keys = ctl->keys,
        .command_byte = I8042_FIRMWARE_CB,
        .output_port = I8042_OUT_A20,
        .keys_refused = refused,
    };
    ps2kbd_reset(&ctl->kbd);
    i8042_offer_room(ctl);
    i8042_sync_irq(ctl);
}

void i8042_init(struct i8042 *ctl, struct irq_line kbd_irq, struct irq_line aux_irq,
                struct signal_line reset, struct signal_line room)
{
    *ctl = (struct i8042){.kbd_irq = kbd_irq, .aux_irq = aux_irq, .reset = reset, .room = room};
    i8042_reset(ctl);
}

const struct dev_ops i8042_ops = {
    .name = "i8042",
    .read = i8042_read,
    .write = i8042_write,
    .reset = i8042_reset,
};
