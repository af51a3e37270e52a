/*
 * How fast the TSC runs: measured against the PIT, with the HPET or the ACPI PM timer as a witness
 * in the same 8 ms, or against those alone where no PIT counts; made exact by CPUID where the two
 * agree. CPUID alone isn't trusted: an emulator shows the leaf of the CPU it imitates. SDM
 * "Time-Stamp Counter", 8254 datasheet "Mode 0: Interrupt on Terminal Count", IA-PC HPET
 * specification "Memory Mapped Registers".
 */
#define LOG_MODULE "time"
#include "hw/parts.h"

#include "hw/cpu.h"
#include "hw/tsc.h"
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

#define HPET_BYTES         KIB(1)
#define HPET_CAPABILITIES  0x000
#define HPET_LAST_TIMER(c) ((c) >> 8 & 31)
#define HPET_MAX_TIMERS    24    /* what fits */
#define HPET_PERIOD        0x004 /* of a count, in femtoseconds */
#define HPET_CONFIG        0x010
#define HPET_CONFIG_ENABLE BIT(0)
#define HPET_COUNTER       0x0F0
#define HPET_TIMER(n)      (0x100 + 0x20 * (n)) /* configuration and capabilities */
#define HPET_TIMER_ENABLE  BIT(2)
#define HPET_MAX_PERIOD    0x05F5E100u
#define HPET_MIN_PERIOD    1000000u /* faster than 1 GHz is none */
#define FEMTOS_PER_SECOND  1000000000000000ull

#define HALVES_PER_SECOND 250u /* a measurement is two halves of 4 ms */
#define MAX_TRIES         6u
#define MAX_POLLS         1000000u
#define POLLS_TO_MOVE     10000u /* a counter that stands still for so long is none */
#define SAMPLE_READS      8u
#define AGREE_PER_MILLE   2u /* two halves within 0.2 % are believed */

static uint64_t tsc_hz;

/* A counter of known frequency that counts up. */
struct reference {
    const char *name;
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

static hpa_t hpet;

static volatile uint32_t *hpet_register(unsigned offset)
{
    return (volatile uint32_t *)(hpet + offset);
}

/* The lower half: it takes minutes to come round. */
static uint32_t read_hpet(void)
{
    return *hpet_register(HPET_COUNTER);
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

/* The TSC's frequency; 0 when the counter stands still or never gives the same answer twice (it
 * wraps around within a long pause). *witnessed: what the witness says of the same time. */
static uint64_t measure(const struct reference *reference, const struct reference *witness,
                        uint64_t *witnessed)
{
    for (unsigned i = 0; i < MAX_TRIES; i++) {
        struct sample witness_first = witness ? take_sample(witness) : (struct sample){0};
        struct sample first = take_sample(reference), middle, last;
        if (!wait_half(reference, first, &middle) || !wait_half(reference, middle, &last))
            return 0;
        if (!tsc_agree(rate(reference, first, middle), rate(reference, middle, last),
                       AGREE_PER_MILLE))
            continue;
        if (witness)
            *witnessed = rate(witness, witness_first, take_sample(witness));
        return rate(reference, first, last);
    }
    return 0;
}

static uint64_t measure_by_pit(const struct reference *witness, uint64_t *witnessed)
{
    static const struct reference pit = {"PIT", read_pit, PIT_HZ, 0xFFFF};
    uint8_t port_b = inb(PORT_B) & (uint8_t)~PORT_B_SPEAKER;

    outb(PORT_B, port_b | PORT_B_GATE_2);
    outb(PIT_COMMAND, PIT_2_MODE_0);
    outb(PIT_CHANNEL_2, 0); /* 65536 counts: 55 ms, then it goes on from FFFFh */
    outb(PIT_CHANNEL_2, 0);
    uint64_t hz = measure(&pit, witness, witnessed);
    outb(PORT_B, port_b & (uint8_t)~PORT_B_GATE_2);
    return hz;
}

/* UEFI firmware keeps its time by one of these, whose messages would go on to end the guest's turn
 * some hundred times a second. */
static void silence_hpet(void)
{
    unsigned last = HPET_LAST_TIMER(*hpet_register(HPET_CAPABILITIES));

    for (unsigned n = 0; n <= last && n < HPET_MAX_TIMERS; n++)
        *hpet_register(HPET_TIMER(n)) &= ~HPET_TIMER_ENABLE;
}

/* Switches the HPET's counter on; it interrupts nobody. False: there is none that makes sense. */
static bool start_hpet(struct reference *reference)
{
    hpet = acpi_hpet_address();
    if (!hpet || !paging_map_mmio(hpet, HPET_BYTES))
        return false;
    uint32_t period = *hpet_register(HPET_PERIOD);
    if (period < HPET_MIN_PERIOD || period > HPET_MAX_PERIOD)
        return false;
    silence_hpet();
    *hpet_register(HPET_CONFIG) |= HPET_CONFIG_ENABLE;
    *reference =
        (struct reference){"HPET", read_hpet, (uint32_t)(FEMTOS_PER_SECOND / period), UINT32_MAX};
    return true;
}

/* By the counters that the machine has, best first. *source: which one. */
static uint64_t measure_by_counters(const char **source)
{
    static const struct reference pm_timer = {"ACPI PM timer", read_pm_timer, PM_TIMER_HZ,
                                              PM_TIMER_MASK};
    static struct reference hpet_counter;
    const struct reference *others[2] = {NULL, NULL};
    unsigned count = 0;
    uint64_t witnessed = 0;

    if (start_hpet(&hpet_counter))
        others[count++] = &hpet_counter;
    if (acpi_pm_timer_port())
        others[count++] = &pm_timer;

    uint64_t measured = measure_by_pit(others[0], &witnessed);
    *source = "PIT";
    if (measured && !tsc_believe_pit(measured, witnessed)) {
        log_warn("the TSC has %llu MHz by the PIT and %llu MHz by the %s, which is believed",
                 (unsigned long long)(measured / 1000000),
                 (unsigned long long)(witnessed / 1000000), others[0]->name);
        measured = witnessed;
        *source = others[0]->name;
    }
    for (unsigned i = 0; !measured && i < count; i++) {
        measured = measure(others[i], NULL, NULL);
        *source = others[i]->name;
    }
    return measured;
}

#define CPUID_1_ECX_HYPERVISOR BIT(31)
#define HYPERVISOR_LEAVES      0x40000000u
#define HYPERVISOR_TIMING      0x40000010u /* EAX: the TSC in kHz, by VMware, KVM and others */

/* What CPUID says; 0 where it says nothing. SDM "Time Stamp Counter and Nominal Core Crystal Clock
 * Information Leaf", "Processor Frequency Information Leaf". */
static uint64_t cpuid_hz(bool *exact)
{
    uint32_t regs[4];

    *exact = false;
    cpuid(1, 0, regs);
    if (regs[2] & CPUID_1_ECX_HYPERVISOR) {
        cpuid(HYPERVISOR_LEAVES, 0, regs);
        if (regs[0] >= HYPERVISOR_TIMING && regs[0] - HYPERVISOR_LEAVES < 0x100) {
            cpuid(HYPERVISOR_TIMING, 0, regs);
            *exact = regs[0] != 0;
            if (*exact)
                return (uint64_t)regs[0] * 1000;
        }
    }
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
    const char *source;
    uint64_t measured = measure_by_counters(&source);

    if (tsc_believe_cpuid(told, exact, measured)) {
        source = "CPUID";
        measured = told;
    }
    if (!tsc_is_plausible(measured))
        panic("no way to tell the TSC's frequency: no PIT, no HPET, no ACPI PM timer, no CPUID "
              "leaf 15h");
    tsc_hz = measured;
    hw_facts.tsc_hz = measured;
    log_info("TSC at %llu.%03llu MHz by %s", (unsigned long long)(measured / 1000000),
             (unsigned long long)(measured / 1000 % 1000), source);
}

uint64_t time_tsc_hz(void)
{
    return tsc_hz;
}
