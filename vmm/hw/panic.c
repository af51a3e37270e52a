/* The report about a mistake of our own, on every console, for a person to read and pass on. */
#include "lib/assert.h"
#include "hw/parts.h"

#include "hw/cpu.h"
#include "lib/fmt.h"
#include "lib/log.h"

#define EXCEPTION_DOUBLE_FAULT  8
#define EXCEPTION_PAGE_FAULT    14
#define EXCEPTION_MACHINE_CHECK 18

#define MC_STATUS_VALID BIT64(63)
#define MC_MAX_BANKS    32u

static const char *const exception_names[32] = {
    [0] = "divide error",
    [1] = "debug",
    [2] = "NMI",
    [3] = "breakpoint",
    [4] = "overflow",
    [5] = "bound range exceeded",
    [6] = "invalid opcode",
    [7] = "device not available",
    [EXCEPTION_DOUBLE_FAULT] = "double fault",
    [10] = "invalid TSS",
    [11] = "segment not present",
    [12] = "stack-segment fault",
    [13] = "general protection",
    [EXCEPTION_PAGE_FAULT] = "page fault",
    [16] = "x87 floating-point error",
    [17] = "alignment check",
    [EXCEPTION_MACHINE_CHECK] = "machine check",
    [19] = "SIMD floating-point exception",
    [20] = "virtualization exception",
    [21] = "control protection",
};

static void (*print_extra)(void);
static unsigned depth;

void panic_set_extra(void (*print)(void))
{
    print_extra = print;
}

/* After a report that came to its end the log can be read; for anything else too much is broken. */
static _Noreturn void halt(void)
{
    if (depth == 1)
        console_rest();
    serial_flush();
    screen_sync();
    for (;;) {
        cli();
        cpu_hlt();
    }
}

/* A report that fails itself may not begin again for ever: the second one is a line, the third is
 * silence. */
static void begin(void)
{
    cli();
    serial_take_back(false);
    depth++;
    if (depth > 2)
        halt();
    if (depth == 2) {
        log_raw("\n... and another panic while this report was printed:\n");
        return;
    }
    log_raw("\n---- pxHV %s stopped: a mistake in pxHV itself, or broken hardware ----\n",
            PXHV_VERSION);
}

static _Noreturn void end(uint64_t rip, uint64_t rsp, uint64_t rbp)
{
    if (depth > 1)
        halt();
    log_raw("CR0 %016llx  CR2 %016llx  CR3 %016llx  CR4 %016llx\n", (unsigned long long)read_cr0(),
            (unsigned long long)read_cr2(), (unsigned long long)read_cr3(),
            (unsigned long long)read_cr4());
    trace_print(rip, rsp, rbp);
    /* What waits in the ring reaches the wire before the riskier part. */
    serial_flush();
    if (print_extra)
        print_extra();
    log_raw(
        "What to do: switch the machine off and on. Please report this text from the dashed line "
        "on (a photo\nwill do), with the machine's model, as an issue of the project.\n");
    halt();
}

_Noreturn void panic_at(const char *file, int line, const char *format, ...)
{
    char text[256];
    va_list args;

    va_start(args, format);
    fmt_vsnprintf(text, sizeof(text), format, args);
    va_end(args);

    begin();
    log_raw("%s\nat %s:%d\n", text, file, line);
    uint64_t *frame = __builtin_frame_address(0);
    log_raw("RSP %016llx  RBP %016llx\n", (unsigned long long)(uintptr_t)(frame + 2),
            (unsigned long long)frame[0]);
    end(frame[1], (uintptr_t)(frame + 2), frame[0]);
}

/* One line for each bank that holds an error. SDM "Machine-Check MSRs". */
static void print_machine_check(void)
{
    uint64_t cap, status;

    if (!rdmsr_safe(MSR_IA32_MCG_CAP, &cap))
        return;
    for (unsigned i = 0; i < (cap & 0xFF) && i < MC_MAX_BANKS; i++)
        if (rdmsr_safe(MSR_IA32_MC0_STATUS + 4 * i, &status) && (status & MC_STATUS_VALID))
            log_raw("bank %u: status %016llx\n", i, (unsigned long long)status);
}

/* CR2's place tells a stack overflow from a stray pointer. */
static void print_page_fault(uint64_t address)
{
    for (unsigned i = 0; i < STACK_COUNT; i++) {
        uint64_t guard = (uint64_t)stacks[i].guard;
        if (address >= guard && address < guard + PAGE_SIZE)
            log_raw("the %s stack has overflowed into its guard page\n", stacks[i].name);
    }
    if (address < PAGE_SIZE)
        log_raw("a null pointer was followed\n");
}

static void print_registers(const struct trap_frame *frame)
{
    const struct {
        const char *name;
        uint64_t value;
    } registers[] = {
        {"RAX", frame->rax}, {"RBX", frame->rbx},    {"RCX", frame->rcx}, {"RDX", frame->rdx},
        {"RSI", frame->rsi}, {"RDI", frame->rdi},    {"RBP", frame->rbp}, {"RSP", frame->rsp},
        {"R8 ", frame->r8},  {"R9 ", frame->r9},     {"R10", frame->r10}, {"R11", frame->r11},
        {"R12", frame->r12}, {"R13", frame->r13},    {"R14", frame->r14}, {"R15", frame->r15},
        {"RIP", frame->rip}, {"FLG", frame->rflags},
    };

    for (unsigned i = 0; i < ARRAY_SIZE(registers); i++)
        log_raw("%s %016llx%s", registers[i].name, (unsigned long long)registers[i].value,
                i % 4 == 3 || i + 1 == ARRAY_SIZE(registers) ? "\n" : "  ");
}

_Noreturn void panic_trap(const struct trap_frame *frame)
{
    const char *name = exception_names[frame->vector];
    uint64_t cr2 = read_cr2();

    begin();
    log_raw("exception %llu (%s), error code %llx", (unsigned long long)frame->vector,
            name ? name : "reserved", (unsigned long long)frame->error);
    if (frame->vector == EXCEPTION_PAGE_FAULT)
        log_raw(", address %llx", (unsigned long long)cr2);
    log_raw("\n");
    if (frame->vector == EXCEPTION_PAGE_FAULT || frame->vector == EXCEPTION_DOUBLE_FAULT)
        print_page_fault(cr2);
    if (frame->vector == EXCEPTION_MACHINE_CHECK)
        print_machine_check();
    print_registers(frame);
    end(frame->rip, frame->rsp, frame->rbp);
}
