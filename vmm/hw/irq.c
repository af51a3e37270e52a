/* The host's two 8259A PICs, and who handles which vector. Register names: 8259A datasheet. */
#define LOG_MODULE "irq"
#include "hw/parts.h"

#include "hw/cpu.h"
#include "lib/assert.h"
#include "lib/log.h"

#define PIC1_COMMAND 0x20
#define PIC1_DATA    0x21
#define PIC2_COMMAND 0xA0
#define PIC2_DATA    0xA1

#define ICW1_INIT     0x11 /* edge triggered, cascaded, ICW4 follows */
#define ICW4_8086     0x01
#define OCW2_EOI      0x20
#define OCW3_READ_ISR 0x0B

#define SPURIOUS_1 7u
#define SPURIOUS_2 15u

static void (*handlers[256])(void);
static uint16_t masked = 0xFFFF & ~BIT(IRQ_CASCADE);
static uint64_t unexpected_count;

static void write_masks(void)
{
    outb(PIC1_DATA, (uint8_t)masked);
    outb(PIC2_DATA, (uint8_t)(masked >> 8));
}

void pic_init(void)
{
    outb(PIC1_COMMAND, ICW1_INIT);
    outb(PIC2_COMMAND, ICW1_INIT);
    outb(PIC1_DATA, VECTOR_IRQ_BASE);
    outb(PIC2_DATA, VECTOR_IRQ_BASE + 8);
    outb(PIC1_DATA, BIT(IRQ_CASCADE)); /* ICW3: which pins have a slave */
    outb(PIC2_DATA, IRQ_CASCADE);      /* ICW3: which one this slave is */
    outb(PIC1_DATA, ICW4_8086);
    outb(PIC2_DATA, ICW4_8086);
    write_masks();
}

void irq_unmask(unsigned irq)
{
    ASSERT(irq < 16);
    masked &= (uint16_t)~BIT(irq);
    write_masks();
}

void irq_only_keyboard(void)
{
    masked |= (uint16_t) ~(BIT(IRQ_KEYBOARD) | BIT(IRQ_CASCADE) | BIT(IRQ_MOUSE));
    write_masks();
}

void irq_register(uint8_t vector, void (*handler)(void))
{
    handlers[vector] = handler;
}

static bool in_service(uint16_t command_port)
{
    outb(command_port, OCW3_READ_ISR);
    return inb(command_port) & BIT(7);
}

/* A request that goes away before its acknowledge comes as IRQ 7 or 15 with no ISR bit. Such a one
 * gets no EOI; of IRQ 15, the master doesn't know that it was spurious. */
static bool pic_end(unsigned irq)
{
    if (irq == SPURIOUS_1 && !in_service(PIC1_COMMAND))
        return false;
    if (irq == SPURIOUS_2 && !in_service(PIC2_COMMAND)) {
        outb(PIC1_COMMAND, OCW2_EOI);
        return false;
    }
    if (irq >= 8)
        outb(PIC2_COMMAND, OCW2_EOI);
    outb(PIC1_COMMAND, OCW2_EOI);
    return true;
}

void irq_dispatch(uint8_t vector)
{
    if (vector >= VECTOR_IRQ_BASE && vector < VECTOR_IRQ_BASE + 16) {
        /* EOI first: these lines are edge triggered, and an edge that comes while the handler runs
         * must be seen. Interrupts stay off meanwhile. */
        if (!pic_end(vector - VECTOR_IRQ_BASE))
            return;
    } else {
        lapic_eoi();
    }
    if (handlers[vector])
        handlers[vector]();
    else if (!log_ratelimit(&unexpected_count, 4))
        return;
    else if (vector == VECTOR_OTHER)
        log_warn("an interrupt that nobody expects: the firmware left its source on");
    else
        log_warn("interrupt on vector %u, which nobody expects", vector);
}

/* The spurious one has no end: isr.asm. */
void hw_interrupt(uint8_t vector)
{
    if (vector != VECTOR_SPURIOUS)
        irq_dispatch(vector);
}

void irq_window(void)
{
    /* STI holds interrupts off for one more instruction: the NOP. */
    __asm__ volatile("sti\n\tnop\n\tcli" : : : "memory");
}
