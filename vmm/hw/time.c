/*
 * How fast the TSC runs: measured against the PIT, made exact by CPUID where the two agree. CPUID
 * alone isn't trusted: an emulator shows the leaf of the CPU it imitates. SDM "Time-Stamp Counter",
 * 8254 datasheet "Mode 0: Interrupt on Terminal Count".
 */
#define LOG_MODULE "time"
#include "hw/parts.h"

#include "hw/cpu.h"
#include "lib/assert.h"
#include "lib/log.h"

#define PIT_HZ         1193182u
#define PIT_CHANNEL_2  0x42
#define PIT_COMMAND    0x43
#define PIT_2_MODE_0   0xB0 /* channel 2, low then high byte, mode 0, binary */
#define PIT_2_LATCH    0x80
#define PORT_B         0x61
#define PORT_B_GATE_2  BIT(0)
#define PORT_B_SPEAKER BIT(1)

#define PM_TIMER_HZ   3579545u
#define PM_TIMER_MASK 0xFFFFFFu /* 24 bits are always there */

#define HALVES_PER_SECOND 250u /* a measurement is two halves of 4 ms */
#define MAX_TRIES         6u
#define MAX_POLLS         1000000u
#define POLLS_TO_MOVE     10000u /* a counter that stands still for so long is none */
#define SAMPLE_READS      8u
#define AGREE_PER_MILLE   2u  /* two halves within 0.2 % are believed */
#define CPUID_PER_MILLE   10u /* and CPUID within 1 % */

#define TSC_MIN_HZ 1000000ull
#define TSC_MAX_HZ 100000000000ull

static uint64_t tsc_hz;

/* A counter of known frequency that counts up. */
struct reference {
    uint32_t (*read)(void);
    uint32_t hz;
    uint32_t mask;
};

struct sample {
    uint64_t tsc;
    uint32_t count;
};

static uint32_t read_pit(void)
{
    outb(PIT_COMMAND, PIT_2_LATCH);
    uint32_t low = inb(PIT_CHANNEL_2);
    return 0 - (low | (uint32_t)inb(PIT_CHANNEL_2) << 8);
}

static uint32_t read_pm_timer(void)
{
    return inl(acpi_pm_timer_port());
}

/* Both clocks at one moment. A pause of the machine (SMI, a busy emulator) between the two TSC
 * reads shows as a long one, so the shortest of several counts. */
static struct sample take_sample(const struct reference *reference)
{
    struct sample best = {0};
    uint64_t shortest = UINT64_MAX;

    for (unsigned i = 0; i < SAMPLE_READS; i++) {
        uint64_t before = rdtsc();
        uint32_t count = reference->read();
        uint64_t took = rdtsc() - before;
        if (took < shortest) {
            shortest = took;
            best = (struct sample){before + took / 2, count};
        }
    }
    return best;
}

static uint32_t counts_between(const struct reference *reference, struct sample a, struct sample b)
{
    return (b.count - a.count) & reference->mask;
}

/* A sample at least 4 ms after `from`. False: the counter doesn't count. */
static bool wait_half(const struct reference *reference, struct sample from, struct sample *sample)
{
    for (unsigned i = 0; i < MAX_POLLS; i++) {
        uint32_t passed = (reference->read() - from.count) & reference->mask;
        if (passed >= reference->hz / HALVES_PER_SECOND) {
            *sample = take_sample(reference);
            return true;
        }
        if (passed == 0 && i == POLLS_TO_MOVE)
            break;
    }
    return false;
}

static uint64_t rate(const struct reference *reference, struct sample a, struct sample b)
{
    uint32_t counts = counts_between(reference, a, b);
    return counts ? (b.tsc - a.tsc) * reference->hz / counts : 0;
}

static bool agree(uint64_t a, uint64_t b, uint64_t per_mille)
{
    uint64_t difference = a > b ? a - b : b - a;
    return difference <= a / 1000 * per_mille;
}

/* The TSC's frequency; 0 when the counter stands still or never gives the same answer twice (it
 * wraps around within a long pause). */
static uint64_t measure(const struct reference *reference)
{
    for (unsigned i = 0; i < MAX_TRIES; i++) {
        struct sample first = take_sample(reference), middle, last;
        if (!wait_half(reference, first, &middle) || !wait_half(reference, middle, &last))
            return 0;
        if (agree(rate(reference, first, middle), rate(reference, middle, last), AGREE_PER_MILLE))
            return rate(reference, first, last);
    }
    return 0;
}

static uint64_t measure_by_pit(void)
{
    static const struct reference pit = {read_pit, PIT_HZ, 0xFFFF};
    uint8_t port_b = inb(PORT_B) & (uint8_t)~PORT_B_SPEAKER;

    outb(PORT_B, port_b | PORT_B_GATE_2);
    outb(PIT_COMMAND, PIT_2_MODE_0);
    outb(PIT_CHANNEL_2, 0); /* 65536 counts: 55 ms, then it goes on from FFFFh */
    outb(PIT_CHANNEL_2, 0);
    uint64_t hz = measure(&pit);
    outb(PORT_B, port_b & (uint8_t)~PORT_B_GATE_2);
    return hz;
}

static uint64_t measure_by_pm_timer(void)
{
    static const struct reference pm_timer = {read_pm_timer, PM_TIMER_HZ, PM_TIMER_MASK};
    return acpi_pm_timer_port() ? measure(&pm_timer) : 0;
}

/* What CPUID says; 0 where it says nothing. SDM "Time Stamp Counter and Nominal Core Crystal Clock
 * Information Leaf", "Processor Frequency Information Leaf". */
static uint64_t cpuid_hz(bool *exact)
{
    uint32_t regs[4];

    *exact = false;
    cpuid(0, 0, regs);
    uint32_t max_leaf = regs[0];
    if (max_leaf >= 0x15) {
        cpuid(0x15, 0, regs);
        if (regs[0] && regs[1] && regs[2]) {
            *exact = true;
            return (uint64_t)regs[2] * regs[1] / regs[0];
        }
    }
    if (max_leaf >= 0x16) {
        cpuid(0x16, 0, regs);
        return (uint64_t)(regs[0] & 0xFFFF) * 1000000;
    }
    return 0;
}

void time_init(void)
{
    bool exact;
    uint64_t told = cpuid_hz(&exact);
    const char *source = "PIT";
    uint64_t measured = measure_by_pit();

    if (!measured) {
        source = "ACPI PM timer";
        measured = measure_by_pm_timer();
    }
    if (told && (!measured || (exact && agree(measured, told, CPUID_PER_MILLE)))) {
        source = "CPUID";
        measured = told;
    }
    if (measured < TSC_MIN_HZ || measured > TSC_MAX_HZ)
        panic("no way to tell the TSC's frequency: no PIT, no ACPI PM timer, no CPUID leaf 15h");
    tsc_hz = measured;
    hw_facts.tsc_hz = measured;
    log_info("TSC at %llu.%03llu MHz by %s", (unsigned long long)(measured / 1000000),
             (unsigned long long)(measured / 1000 % 1000), source);
}

uint64_t time_tsc_hz(void)
{
    return tsc_hz;
}
