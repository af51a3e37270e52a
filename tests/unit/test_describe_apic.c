/* needs: vmm/dev/describe_apic.c vmm/dev/lapic.c vmm/dev/lapic_irq.c vmm/dev/lapic_timer.c vmm/lib/text.c vmm/lib/fmt.c vmm/lib/mem.c */
/* What the APICs tell about themselves. */
#include "dev/describe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static char said[4096];
static unsigned length;

static void put(void *ctx, uint8_t byte)
{
    (void)ctx;
    assert_true(length < sizeof(said) - 1);
    said[length++] = (char)byte;
    said[length] = 0;
}

static const struct byte_sink out = {put, NULL};

static void expect(const char *part)
{
    if (!strstr(said, part))
        fail_msg("\"%s\" isn't in \"%s\"", part, said);
}

static void the_local_apic(void **state)
{
    (void)state;
    static uint32_t page[1024];
    static struct lapic lapic = {
        .config = {.id = 0, .page = page},
        .base = 0xfee00d00,
        .tsc_deadline = 0x123456789,
        .accepted = 9,
        .acks = 8,
        .eois = 7,
        .ipis = 3,
        .timer_ticks = 4,
    };
    static const uint32_t lvt[] = {0x400ec, 0x10000, 0x10000, 0x700, 0x400, 0xfe};
    lapic_put(&lapic, 0xf0, 0x1ff);
    page[0x80 / 4] = 0x20;
    page[0x300 / 4] = 0xec;
    page[0x310 / 4] = 0x40;
    page[0x210 / 4] = 0x80000000;
    page[0x270 / 4] = 0x1000;
    page[0x120 / 4] = 1;
    for (unsigned i = 0; i < 6; i++)
        lapic_put(&lapic, 0x320 + 16 * i, lvt[i]);
    length = 0;
    describe_lapic(&lapic, out);
    expect("local APIC 0: x2APIC mode, on, TPR 20 ESR 00 SVR 1ff ICR 40000000ec\n");
    expect("IRR 3f ec\n");
    expect("ISR 40\n");
    expect("LVT timer     400ec: vector ec\n");
    expect("LVT thermal   10000: vector 00, masked\n");
    expect("LVT error     000fe: vector fe\n");
    expect("timer: initial count 0, TSC deadline 123456789, 4 ticks\n");
    expect("9 requests, 8 taken, 7 EOIs, 3 IPIs\n");
    lapic.base = 0xfee00100;
    lapic_put(&lapic, 0xf0, 0xff);
    length = 0;
    describe_lapic(&lapic, out);
    expect("local APIC 0: disabled, off by software");
}

static void the_io_apic(void **state)
{
    (void)state;
    static struct ioapic ioapic = {.lines = 0x10};
    for (unsigned pin = 0; pin < 24; pin++)
        ioapic.redirection[pin] = 0x10000;
    ioapic.redirection[4] = 0x41;
    ioapic.redirection[9] = 0x1e042;
    ioapic.sent[9] = 2;
    length = 0;
    describe_ioapic(&ioapic, out);
    assert_string_equal(said,
                        "I/O APIC, inputs 000010:\n"
                        "input  4: vector 41, edge, active high, 0 sent\n"
                        "input  9: vector 42, level, active low, remote IRR, masked, 2 sent\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_local_apic),
        cmocka_unit_test(the_io_apic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
