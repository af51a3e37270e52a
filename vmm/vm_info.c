/* What the monitor's "info" tells about the machine. */
#include "vm.h"

#include "dev/describe.h"
#include "hw/cpu.h"
#include "hw/hw.h"
#include "lib/log.h"
#include "lib/text.h"
#include "virt/debug.h"
#include "virt/x86.h"

/* Of the log at a time, so that the newest lines are never the ones that are cut. */
#define LOG_BYTES (MONITOR_ANSWER_MAX - 4096u)

typedef unsigned long long ull;

/* --- the CPU and its time --------------------------------------------------------------------- */

static const char *mode_name(struct vcpu *vcpu)
{
    uint64_t cr0 = vcpu->backend->reg_get(vcpu, VREG_CR0);
    bool long_mode = vcpu->backend->reg_get(vcpu, VREG_EFER) & X86_EFER_LMA;

    if (!(cr0 & X86_CR0_PE))
        return "real mode";
    if (long_mode)
        return vcpu_code_bits(vcpu) == 64 ? "64-bit code" : "compatibility mode";
    return cr0 & X86_CR0_PG ? "protected mode with paging" : "protected mode without paging";
}

static const char *activity(const struct vcpu *vcpu)
{
    if (vcpu->stop != VM_RUNNING)
        return "ended";
    if (vdebug_stopped(vcpu))
        return vcpu->halted ? "paused in HLT" : "paused";
    return vcpu->halted ? "in HLT" : "running";
}

static void print_cpu(void *ctx, struct byte_sink out)
{
    struct vcpu *vcpu = &((struct vm *)ctx)->vcpu;

    text_printf(out, "host: %s, TSC at %u.%03u MHz; the guest runs by %s\n",
                hw_facts.brand[0] ? hw_facts.brand : hw_facts.vendor,
                (unsigned)(hw_facts.tsc_hz / 1000000), (unsigned)(hw_facts.tsc_hz / 1000 % 1000),
                vcpu->backend->name);
    text_printf(out, "vCPU 0: %s, %s, CPL %u, RIP %llx\n", activity(vcpu), mode_name(vcpu),
                vcpu_cpl(vcpu), (ull)vcpu->rip);
    text_printf(out, "interrupts %s%s, INT is %s%s%s\n",
                vcpu->rflags & X86_RFLAGS_IF ? "on" : "off",
                vcpu->int_shadow ? " (shadow of STI or MOV SS)" : "",
                vcpu->irq_high ? "high" : "low", vcpu->nmi_pending ? ", an NMI waits" : "",
                vcpu->backend->reg_get(vcpu, VREG_NMI_BLOCKED) ? ", NMIs are blocked" : "");
    if (vcpu->stop != VM_RUNNING)
        text_printf(out, "ended: %s: %s\n", vm_stop_name(vcpu->stop), vcpu->stop_reason);
}

static void print_time(void *ctx, struct byte_sink out)
{
    struct vm *vm = ctx;
    vtime_t now = vm_guest_now(vm);
    ull ms = now / 1000000;

    uint64_t tsc = vdebug_stopped(&vm->vcpu) ? vm->vcpu.debug.stopped_tsc : rdtsc();

    text_printf(out, "guest time %llu.%03llu s, TSC %llx, the host's %llx\n", ms / 1000, ms % 1000,
                (ull)(tsc + vm->vcpu.backend->reg_get(&vm->vcpu, VREG_TSC_OFFSET)), (ull)rdtsc());
    describe_rtc(&vm->pc.rtc, now, out);
}

static void print_version(void *ctx, struct byte_sink out)
{
    (void)ctx;
    text_printf(out, "pxHV %s, built by %s\n", PXHV_VERSION, __VERSION__);
}

/* --- memory ----------------------------------------------------------------------------------- */

static void print_memory(void *ctx, struct byte_sink out)
{
    const struct vm *vm = ctx;
    struct frames_stats stats = frames_stats();

    text_printf(out, "guest %llu MiB, pxHV %llu KiB, free %llu MiB\n",
                (ull)(vm->config.memory_bytes >> 20), (ull)(stats.resident_bytes >> 10),
                (ull)(stats.free_bytes >> 20));
    for (unsigned i = 0; i < vm->gmem.region_count; i++) {
        const struct gmem_region *region = &vm->gmem.region[i];
        text_printf(out, "guest %10llx-%-10llx host %llx\n", (ull)region->base,
                    (ull)(region->base + region->size_bytes - 1), (ull)(hpa_t)region->host);
    }
    for (unsigned i = 0; i < vm->pc.e820.count; i++) {
        const struct e820_entry *entry = &vm->pc.e820.entry[i];
        text_printf(out, "E820  %10llx-%-10llx %s\n", (ull)entry->base,
                    (ull)(entry->base + entry->size_bytes - 1),
                    entry->type == E820_USABLE ? "usable" : "reserved");
    }
}

/* --- exits ------------------------------------------------------------------------------------ */

/* What they cost, and how many a second there were since that was shown last. */
static void print_exits(void *ctx, struct byte_sink out)
{
    static uint64_t shown, shown_tsc;
    static struct account copy;
    const struct vcpu *vcpu = &((struct vm *)ctx)->vcpu;
    uint64_t tsc = rdtsc(), ms = max_u64((tsc - shown_tsc) / (hw_facts.tsc_hz / 1000), 1);

    account_snapshot(&vcpu->account, tsc, &copy);
    text_printf(out, "%llu exits, %llu a second\n", (ull)vcpu->exits,
                (ull)((vcpu->exits - shown) * 1000 / ms));
    vcpu_print_exits(vcpu, &copy, out);
    shown = vcpu->exits;
    shown_tsc = tsc;
}

/* --- devices ---------------------------------------------------------------------------------- */

static void print_devices(void *ctx, struct byte_sink out)
{
    const struct vm *vm = ctx;

    text_printf(out, "ports:\n");
    describe_bus(&vm->pc.pio, out);
    text_printf(out, "memory:\n");
    describe_bus(&vm->pc.mmio, out);
    text_printf(out, "COM1: ");
    describe_uart(&vm->pc.com1, out);
    text_printf(out, "typed, waiting for it: %u bytes; said, waiting to be shown: %u\n",
                ring_count(&vm->mon.to_guest), ring_count(&vm->mon.from_guest));
    text_printf(out, "i8042: ");
    describe_i8042(&vm->pc.i8042, out);
    text_printf(out, "ACPI: ");
    describe_pm(&vm->pc.pm, out);
}

static void print_pic(void *ctx, struct byte_sink out)
{
    describe_pic(&((struct vm *)ctx)->pc.pic, out);
}

static void print_apic(void *ctx, struct byte_sink out)
{
    const struct vm *vm = ctx;

    describe_lapic(&vm->pc.lapic, out);
    describe_ioapic(&vm->pc.ioapic, out);
}

static void print_pit(void *ctx, struct byte_sink out)
{
    describe_pit(&((struct vm *)ctx)->pc.pit, vm_guest_now(ctx), out);
}

static void print_pci(void *ctx, struct byte_sink out)
{
    describe_pci(&((struct vm *)ctx)->pc.pci, out);
}

static void print_virtio(void *ctx, struct byte_sink out)
{
    const struct vm *vm = ctx;

    for (unsigned i = 0; i < vm->config.disk_count; i++)
        describe_virtio(&vm->pc.blk_pci[i], out);
    describe_virtio(&vm->pc.hvc_pci, out);
    if (vm->pc.config.entropy)
        describe_virtio(&vm->pc.rng_pci, out);
}

static void print_disks(void *ctx, struct byte_sink out)
{
    const struct vm *vm = ctx;

    for (unsigned i = 0; i < vm->config.disk_count; i++) {
        text_printf(out, "vd%c ", 'a' + i);
        describe_blk(&vm->pc.blk[i], out);
    }
    if (vm->config.disk_count == 0)
        text_printf(out, "the guest has no disk\n");
}

/* --- the log ---------------------------------------------------------------------------------- */

/* The log has names out of files in it, but no control characters but tab and line feed. */
void vm_print_log(void *ctx, struct byte_sink out, unsigned lines)
{
    uint64_t begin = log_begin(), end = log_end(), at = end;
    (void)ctx;

    /* A line feed ends a line: the newest one belongs to the newest line. */
    while (at > begin && end - at < LOG_BYTES && (at == end || log_at(at - 1) != '\n' || --lines))
        at--;
    for (; at < end; at++)
        out.put(out.ctx, log_at(at));
    if (end > begin && log_at(end - 1) != '\n')
        out.put(out.ctx, '\n');
}

const struct monitor_topic vm_topics[] = {
    {"cpu", "what the virtual CPU is doing", print_cpu},
    {"memory", "the guest's memory and where it lies", print_memory},
    {"exits", "how often the guest came out, and why", print_exits},
    {"devices", "who answers where; serial port, keyboard, ACPI", print_devices},
    {"apic", "the local APIC and the I/O APIC", print_apic},
    {"pic", "the 8259As", print_pic},
    {"pit", "the timer's counters", print_pit},
    {"pci", "the functions of the PCI bus", print_pci},
    {"virtio", "the virtio devices and their queues", print_virtio},
    {"disks", "the disks and what was read and written", print_disks},
    {"log", "what pxHV has printed: 20 lines, or \"info log N\"", NULL},
    {"version", "of pxHV", print_version},
    {"time", "the guest's clocks", print_time},
};

const unsigned vm_topic_count = ARRAY_SIZE(vm_topics);
