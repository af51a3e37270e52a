/* needs: vmm/dev/hpet.c */
#include "dev/hpet.h"
#include "input.h"

#include <string.h>

/*
 * The HPET under any sequence of accesses and steps of time. After each step every pin shows what
 * its timer's state asks for, only inputs that are offered were driven, deadlines lie ahead, and a
 * timer whose deadline came has shown it; reset gives the state after init.
 *
 * Input: a byte that says which I/O APIC inputs there are, then commands.
 */

static struct hpet hpet;
static bool legacy_pin[2], input_pin[32], replaced;
static uint32_t inputs;
static vtime_t now;

static void set_legacy(void *sink, unsigned pin, bool high)
{
    (void)sink;
    legacy_pin[pin] = high;
}

static void set_input(void *sink, unsigned pin, bool high)
{
    (void)sink;
    check(inputs >> pin & 1);
    input_pin[pin] = high;
}

static void replace(void *ctx, bool on)
{
    (void)ctx;
    check(on != replaced && !legacy_pin[0] && !legacy_pin[1]);
    replaced = on;
}

static void check_pins(void)
{
    bool legacy = (hpet.config & 2) != 0;
    uint32_t high = 0;
    check(legacy == replaced);
    for (unsigned n = 0; n < 3; n++) {
        bool cause = hpet_irq_cause(&hpet, n);
        if (n < 2)
            check(legacy_pin[n] == (legacy && cause));
        if (cause && !(legacy && n < 2))
            high |= 1u << (hpet.timer[n].config >> 9 & 31);
    }
    for (unsigned i = 0; i < 32; i++)
        check(input_pin[i] == (high >> i & inputs >> i & 1));
}

/* Time goes to the nearest deadline: something must come of it. */
static void go_to_deadline(void)
{
    vtime_t due = hpet_ops.next_deadline(&hpet);
    uint64_t before = hpet.interrupts;
    if (due > UINT64_MAX / 2)
        return;
    now = due;
    hpet_ops.advance(&hpet, now);
    check(hpet.interrupts > before);
}

static void step(struct input *in)
{
    static const uint16_t known[] = {0x000, 0x010, 0x020, 0x0F0, 0x0F4, 0x100, 0x104, 0x108,
                                     0x10C, 0x120, 0x128, 0x12C, 0x140, 0x148, 0x14C, 0x110};
    uint8_t command = take8(in);
    uint32_t offset = command & 0x80 ? (uint32_t)take(in, 2) : known[command >> 3 & 15];
    unsigned size = 1u << (take8(in) & 3);
    uint64_t value = 0;
    switch (command & 7) {
    case 0:
        if (hpet_ops.read(&hpet, offset, size, &value) == IO_OK)
            check(size >= 4 && offset % size == 0 && (size == 8 || value >> 32 == 0));
        break;
    case 1:
        now += take(in, 1 + (command >> 4 & 3));
        hpet_ops.advance(&hpet, now);
        break;
    case 2:
        now += now < UINT64_MAX / 4 ? take(in, 7) : 0;
        hpet_ops.advance(&hpet, now);
        break;
    case 3:
        go_to_deadline();
        break;
    case 4:
        if (take8(in) == 0x5A)
            hpet_ops.reset(&hpet);
        break;
    default:
        size = command & 1 ? 4 : size;
        hpet_ops.write(&hpet, offset, size, take(in, size));
    }
    hpet_ops.advance(&hpet, now);
    check(hpet_ops.next_deadline(&hpet) > now);
    check_pins();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    inputs = take8(&in) * 0x00010101u;
    struct hpet_wiring wiring = {
        .legacy = {{set_legacy, NULL, 0}, {set_legacy, NULL, 1}},
        .replace = replace,
        .input = {set_input, NULL, 0},
        .input_mask = inputs,
    };
    memset(legacy_pin, 0, sizeof(legacy_pin));
    memset(input_pin, 0, sizeof(input_pin));
    replaced = false;
    now = 0;
    hpet_init(&hpet, &wiring);
    for (unsigned i = 0; in.size > 0 && i < 1000; i++)
        step(&in);
    return 0;
}
