/*
 * The machine as the run loop sees it. Nothing here is done twice for one exit: the nearest
 * deadline is computed only after an access or an advance, that of the local APIC's timer apart
 * from all others, and an exit that touches no device costs the machine nothing.
 */
#include "pc/pc.h"

#include "pc/layout.h"

/* Below lie the 8-bit devices of the ISA bus: its bridge splits wider accesses. */
#define ISA_PORTS_END 0x500u

/* Devices that refused bytes from outside are served outside of their own handlers. */
static __attribute__((noinline)) void finish_long(struct pc *pc, struct iobus *bus)
{
    if (bus->clock_touched) {
        bus->clock_touched = false;
        pc->deadline_stale = true;
        pc_attend(pc);
    }
    if (!pc->room)
        return;
    pc->room = false;
    if (pc->config.host_events)
        pc->config.host_events(pc->config.host_ctx);
}

static inline void finish_access(struct pc *pc, struct iobus *bus)
{
    if (__builtin_expect(bus->clock_touched || pc->room, 0))
        finish_long(pc, bus);
}

/* A byte's exit keeps nothing but the machine in a register of its own. */
static __attribute__((noinline)) void finish_port_long(struct pc *pc)
{
    finish_long(pc, &pc->pio);
}

static inline void finish_port(struct pc *pc)
{
    if (__builtin_expect(pc->pio.clock_touched || pc->room, 0))
        finish_port_long(pc);
}

/* What is wider than a byte: for an ISA device it is several bytes. */
static __attribute__((noinline)) uint32_t wide_read(struct pc *pc, uint16_t port, unsigned size)
{
    uint32_t value = 0;

    if (port >= ISA_PORTS_END)
        value = (uint32_t)iobus_read(&pc->pio, port, size);
    else
        for (unsigned i = 0; i < size; i++)
            value |= (uint32_t)iobus_read(&pc->pio, port + i, 1) << (8 * i);
    finish_port(pc);
    return value;
}

static __attribute__((noinline)) void wide_write(struct pc *pc, uint16_t port, unsigned size,
                                                 uint32_t value)
{
    if (port >= ISA_PORTS_END)
        iobus_write(&pc->pio, port, size, value);
    else
        for (unsigned i = 0; i < size; i++)
            iobus_write(&pc->pio, port + i, 1, value >> (8 * i) & 0xFF);
    finish_port(pc);
}

static uint32_t pio_read(void *ctx, uint16_t port, unsigned size)
{
    struct pc *pc = ctx;

    if (size != 1)
        return wide_read(pc, port, size);
    uint32_t value = (uint32_t)iobus_read(&pc->pio, port, 1);
    finish_port(pc);
    return value;
}

static void pio_write(void *ctx, uint16_t port, unsigned size, uint32_t value)
{
    struct pc *pc = ctx;

    if (size != 1) {
        wide_write(pc, port, size, value);
        return;
    }
    iobus_write(&pc->pio, port, 1, value);
    finish_port(pc);
}

static bool mmio_read(void *ctx, gpa_t gpa, unsigned size, uint64_t *value)
{
    struct pc *pc = ctx;

    if (!iobus_claims(&pc->mmio, gpa))
        return false;
    *value = iobus_read(&pc->mmio, gpa, size);
    finish_access(pc, &pc->mmio);
    return true;
}

static bool mmio_write(void *ctx, gpa_t gpa, unsigned size, uint64_t value)
{
    struct pc *pc = ctx;

    if (!iobus_claims(&pc->mmio, gpa))
        return false;
    iobus_write(&pc->mmio, gpa, size, value);
    finish_access(pc, &pc->mmio);
    return true;
}

static bool mem_read(void *ctx, gpa_t gpa, void *dst, uint64_t len)
{
    const struct pc *pc = ctx;

    return gmem_read(pc->config.gmem, gpa, dst, len);
}

static bool mem_write(void *ctx, gpa_t gpa, const void *src, uint64_t len)
{
    const struct pc *pc = ctx;

    return gmem_write(pc->config.gmem, gpa, src, len);
}

static const uint8_t *mem_page(void *ctx, gpa_t gpa)
{
    const struct pc *pc = ctx;

    return gmem_ptr(pc->config.gmem, gpa, PAGE_SIZE);
}

static int irq_ack(void *ctx)
{
    struct pc *pc = ctx;

    return lapic_ack(&pc->lapic);
}

static uint8_t cr8_read(void *ctx)
{
    const struct pc *pc = ctx;

    return lapic_cr8(&pc->lapic);
}

static void cr8_write(void *ctx, uint8_t value)
{
    struct pc *pc = ctx;

    lapic_set_cr8(&pc->lapic, value);
}

static void tsc_moved(void *ctx)
{
    struct pc *pc = ctx;

    lapic_tsc_moved(&pc->lapic);
    pc_attend(pc);
}

static void advance_if_due(const struct dev_ops *ops, void *dev, vtime_t now)
{
    if (ops->next_deadline(dev) <= now)
        ops->advance(dev, now);
}

static __attribute__((noinline)) void advance_others(struct pc *pc, vtime_t now)
{
    advance_if_due(&pit8254_ops, &pc->pit, now);
    advance_if_due(&rtc146818_ops, &pc->rtc, now);
    advance_if_due(&acpi_pm_ops, &pc->pm, now);
    advance_if_due(&hpet_ops, &pc->hpet, now);
    if (pc->config.host_deadline && pc->config.host_deadline(pc->config.host_ctx) <= now)
        pc->config.host_advance(pc->config.host_ctx, now);
    if (pc->hvc_retry <= now)
        pc_retry_hvc(pc);
    pc->deadline_stale = true;
}

/* The local APIC's timer is what ticks; the others are asked when one of them may be due. */
static void advance(void *ctx, vtime_t now)
{
    struct pc *pc = ctx;

    if (lapic_ops.next_deadline(&pc->lapic) <= now || pc->lapic.posted)
        lapic_ops.advance(&pc->lapic, now);
    if (pc->deadline_stale || pc->deadline <= now)
        advance_others(pc, now);
}

static __attribute__((noinline)) vtime_t deadline_of_others(struct pc *pc)
{
    vtime_t nearest =
        min_u64(pit8254_ops.next_deadline(&pc->pit), rtc146818_ops.next_deadline(&pc->rtc));

    nearest = min_u64(nearest, acpi_pm_ops.next_deadline(&pc->pm));
    nearest = min_u64(nearest, hpet_ops.next_deadline(&pc->hpet));
    nearest = min_u64(nearest, pc->hvc_retry);
    if (pc->config.host_deadline)
        nearest = min_u64(nearest, pc->config.host_deadline(pc->config.host_ctx));
    return nearest;
}

static vtime_t next_deadline(void *ctx)
{
    struct pc *pc = ctx;

    if (pc->deadline_stale)
        pc->deadline = deadline_of_others(pc);
    pc->deadline_stale = false;
    return min_u64(pc->deadline, lapic_ops.next_deadline(&pc->lapic));
}

static void host_events(void *ctx)
{
    struct pc *pc = ctx;

    if (pc->config.host_events)
        pc->config.host_events(pc->config.host_ctx);
}

static void debug_stopped(void *ctx)
{
    struct pc *pc = ctx;

    lapic_settle_end(&pc->lapic); /* what is shown is true */
    if (pc->config.debug_stopped)
        pc->config.debug_stopped(pc->config.host_ctx);
}

static enum vm_stop stop_request(void *ctx)
{
    const struct pc *pc = ctx;

    return pc->stop;
}

const struct vcpu_hooks pc_hooks = {
    .pio_read = pio_read,
    .pio_write = pio_write,
    .mmio_read = mmio_read,
    .mmio_write = mmio_write,
    .mem_read = mem_read,
    .mem_write = mem_write,
    .mem_page = mem_page,
    .irq_ack = irq_ack,
    .nmi_may_come = pc_nmi_may_come,
    .apic_read = pc_apic_read,
    .apic_write = pc_apic_write,
    .cr8_read = cr8_read,
    .cr8_write = cr8_write,
    .apic_state = pc_apic_state,
    .apic_due = pc_apic_due,
    .apic_post = pc_apic_post,
    .apic_take_back = pc_apic_take_back,
    .apic_event = pc_apic_event,
    .tsc_moved = tsc_moved,
    .advance = advance,
    .next_deadline = next_deadline,
    .host_events = host_events,
    .stop_request = stop_request,
    .debug_stopped = debug_stopped,
};
