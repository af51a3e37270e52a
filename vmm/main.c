/*
 * The boot story of the VMM, one call a line: bring up the host, turn virtualization on, build the
 * guest's machine, run it, and do what its end asks for. The only file that names a vendor.
 */
#include "vm.h"

#include "boot/verify.h"
#include "hw/cpu.h"
#include "hw/hw.h"
#include "lib/assert.h"
#include "lib/cksum.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "virt/svm/backend.h"
#include "virt/vmx/backend.h"

static struct vm vm;

/* One that comes back without a pause: a guest whose every start ends in a triple fault. */
#define TRIPLE_FAULTS_IN_A_ROW 3
#define TRIPLE_FAULT_PAUSE_NS  10000000000ull

static void print_last_exits(void)
{
    if (vm.vcpu.backend)
        vcpu_report(&vm.vcpu);
}

/* A CPU has one of them, and only that one explains a refusal. */
static const struct backend *select_backend(void)
{
    static const struct backend *const backends[] = {&vmx_backend, &svm_backend};
    const char *refusal =
        "this CPU has neither VT-x nor AMD-V: use one that has, or switch it on in the firmware "
        "(\"Intel Virtualization Technology\", \"SVM Mode\"), the emulator or the outer hypervisor";
    for (unsigned i = 0; i < ARRAY_SIZE(backends); i++)
        if (backends[i]->probe(&vm.facts, &refusal))
            return backends[i];
    vm_refuse("%s", refusal);
}

static void enable_virtualization(const struct backend *backend)
{
    const char *refusal = NULL;
    if (!backend->cpu_enable(&vm_frames, &refusal))
        vm_refuse("%s", refusal);
    vm.enabled_tsc = rdtsc();
    log_raw("%s\n", backend->enabled);
}

/* The guest is over and the machine is not: leave the report readable and ask. */
static bool ask_restart(void)
{
    log_raw("pxHV: the guest has stopped. Press r to restart it, p to power the machine off.\n");
    vm_monitor_announce(&vm);
    console_set_stopped(true);
    return vm_monitor_ask(&vm);
}

/* Whether a guest that triple-faulted is worth another start: a PC resets, over and over; a person
 * at a console wants to read why. */
static bool triple_fault_restarts(void)
{
    static unsigned in_a_row;
    uint64_t ran_ns = clock_ns(&vm.vcpu.clock, rdtsc() - (vm.launch_tsc - vm.vcpu.clock.tsc_base));
    in_a_row = ran_ns < TRIPLE_FAULT_PAUSE_NS ? in_a_row + 1 : 1;
    return in_a_row < TRIPLE_FAULTS_IN_A_ROW;
}

static void report_stop(void)
{
    vcpu_report(&vm.vcpu);
    pc_report_ports(&vm.pc);
}

/* True when the guest shall start again. */
static bool after_stop(enum vm_stop stop)
{
    switch (stop) {
    case VM_STOP_POWER_OFF:
        log_info(vm_monitor_wished(&vm) ? "switched off at the console; the guest's exits:"
                                        : "the guest powered off; its exits:");
        vcpu_report_exits(&vm.vcpu);
        pc_report_ports(&vm.pc);
        return false;
    case VM_STOP_RESET:
        log_info(vm_monitor_wished(&vm) ? "the monitor resets the guest"
                                        : "the guest asked for a reset");
        return true;
    case VM_STOP_TRIPLE_FAULT:
        report_stop();
        return triple_fault_restarts() || ask_restart();
    default:
        report_stop();
        return ask_restart();
    }
}

static void take_file(const struct manifest *manifest, const char *name, uint64_t address,
                      uint64_t size_bytes)
{
    enum manifest_verdict verdict = MANIFEST_OK;

    if (manifest->text)
        verdict = verify_file(manifest, name, (const void *)address, size_bytes);
    log_raw("  %-24s %8llu KiB  %s\n", name, (unsigned long long)(size_bytes + 1023) >> 10,
            manifest_word(verdict));
    if (verdict == MANIFEST_DAMAGED)
        vm_refuse(MANIFEST_DAMAGED_TEXT "; if you changed it, remove the line of " MANIFEST_FILE
                                        " from GRUB's menu entry",
                  name);
}

/* What our own loaders have said and checked already. */
static void greet(const struct boot_info *boot)
{
    struct manifest manifest;
    unsigned line;
    uint32_t leaf_1[4];

    if (boot->loader != BOOT_LOADER_MULTIBOOT2)
        return;
    log_raw("pxHV: Pixel Hypervisor v" PXHV_VERSION ", started by a multiboot2 loader\n");
    cpuid(1, 0, leaf_1);
    cksum_set_folding(cksum_can_fold(leaf_1[2]));
    if (!verify_open(&manifest, boot, &line))
        vm_refuse(MANIFEST_FILE " is damaged (line %u): copy it to the stick again, or remove its "
                                "line from GRUB's menu entry to boot without checks",
                  line);
    if (!manifest.text)
        log_raw("  no " MANIFEST_FILE " in GRUB's menu entry: files are not checked\n");
    if (boot->config_address)
        take_file(&manifest, "pxhv.cfg", boot->config_address, boot->config_size_bytes);
    for (uint32_t i = 0; i < boot->file_count; i++)
        if (!str_eq(boot->files[i].name, MANIFEST_FILE))
            take_file(&manifest, boot->files[i].name, boot->files[i].address,
                      boot->files[i].size_bytes);
}

/* Called by hw/entry.asm on the VMM's own stack, interrupts off. */
void vmm_main(const struct boot_info *boot)
{
    hw_init(boot);
    greet(boot);
    panic_set_extra(print_last_exits);
    vm_facts(&vm);
    const struct backend *backend = select_backend();
    enable_virtualization(backend);
    vm_create(&vm, backend, boot);

    vm_reset(&vm);
    vm_print_times(&vm, boot);
    vm_monitor_announce(&vm);
    while (after_stop(vm_run(&vm)))
        vm_reset(&vm);
    log_raw("pxHV: powering off\n");
    serial_flush();
    host_power_off();
}
