/* The host's keyboard behind its i8042: scancode bytes as port 60h gives them. The controller stays
 * as the firmware set it up; no command is sent to it. */
#define LOG_MODULE "keyboard"
#include "hw/parts.h"

#include "hw/cpu.h"
#include "lib/log.h"
#include "lib/ring.h"

#define I8042_DATA   0x60
#define I8042_STATUS 0x64

#define STATUS_OUTPUT_FULL BIT(0)
#define STATUS_AUX         BIT(5) /* the byte is the mouse's */
#define STATUS_FLOATING    0xFF

#define MAX_BYTES 32u /* more at once than any controller holds */

static uint8_t bytes[256];
static bool present;
static struct ring ring = {.bytes = bytes, .size = sizeof(bytes)};

static void keyboard_irq(void)
{
    for (unsigned i = 0; i < MAX_BYTES; i++) {
        uint8_t status = inb(I8042_STATUS);
        if (!(status & STATUS_OUTPUT_FULL))
            break;
        uint8_t byte = inb(I8042_DATA);
        if (!(status & STATUS_AUX))
            ring_put(&ring, byte);
    }
}

void keyboard_init(void)
{
    uint8_t byte;

    if (inb(I8042_STATUS) == STATUS_FLOATING) {
        log_info("no i8042: no keyboard; type on the serial line");
        return;
    }
    keyboard_irq(); /* a byte that nobody took holds back the next interrupt */
    while (ring_get(&ring, &byte))
        ;
    present = true;
    irq_register(VECTOR_IRQ_BASE + IRQ_KEYBOARD, keyboard_irq);
    irq_unmask(IRQ_KEYBOARD);
    /* Where the firmware left a mouse on, its byte would hold back the keyboard's for ever. */
    irq_register(VECTOR_IRQ_BASE + IRQ_MOUSE, keyboard_irq);
    irq_unmask(IRQ_MOUSE);
}

bool keyboard_present(void)
{
    return present;
}

bool keyboard_get(uint8_t *scancode)
{
    return ring_get(&ring, scancode);
}
