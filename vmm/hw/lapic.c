/*
 * The local APIC: lets the 8259s through (virtual wire), and its timer wakes a sleeping CPU and, on
 * a CPU whose virtualization has no timer, ends a guest's turn. SDM
 * "Advanced Programmable Interrupt Controller (APIC)". Whether it is in xAPIC or x2APIC mode is the
 * firmware's choice; it is never switched off, because emulators can't switch it on again.
 */
#define LOG_MODULE "lapic"
#include "hw/parts.h"

#include "hw/cpu.h"
#include "hw/wakeup.h"
#include "lib/log.h"

#define APIC_BASE_X2APIC BIT64(10)
#define APIC_BASE_ENABLE BIT64(11)
#define APIC_BASE_MASK   0x000FFFFFFFFFF000ull

enum lapic_register {
    LAPIC_TPR = 0x080,
    LAPIC_EOI = 0x0B0,
    LAPIC_SVR = 0x0F0,
    LAPIC_ISR = 0x100, /* eight, 10h apart */
    LAPIC_IRR = 0x200, /* likewise */
    LAPIC_ICR = 0x300,
    LAPIC_LVT_TIMER = 0x320,
    LAPIC_LVT_LINT0 = 0x350,
    LAPIC_LVT_LINT1 = 0x360,
    LAPIC_LVT_ERROR = 0x370,
    LAPIC_TIMER_INITIAL = 0x380,
    LAPIC_TIMER_CURRENT = 0x390,
    LAPIC_TIMER_DIVIDE = 0x3E0
};

#define SVR_ENABLE         BIT(8)
#define ICR_PENDING        BIT(12)
#define ICR_INIT_OTHERS    0xC4500u /* to all but this one, assert, INIT */
#define ICR_POLLS          100000u
#define LVT_MASKED         BIT(16)
#define LVT_NMI            (4u << 8)
#define LVT_EXTINT         (7u << 8)
#define LVT_TIMER_DEADLINE (2u << 17)
#define DIVIDE_BY_1        0xBu

#define MSR_INT_PENDING 0xC0010055u
#define INT_PENDING_C1E (BIT64(27) | BIT64(28)) /* SmiOnCmpHalt, C1eOnCmpHalt */

#define CALIBRATE_FRACTION 1000u /* of a second: 1 ms */
#define CALIBRATE_TRIES    3u

static bool present, x2apic, deadline_mode;
static hpa_t xapic;
static uint64_t timer_per_tsc; /* one-shot mode: timer ticks << 32 per TSC tick */
static struct wakeup wakeup = {WAKEUP_NEVER, WAKEUP_NEVER};

static uint32_t lapic_read(unsigned reg)
{
    if (x2apic)
        return (uint32_t)rdmsr(MSR_IA32_X2APIC_BASE + reg / 16);
    return *(volatile uint32_t *)(xapic + reg);
}

static void lapic_write(unsigned reg, uint32_t value)
{
    if (x2apic)
        wrmsr(MSR_IA32_X2APIC_BASE + reg / 16, value);
    else
        *(volatile uint32_t *)(xapic + reg) = value;
}

void lapic_eoi(void)
{
    if (present)
        lapic_write(LAPIC_EOI, 0);
}

/* Interrupts that the firmware took and never ended would block ours for ever. */
static void end_leftovers(void)
{
    for (unsigned i = 0; i < 256; i++) {
        uint32_t in_service = 0;
        for (unsigned n = 0; n < 8; n++)
            in_service |= lapic_read(LAPIC_ISR + 0x10 * n);
        if (!in_service)
            return;
        lapic_write(LAPIC_EOI, 0);
    }
}

/* Timer ticks << 32 per TSC tick. The counter is read after the TSC, so a pause of the machine in
 * between makes it more, never less. */
static uint64_t measure_timer(void)
{
    uint64_t wait = time_tsc_hz() / CALIBRATE_FRACTION;

    lapic_write(LAPIC_TIMER_INITIAL, UINT32_MAX);
    uint64_t start = rdtsc(), now;
    do
        now = rdtsc();
    while (now - start < wait);
    uint64_t ticks = UINT32_MAX - lapic_read(LAPIC_TIMER_CURRENT);
    lapic_write(LAPIC_TIMER_INITIAL, 0);
    return (ticks << 32) / (now - start);
}

static void calibrate_one_shot(void)
{
    lapic_write(LAPIC_TIMER_DIVIDE, DIVIDE_BY_1);
    lapic_write(LAPIC_LVT_TIMER, LVT_MASKED | VECTOR_TIMER);
    timer_per_tsc = UINT64_MAX;
    for (unsigned i = 0; i < CALIBRATE_TRIES; i++)
        timer_per_tsc = min_u64(timer_per_tsc, measure_timer());
    log_info("timer at %llu MHz, one-shot",
             (unsigned long long)((timer_per_tsc * (time_tsc_hz() / 1000000)) >> 32));
}

/* Interrupts at the TSC's `deadline`, or at once when that has passed. One-shot mode: a wait that
 * is longer than the counter ends early, which timer_fired() mends. */
static void timer_program(uint64_t deadline)
{
    if (deadline == WAKEUP_NEVER)
        return;
    if (deadline_mode) {
        wrmsr(MSR_IA32_TSC_DEADLINE, max_u64(deadline, 1)); /* zero would stop the timer */
        return;
    }
    uint64_t now = rdtsc();
    uint64_t delta = deadline > now ? deadline - now : 0;
    uint64_t ticks = (uint64_t)(((unsigned __int128)delta * timer_per_tsc) >> 32);
    lapic_write(LAPIC_TIMER_INITIAL, (uint32_t)min_u64(ticks + 1, UINT32_MAX)); /* here, too */
}

/* Firmware leaves the other CPUs in some loop, in memory that isn't its own any more, where an NMI
 * or SMI would have them go on. After INIT they run nothing until a start-up IPI, which nobody
 * sends. SDM "Wait-For-SIPI State". */
static void park_others(void)
{
    lapic_write(LAPIC_ICR, ICR_INIT_OTHERS);
    /* x2APIC has no such bit: it reads as 0. */
    for (unsigned i = 0; i < ICR_POLLS && (lapic_read(LAPIC_ICR) & ICR_PENDING); i++)
        cpu_pause();
}

static void timer_fired(void)
{
    timer_program(wakeup_fired(&wakeup, rdtsc()));
}

/* AMD families 0Fh to 11h: in C1E, which the chip set enters when every core has executed HLT, the
 * timer stands still (erratum 400, "APIC Timer Interrupt Does Not Occur in Processor C-States").
 * Without C1E, HLT is C1. "BIOS and Kernel Developer's Guide", "Interrupt Pending and CMP-Halt
 * Register". */
static void leave_c1e_out(void)
{
    uint64_t pending;
    if (!hw_facts.amd || hw_facts.family > 0x11 || !rdmsr_safe(MSR_INT_PENDING, &pending) ||
        !(pending & INT_PENDING_C1E))
        return;
    wrmsr_safe(MSR_INT_PENDING, pending & ~INT_PENDING_C1E);
    if (rdmsr_safe(MSR_INT_PENDING, &pending) && (pending & INT_PENDING_C1E))
        log_warn(
            "C1E can't be switched off and stops the timer: guests may be late. Switch \"C1E\" "
            "off in the firmware's setup");
    else
        log_info("C1E switched off: it would stop the timer");
}

static void timer_init(void)
{
    irq_register(VECTOR_TIMER, timer_fired);
    leave_c1e_out();
    deadline_mode = hw_facts.tsc_deadline;
    if (deadline_mode)
        log_info("timer in TSC-deadline mode");
    else
        calibrate_one_shot();
    lapic_write(LAPIC_LVT_TIMER, VECTOR_TIMER | (deadline_mode ? LVT_TIMER_DEADLINE : 0));
    /* A deadline that overtakes this write to memory would be ignored. SDM "TSC-Deadline Mode". */
    memory_fence();
}

void hw_lapic_init(void)
{
    uint64_t apic_base;

    if (!rdmsr_safe(MSR_IA32_APIC_BASE, &apic_base) || !(apic_base & APIC_BASE_ENABLE)) {
        log_warn("the local APIC is off: waiting keeps the CPU busy");
        return;
    }
    x2apic = apic_base & APIC_BASE_X2APIC;
    xapic = apic_base & APIC_BASE_MASK;
    if (!x2apic && !paging_map_mmio(xapic, PAGE_SIZE)) {
        log_warn("no memory to map the local APIC: waiting keeps the CPU busy");
        return;
    }
    present = true;
    if (x2apic)
        log_info("x2APIC, left on by the firmware");
    lapic_write(LAPIC_SVR, SVR_ENABLE | VECTOR_SPURIOUS);
    lapic_write(LAPIC_TPR, 0);
    lapic_write(LAPIC_LVT_ERROR, LVT_MASKED | VECTOR_SPURIOUS);
    lapic_write(LAPIC_LVT_LINT0, LVT_EXTINT);
    lapic_write(LAPIC_LVT_LINT1, LVT_NMI);
    end_leftovers();
    park_others();
    timer_init();
}

bool hw_timer_present(void)
{
    return present;
}

void hw_timer_arm(uint64_t tsc_deadline)
{
    if (present)
        timer_program(wakeup_ask(&wakeup, tsc_deadline));
}

void hw_timer_interrupt(void)
{
    if (present)
        timer_program(wakeup_sleep(&wakeup, 0));
}

bool hw_timer_exact(void)
{
    return present && deadline_mode;
}

static bool timer_pending(void)
{
    return lapic_read(LAPIC_IRR + 0x10 * (VECTOR_TIMER / 32)) & BIT(VECTOR_TIMER % 32);
}

bool hw_timer_notify(uint64_t tsc_deadline)
{
    uint64_t before = wakeup_only(&wakeup, tsc_deadline);
    timer_program(tsc_deadline);
    uint64_t now = rdtsc();
    return now < tsc_deadline && !(before <= now && timer_pending());
}

void hw_sleep_until(uint64_t tsc_deadline)
{
    bool drawn = screen_draw();
    serial_send(); /* and receive nothing: a byte taken now would wait for the next interrupt */
    if (rdtsc() >= tsc_deadline)
        return;
    /* A screen that isn't finished is better to do than nothing. */
    if (!drawn || (tsc_deadline != UINT64_MAX && !present)) {
        irq_window();
        cpu_pause();
        return;
    }
    wakeup_passed(&wakeup, rdtsc());
    timer_program(wakeup_sleep(&wakeup, tsc_deadline));
    /* Interrupts are taken from the instruction after STI's successor on: none can slip in between
     * the caller's checks and the HLT without ending it. */
    __asm__ volatile("sti\n\thlt\n\tcli" : : : "memory");
}
