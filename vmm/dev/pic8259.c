/* Two 8259A; pic8259.h says what is modelled. */
#include "dev/pic8259.h"
#include "dev/pic8259_regs.h"
#include "lib/bits.h"

#define PIC_NO_PIN       8u
#define PIC_SPURIOUS_PIN 7u

/* --- priority --------------------------------------------------------------------------------- */

static inline uint8_t chip_irr(const struct pic_chip *chip)
{
    return (chip->edges & ~chip->elcr) | (chip->lines & chip->elcr);
}

/* The wanted input of highest priority, PIC_NO_PIN where one in service holds it up. `nested`: an
 * input whose requests count even while it is in service (the cascade in special fully nested
 * mode), as a bit. */
static __attribute__((noinline)) unsigned chip_choose(const struct pic_chip *chip, uint8_t wanted,
                                                      uint8_t nested)
{
    /* In special mask mode a masked input doesn't hold up others while in service. */
    uint8_t in_service = chip->special_mask ? chip->isr & ~chip->imr : chip->isr;
    for (unsigned i = 1; i <= 8; i++) {
        unsigned pin = (chip->lowest + i) & 7;
        if (in_service & BIT(pin))
            return (wanted & nested & BIT(pin)) ? pin : PIC_NO_PIN;
        if (wanted & BIT(pin))
            return pin;
    }
    return PIC_NO_PIN;
}

/* The input that INT asks for, PIC_NO_PIN when none. */
static inline unsigned chip_request(const struct pic_chip *chip, uint8_t irr, uint8_t nested)
{
    uint8_t wanted = irr & ~chip->imr;
    if (wanted == 0 || chip->expects != PIC_EXPECTS_OCW)
        return PIC_NO_PIN;
    return chip_choose(chip, wanted, nested);
}

static inline unsigned slave_request(const struct pic8259 *pic)
{
    return chip_request(&pic->slave, chip_irr(&pic->slave), 0);
}

static inline uint8_t master_irr(const struct pic8259 *pic)
{
    uint8_t cascade = slave_request(pic) != PIC_NO_PIN ? BIT(PIC_CASCADE_PIN) : 0;
    return chip_irr(&pic->master) | cascade;
}

static inline unsigned master_request(const struct pic8259 *pic)
{
    uint8_t nested = pic->master.icw4 & PIC_ICW4_SFNM ? BIT(PIC_CASCADE_PIN) : 0;
    return chip_request(&pic->master, master_irr(pic), nested);
}

bool pic8259_irq_cause(const struct pic8259 *pic)
{
    return master_request(pic) != PIC_NO_PIN;
}

static __attribute__((noinline)) enum io_result pic_set_intr(struct pic8259 *pic)
{
    bool high = master_request(pic) != PIC_NO_PIN;
    if (high != pic->intr_high) {
        pic->intr_high = high;
        irq_set(&pic->intr, high);
    }
    return IO_OK;
}

/* Behind a change of a mask alone. Where nothing is wanted INT is low, whatever priorities and
 * modes say. IO_OK, for who has to give that. */
static inline enum io_result pic_sync_mask(struct pic8259 *pic)
{
    uint8_t wanted =
        (pic->master_requests & ~pic->master.imr) | (pic->slave_requests & ~pic->slave.imr);
    return wanted || pic->intr_high ? pic_set_intr(pic) : IO_OK;
}

static enum io_result pic_sync_irq(struct pic8259 *pic)
{
    pic->master_requests = chip_irr(&pic->master);
    pic->slave_requests = chip_irr(&pic->slave);
    return pic_sync_mask(pic);
}

void pic8259_set_irq(void *dev, unsigned pin, bool high)
{
    struct pic8259 *pic = dev;
    if (pin >= PIC8259_PINS || pin == PIC_CASCADE_PIN)
        return;
    struct pic_chip *chip = pin < 8 ? &pic->master : &pic->slave;
    uint8_t bit = (uint8_t)BIT(pin & 7);
    if (!(chip->lines & bit) == !high)
        return;
    if (high) {
        chip->lines |= bit;
        chip->edges |= bit;
    } else {
        chip->lines &= ~bit;
        chip->edges &= ~bit;
    }
    pic_sync_irq(pic);
}

/* --- acknowledge ------------------------------------------------------------------------------ */

static void chip_accept(struct pic_chip *chip, unsigned pin)
{
    chip->edges &= ~BIT(pin);
    if (!(chip->icw4 & PIC_ICW4_AEOI))
        chip->isr |= BIT(pin);
    else if (chip->rotate_on_aeoi)
        chip->lowest = (uint8_t)pin;
}

int pic8259_ack(struct pic8259 *pic)
{
    unsigned pin = master_request(pic);
    struct pic_chip *chip = &pic->master;
    pic->acks++;
    if (pin == PIC_CASCADE_PIN) {
        chip_accept(&pic->master, pin);
        chip = &pic->slave;
        pin = slave_request(pic);
    }
    if (pin == PIC_NO_PIN) {
        pic->spurious++;
        pin = PIC_SPURIOUS_PIN;
    } else {
        pic->pin_acks[chip == &pic->slave ? pin + 8 : pin]++;
        chip_accept(chip, pin);
    }
    int vector = chip->icw2 | (int)pin;
    pic_sync_irq(pic);
    return vector;
}

/* --- command words ---------------------------------------------------------------------------- */

static void chip_write_icw1(struct pic_chip *chip, uint8_t value)
{
    /* ICW2 and the ELCR stay; "the edge sense circuit is reset": an input that is high already
     * must fall and rise again. */
    *chip = (struct pic_chip){
        .expects = PIC_EXPECTS_ICW2,
        .icw1 = value,
        .icw2 = chip->icw2,
        .elcr = chip->elcr,
        .lines = chip->lines,
        .lowest = 7,
    };
}

/* The input of highest priority in service; PIC_NO_PIN when none. */
static unsigned chip_highest_in_service(const struct pic_chip *chip)
{
    /* "An IS bit that is masked will not be cleared by a non-specific EOI in special mask mode." */
    uint8_t isr = chip->special_mask ? chip->isr & ~chip->imr : chip->isr;
    for (unsigned i = 1; i <= 8; i++) {
        unsigned pin = (chip->lowest + i) & 7;
        if (isr & BIT(pin))
            return pin;
    }
    return PIC_NO_PIN;
}

static void chip_end_of_interrupt(struct pic_chip *chip, unsigned pin, bool rotate)
{
    if (pin == PIC_NO_PIN)
        return;
    chip->isr &= ~BIT(pin);
    if (rotate)
        chip->lowest = (uint8_t)pin;
}

static void chip_write_ocw2(struct pic_chip *chip, uint8_t value)
{
    unsigned level = PIC_OCW2_LEVEL(value);
    switch (PIC_OCW2_COMMAND(value)) {
    case PIC_EOI:
        chip_end_of_interrupt(chip, chip_highest_in_service(chip), false);
        break;
    case PIC_EOI_ROTATE:
        chip_end_of_interrupt(chip, chip_highest_in_service(chip), true);
        break;
    case PIC_EOI_SPECIFIC:
        chip_end_of_interrupt(chip, level, false);
        break;
    case PIC_EOI_ROTATE_SPECIFIC:
        chip_end_of_interrupt(chip, level, true);
        break;
    case PIC_SET_PRIORITY:
        chip->lowest = (uint8_t)level;
        break;
    case PIC_ROTATE_AEOI_SET:
    case PIC_ROTATE_AEOI_CLEAR:
        chip->rotate_on_aeoi = PIC_OCW2_COMMAND(value) == PIC_ROTATE_AEOI_SET;
        break;
    default:
        break;
    }
}

static void chip_write_ocw3(struct pic_chip *chip, uint8_t value)
{
    if (value & PIC_OCW3_ESMM)
        chip->special_mask = value & PIC_OCW3_SMM;
    if (value & PIC_OCW3_POLL)
        chip->poll = true;
    else if (value & PIC_OCW3_RR)
        chip->read_isr = value & PIC_OCW3_RIS;
}

static void chip_write_command(struct pic_chip *chip, uint8_t value)
{
    if (value & PIC_ICW1)
        chip_write_icw1(chip, value);
    else if (value & PIC_OCW3)
        chip_write_ocw3(chip, value);
    else
        chip_write_ocw2(chip, value);
}

static void chip_write_data(struct pic_chip *chip, uint8_t value)
{
    bool needs_icw4 = chip->icw1 & PIC_ICW1_IC4;
    switch (chip->expects) {
    case PIC_EXPECTS_ICW2:
        chip->icw2 = value & PIC_ICW2_BASE;
        if (!(chip->icw1 & PIC_ICW1_SNGL))
            chip->expects = PIC_EXPECTS_ICW3;
        else
            chip->expects = needs_icw4 ? PIC_EXPECTS_ICW4 : PIC_EXPECTS_OCW;
        break;
    case PIC_EXPECTS_ICW3:
        chip->expects = needs_icw4 ? PIC_EXPECTS_ICW4 : PIC_EXPECTS_OCW;
        break;
    case PIC_EXPECTS_ICW4:
        chip->icw4 = value;
        chip->expects = PIC_EXPECTS_OCW;
        break;
    case PIC_EXPECTS_ICW1:
    case PIC_EXPECTS_OCW:
        chip->imr = value;
        break;
    }
}

/* The read after OCW3's poll bit is an INTA of this one chip. */
static uint8_t chip_poll(struct pic_chip *chip, unsigned request)
{
    chip->poll = false;
    if (request == PIC_NO_PIN)
        return 0;
    chip_accept(chip, request);
    return (uint8_t)(PIC_POLL_INTERRUPT | request);
}

/* --- ports ------------------------------------------------------------------------------------ */

static uint8_t pic_poll(struct pic8259 *pic, bool slave)
{
    unsigned request = slave ? slave_request(pic) : master_request(pic);
    uint8_t answer = chip_poll(slave ? &pic->slave : &pic->master, request);
    pic_sync_irq(pic);
    return answer;
}

static enum io_result pic_check(uint32_t offset, unsigned size)
{
    if (offset > PIC_SLAVE_ELCR)
        return IO_NO_REGISTER;
    return size == 1 ? IO_OK : IO_BAD_SIZE;
}

static __attribute__((noinline)) enum io_result pic_read_other(struct pic8259 *pic, uint32_t offset,
                                                               unsigned size, uint64_t *value)
{
    bool slave = offset >= PIC_SLAVE_COMMAND;
    const struct pic_chip *chip = slave ? &pic->slave : &pic->master;
    enum io_result result = pic_check(offset, size);
    if (result != IO_OK)
        return result;
    if (offset >= PIC_MASTER_ELCR)
        *value = offset == PIC_SLAVE_ELCR ? pic->slave.elcr : pic->master.elcr;
    else if (chip->poll)
        *value = pic_poll(pic, slave);
    else if (offset == PIC_MASTER_DATA || offset == PIC_SLAVE_DATA)
        *value = chip->imr;
    else if (chip->read_isr)
        *value = chip->isr;
    else
        *value = slave ? chip_irr(chip) : master_irr(pic);
    return IO_OK;
}

/* The masks go first, which a kernel reads and writes most. No other read than a poll changes
 * anything. */
static enum io_result pic8259_read(void *dev, uint32_t offset, unsigned size, uint64_t *value)
{
    struct pic8259 *pic = dev;
    if (offset != PIC_MASTER_DATA || size != 1 || pic->master.poll)
        return pic_read_other(pic, offset, size, value);
    *value = pic->master.imr;
    return IO_OK;
}

static __attribute__((noinline)) enum io_result
pic_write_other(struct pic8259 *pic, uint32_t offset, unsigned size, uint8_t byte)
{
    struct pic_chip *chip = offset >= PIC_SLAVE_COMMAND ? &pic->slave : &pic->master;
    enum io_result result = pic_check(offset, size);
    if (result != IO_OK)
        return result;
    if (offset == PIC_MASTER_ELCR)
        pic->master.elcr = byte & PIC_ELCR_MASTER_WRITABLE;
    else if (offset == PIC_SLAVE_ELCR)
        pic->slave.elcr = byte & PIC_ELCR_SLAVE_WRITABLE;
    else if (offset == PIC_MASTER_DATA || offset == PIC_SLAVE_DATA)
        chip_write_data(chip, byte);
    else
        chip_write_command(chip, byte);
    return pic_sync_irq(pic);
}

static enum io_result pic8259_write(void *dev, uint32_t offset, unsigned size, uint64_t value)
{
    struct pic8259 *pic = dev;
    if (offset != PIC_MASTER_DATA || size != 1 || pic->master.expects != PIC_EXPECTS_OCW)
        return pic_write_other(pic, offset, size, (uint8_t)value);
    pic->master.imr = (uint8_t)value;
    return pic_sync_mask(pic);
}

static void pic8259_reset(void *dev)
{
    struct pic8259 *pic = dev;
    pic->master = (struct pic_chip){.lines = pic->master.lines, .lowest = 7};
    pic->slave = (struct pic_chip){.lines = pic->slave.lines, .lowest = 7};
    pic_sync_irq(pic);
}

void pic8259_init(struct pic8259 *pic, struct irq_line intr)
{
    *pic = (struct pic8259){.intr = intr};
    pic8259_reset(pic);
}

const struct dev_ops pic8259_ops = {
    .name = "pic8259",
    .read = pic8259_read,
    .write = pic8259_write,
    .reset = pic8259_reset,
};
