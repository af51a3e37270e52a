/* needs: vmm/dev/lapic.c vmm/dev/lapic_irq.c vmm/dev/lapic_timer.c vmm/dev/ioapic.c vmm/lib/mem.c */
/*
 * A local APIC and an I/O APIC as they are wired in a PC, under any sequence of accesses, messages,
 * pins, acknowledges and steps of time. After each step INTR shows what the state asks for, the
 * deadline lies in the future, no bitmap holds an illegal vector, and a reset gives what init gave.
 * An input may begin with a processor that delivers by itself and takes posted interrupts: what is
 * posted then is the timer's vector or nothing, and it is notified of that at any time, or not at
 * all.
 *
 * Input: operations of an opcode byte and its operands.
 */
#include "dev/ioapic.h"
#include "dev/lapic.h"
#include "input.h"

#include <string.h>

static struct lapic lapic;
static struct ioapic ioapic;
static bool intr, lint0;
static vtime_t now;
static bool unseen; /* the device doesn't know yet what the processor has taken */

static void set_intr(void *ctx, unsigned pin, bool high)
{
    (void)ctx;
    (void)pin;
    intr = high;
}

static int extint_ack(void *ctx)
{
    (void)ctx;
    return 7;
}

static void eoi(void *ctx, uint8_t vector)
{
    (void)ctx;
    ioapic_eoi(&ioapic, vector);
}

static bool send(void *ctx, const struct apic_message *message)
{
    (void)ctx;
    return lapic_receive(&lapic, message);
}

static vtime_t when_tsc(void *ctx, uint64_t tsc)
{
    (void)ctx;
    return tsc <= now ? now : tsc;
}

static _Alignas(4096) uint32_t page[1024], fresh_page[1024];
static _Alignas(64) uint32_t posted[16], fresh_posted[16];
static struct lapic_config config = {.page = page,
                                     .posted = posted,
                                     .id = 3,
                                     .boot_processor = true,
                                     .timer_hz = 1000000000,
                                     .address_mask = (1ull << 40) - 1};
static const struct lapic_wiring wiring = {
    .intr = {set_intr, NULL, 0}, .extint_ack = extint_ack, .eoi = eoi, .when_tsc = when_tsc};

/* Whatever the guest has left in the page: reserved bits never get into a register. */
static void check_registers(void)
{
    static const struct {
        uint32_t offset, possible;
    } registers[] = {{0x0d0, 0xffffffff}, {0x0f0, 0x11ff},  {0x280, 0xff},    {0x320, 0x700ff},
                     {0x330, 0x107ff},    {0x340, 0x107ff}, {0x350, 0x1e7ff}, {0x360, 0x1a7ff},
                     {0x370, 0x100ff},    {0x3e0, 0xb}};
    for (unsigned i = 0; i < sizeof registers / sizeof registers[0]; i++)
        check((lapic_get(&lapic, registers[i].offset) & ~registers[i].possible) == 0);
}

/* One vector at the most: where next_deadline() leaves it out. */
static void check_posted(void)
{
    uint32_t others = 0;
    for (unsigned i = 0; i < 16; i++)
        others |=
            posted[i] & ~(i == lapic.posted / 32u && lapic.posted ? 1u << lapic.posted % 32 : 0);
    check((others & ~1u) == 0 && (posted[8] & 1) == (lapic.posted != 0));
    if (!lapic.posted)
        return;
    check(posted[lapic.posted / 32] >> lapic.posted % 32 & 1);
    check(!lapic_is_level(&lapic, lapic.posted));
    check(lapic_ops.next_deadline(&lapic) == UINT64_MAX && lapic_delivers(&lapic));
    check((lapic_get(&lapic, 0x320) & 0x100ff) == lapic.posted && lapic.posted >= 16);
}

static void check_state(void)
{
    check_registers();
    check_posted();
    check(intr == lapic_irq_cause(&lapic));
    check(lapic_ops.next_deadline(&lapic) > now);
    check(((page[0x100 / 4] | page[0x180 / 4] | page[0x200 / 4]) & 0xffff) == 0);
    check(lapic_ppr(&lapic) >> 4 >= page[0x80 / 4] >> 4);
    check((lapic.base & 0xc00) != 0x400);
    for (unsigned pin = 0; pin < IOAPIC_PINS; pin++)
        check((ioapic.redirection[pin] & 0xc000) != 0x4000); /* remote IRR is a level's */
}

#define SAME(a, b, first, last)                                                                    \
    (memcmp(&(a)->first, &(b)->first,                                                              \
            (size_t)((const char *)(&(a)->last + 1) - (const char *)&(a)->first)) == 0)

static void reset_all(void)
{
    static struct lapic fresh;
    bool pin = intr;
    struct lapic_config other = config;
    other.page = fresh_page;
    other.posted = fresh_posted;
    lapic_init(&fresh, &other, &wiring);
    intr = pin;
    lapic_ops.reset(&lapic);
    check(memcmp(page, fresh_page, sizeof page) == 0);
    check(SAME(&lapic, &fresh, base, extint));
    check(SAME(&lapic, &fresh, expiry, posted));
    ioapic_ops.reset(&ioapic);
}

static void access_msr(struct input *input, bool write)
{
    static const uint32_t others[] = {0x1b, 0x6e0};
    uint8_t choice = take8(input);
    uint32_t msr = choice < 0xf0 ? 0x800u + (choice & 0x3f) : others[choice & 1];
    uint64_t value = 0;
    if (!write)
        lapic_msr_read(&lapic, msr, &value);
    else if (msr == 0x1b)
        lapic_msr_write(&lapic, msr, 0xfee00100 | take(input, 2) << 8);
    else
        lapic_msr_write(&lapic, msr, take(input, choice & 0x40 ? 8 : 3));
}

static void access_page(struct input *input, uint8_t op, const struct dev_ops *ops, void *dev)
{
    unsigned size = op & 0x40 ? 1u << (take8(input) & 3) : 4;
    uint32_t offset = op & 0x40 ? (uint32_t)take(input, 2) & 0xfff : take8(input) * 16u & 0xff0;
    uint64_t value = 0;
    if (op & 0x80)
        ops->write(dev, offset, size, take(input, size));
    else if (ops->read(dev, offset, size, &value) == IO_OK)
        check(size == 8 || value >> size * 8 == 0);
}

/* What a processor with APIC-register virtualization does: it writes to the page, and mostly says
 * so. SDM "Virtualizing Writes to the APIC-Access Page". */
static void raw_write(struct input *input, bool told)
{
    static const uint16_t offsets[] = {0x020, 0x0d0, 0x0e0, 0x0f0, 0x280, 0x300, 0x320, 0x330,
                                       0x340, 0x350, 0x360, 0x370, 0x380, 0x3e0, 0x0b0, 0x310};
    uint8_t choice = take8(input);
    uint32_t offset = offsets[choice & 15] + (choice & 0x80 ? choice >> 5 & 3 : 0);
    unsigned size = choice & 0x80 ? 1 : 4;
    uint32_t value = (uint32_t)take(input, size);
    memcpy((uint8_t *)page + offset, &value, size);
    if (told)
        lapic_written(&lapic, offset);
}

/* The processor is notified: SDM "Posted-Interrupt Processing". Somewhen the device sees it. */
static void notify(bool seen)
{
    bool was_posted = posted[8] & 1;
    uint64_t ticks = lapic.timer_ticks;
    posted[8] &= ~1u;
    for (unsigned i = 0; i < 8; i++) {
        page[(0x200 + 16 * i) / 4] |= posted[i];
        posted[i] = 0;
    }
    unseen = !seen;
    if (unseen)
        return;
    lapic_ops.advance(&lapic, now);
    check(lapic.timer_ticks == ticks + was_posted);
    check(!was_posted || lapic_timer_tsc_deadline(&lapic) == 0);
}

/* What the run loop does before an entry, and when the guest halts or stops. */
static void post(bool back)
{
    vtime_t before = lapic_ops.next_deadline(&lapic);
    bool was_posted = lapic.posted;
    if (back) {
        lapic_take_back(&lapic);
        check(lapic.posted == 0);
        return;
    }
    vtime_t when = lapic_post(&lapic);
    check(when > now && (when != UINT64_MAX) == (lapic.posted != 0));
    check(was_posted || !lapic.posted || when == before);
}

static void one_operation(struct input *input)
{
    uint8_t op = take8(input);
    struct apic_message message;
    int vector;

    switch (op & 0x0f) {
    case 0:
    case 1:
    case 2:
        access_page(input, op, &lapic_ops, &lapic);
        break;
    case 3:
    case 4:
        access_page(input, op, &ioapic_ops, &ioapic);
        break;
    case 5:
    case 6:
        access_msr(input, op & 0x80);
        break;
    case 7:
        ioapic_set_irq(&ioapic, op >> 4 & 7 ? take8(input) % 25 : 2, op & 0x80);
        break;
    case 8:
        lint0 = op & 0x80;
        lapic_set_lint(&lapic, op >> 4 & 1, lint0);
        break;
    case 9:
    case 10:
        vector = lapic_ack(&lapic);
        check(vector == -1 || vector == 7 || (vector >= 16 && vector < 256));
        break;
    case 11:
        now += take(input, (op >> 4) % 6);
        lapic_ops.advance(&lapic, now);
        break;
    case 12:
        if (lapic_ops.next_deadline(&lapic) < UINT64_MAX / 8)
            now = lapic_ops.next_deadline(&lapic);
        lapic_ops.advance(&lapic, now);
        break;
    case 13:
        if (apic_message_from_msi(0xfee00000 | take(input, 3), (uint32_t)take(input, 2), &message))
            lapic_receive(&lapic, &message);
        break;
    case 14:
        lapic_set_cr8(&lapic, take8(input) & 15);
        check(lapic_cr8(&lapic) <= 15);
        break;
    default:
        if (op == 0x5f)
            reset_all();
        else if (op == 0x6f)
            lapic_virtual_wire(&lapic);
        else if (op == 0x7f)
            lapic_tsc_moved(&lapic);
        else if (op == 0x0f || op == 0x1f)
            post(op & 0x10);
        else if (op == 0x2f || op == 0x3f)
            notify(op & 0x10);
        else if (op & 0x80)
            raw_write(input, op & 0x70);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    now = 0;
    intr = false; /* a pin begins low */
    config.help = size && data[0] == 0x4f ? LAPIC_DELIVERED : LAPIC_ALONE;
    memset(posted, 0, sizeof posted);
    lapic_init(&lapic, &config, &wiring);
    ioapic_init(&ioapic, (struct apic_bus){send, NULL});
    while (input.size) {
        unseen = false;
        one_operation(&input);
        if (unseen)
            continue;
        lapic_ops.advance(&lapic, now);
        check_state();
    }
    return 0;
}
