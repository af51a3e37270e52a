#define LOG_MODULE "vm"
#include "vm.h"

#include "pc/acpi/dsdt.h"
#include "pc/entry.h"
#include "pc/layout.h"

#include "hw/cpu.h"
#include "hw/hw.h"
#include "lib/fmt.h"
#include "lib/log.h"
#include "lib/mem.h"

/* --- stopping before there is a guest --------------------------------------------------------- */

_Noreturn void vm_refuse(const char *format, ...)
{
    char text[BZIMAGE_ERROR_SIZE];
    va_list args;
    va_start(args, format);
    fmt_vsnprintf(text, sizeof text, format, args);
    va_end(args);
    serial_take_back(false);
    log_raw("pxHV: error: %s\n", text);
    host_halt();
}

/* --- what the run loop and the PC ask of the host --------------------------------------------- */

static const struct host_ops host_ops = {
    .tsc = rdtsc,
    .take_interrupts = irq_window,
    .sleep_until = hw_sleep_until,
};

static hpa_t alloc_frames(void *ctx, unsigned count)
{
    (void)ctx;
    return frames_alloc(count, PAGE_SIZE);
}

struct frame_source vm_frames = {alloc_frames, NULL};

/* --- the parts of the machine ----------------------------------------------------------------- */

static void read_config(struct vm *vm, const struct boot_info *boot)
{
    static struct config config;
    struct ini_error error;
    if (!boot->config_address)
        vm_refuse("GRUB gave no pxhv.cfg: its menu needs a line \"module2 /pxhv.cfg pxhv.cfg\"");
    if (!config_parse((const char *)boot->config_address, boot->config_size_bytes, &config, &error))
        vm_refuse("pxhv.cfg line %u: %s", error.line, error.reason);
    log_set_level((enum log_level)config.log_level);
    console_set_keyboard((enum console_keyboard)config.keyboard);
    vm_monitor_init(vm, config.escape);
    vm_debug_init(vm, &config);
    vm->config = config.vm;
    vm->trace_wanted = config.trace;
}

/* Our own loaders read every file that pxhv.cfg names; GRUB reads what its menu tells it to. */
static const struct boot_file *find_file(const struct boot_info *boot, const char *name)
{
    for (unsigned i = 0; i < boot->file_count; i++)
        if (str_eq(boot->files[i].name, name))
            return &boot->files[i];
    vm_refuse("the boot loader did not hand over the file \"%s\" that pxhv.cfg names: in GRUB, its "
              "menu entry needs a \"module2\" line for it",
              name);
}

static struct guest_file guest_file(const struct boot_info *boot, const char *name)
{
    if (!name[0])
        return (struct guest_file){.name = ""};
    const struct boot_file *file = find_file(boot, name);
    return (struct guest_file){name, (const uint8_t *)file->address, file->size_bytes};
}

/* As much of [base, base + size_bytes) as this machine has room for, the largest pieces first. The
 * memory isn't cleared, as a PC's isn't: it holds what the firmware left there. */
static uint64_t add_memory(struct vm *vm, gpa_t base, uint64_t size_bytes)
{
    struct gmem *gmem = &vm->gmem;
    uint64_t done = 0;
    while (done < size_bytes && gmem->region_count < GMEM_MAX_REGIONS) {
        hpa_t host = 0;
        uint64_t piece = frames_alloc_piece(size_bytes - done, &host);
        if (piece == 0)
            break;
        log_dbg("%llu KiB of RAM at %llx are the host's at %llx", (unsigned long long)(piece >> 10),
                (unsigned long long)(base + done), (unsigned long long)host);
        gmem->region[gmem->region_count++] =
            (struct gmem_region){base + done, piece, (uint8_t *)host};
        done += piece;
    }
    return done;
}

/* A size that pxhv.cfg asks for is a promise; one that it leaves to pxHV is what there is. */
static void create_memory(struct vm *vm)
{
    uint64_t wanted = vm->config.memory_bytes;
    uint64_t got = add_memory(vm, 0, pc_low_ram_bytes(wanted));
    got += add_memory(vm, PC_HIGH_RAM_BASE, pc_high_ram_bytes(wanted));
    if (got == wanted)
        return;
    if (vm->config.memory_given || got < CONFIG_MIN_MEMORY)
        vm_refuse("the guest's memory doesn't fit: it shall have %llu MiB, and beside the files "
                  "this machine has room for %llu MiB: change \"memory\" in pxhv.cfg",
                  (unsigned long long)(wanted >> 20), (unsigned long long)(got >> 20));
    log_info("pxhv.cfg gives the guest no \"memory\": it gets the %llu MiB that there are",
             (unsigned long long)(got >> 20));
    vm->config.memory_bytes = got;
}

/* The guest's RAM with the types that the host's MTRRs give it; nothing else is ever mapped. */
static void map_memory(struct vm *vm)
{
    for (unsigned i = 0; i < vm->gmem.region_count; i++) {
        const struct gmem_region *region = &vm->gmem.region[i];
        for (uint64_t done = 0, piece; done < region->size_bytes; done += piece) {
            struct mapping mapping = {
                .gpa = region->base + done,
                .hpa = (hpa_t)region->host + done,
                .rights = MAP_READ | MAP_WRITE | MAP_EXEC,
            };
            mapping.type = (enum map_type)mtrr_type(mapping.hpa, region->size_bytes - done, &piece);
            mapping.size_bytes = piece;
            if (!vm->vcpu.backend->map(&vm->vcpu, &mapping))
                vm_refuse(
                    "no memory left for the guest's page tables: lower \"memory\" in pxhv.cfg");
        }
    }
}

static void create_disks(struct vm *vm, const struct boot_info *boot)
{
    for (unsigned i = 0; i < vm->config.disk_count; i++) {
        const struct boot_file *file = find_file(boot, vm->config.disk[i]);
        char id[sizeof vm->disk[i].backend.id + 1];
        fmt_snprintf(id, sizeof id, "pxhv-%s", vm->config.disk[i]);
        ramdisk_init(&vm->disk[i], (void *)file->address, file->size_bytes, false, id);
        vm->disk_backend[i] = vm->disk[i].backend;
        log_info("vd%c is %s, %llu KiB in RAM: what the guest writes is lost at power-off", 'a' + i,
                 vm->config.disk[i], (unsigned long long)(file->size_bytes >> 10));
    }
}

/* By pxhv.cfg's "apicv", and by what the CPU can. */
static enum vapic_help apic_help(const struct vm *vm, const struct backend *backend)
{
    enum vapic_help help = backend->apic_help();
    if (help > (enum vapic_help)vm->config.apicv)
        help = (enum vapic_help)vm->config.apicv;
    const char *name = backend->apic_help_name[help];
    log_info("the CPU's help for the guest's local APIC: %s", name ? name : "none");
    return help;
}

/* For the registers, or for what is posted. */
static uint32_t *alloc_apic_page(void)
{
    hpa_t page = frames_alloc(1, PAGE_SIZE);
    if (!page)
        vm_refuse("no memory left for the guest's local APIC: lower \"memory\" in pxhv.cfg");
    return (uint32_t *)page;
}

static void create_pc(struct vm *vm, const struct backend *backend, const struct boot_info *boot)
{
    int64_t epoch = 0;
    if (!rtc_read_epoch(&epoch))
        log_warn("the host has no clock that tells the date: the guest begins in 1970");
    const char *random = random_init();
    if (random)
        log_info("the guest's virtio-rng draws from %s", random);
    else
        log_info("this CPU has no RDSEED and no RDRAND that works: the guest gets no virtio-rng");
    enum vapic_help help = apic_help(vm, backend);
    const struct pc_config config = {
        .gmem = &vm->gmem,
        .memory_bytes = vm->config.memory_bytes,
        .kernel = guest_file(boot, vm->config.kernel),
        .initrd = guest_file(boot, vm->config.initrd),
        .cmdline = vm->config.cmdline,
        .dsdt = acpi_dsdt,
        .dsdt_size_bytes = acpi_dsdt_size(),
        .disk = vm->disk_backend,
        .disk_count = vm->config.disk_count,
        .com1 = {vm_console_put, vm},
        .hvc = {vm_console_put_block, vm_console_size, vm},
        .entropy = random ? random_fill : NULL,
        .rtc_epoch_s = epoch,
        .now = vm_guest_now,
        .now_ctx = vm,
        .apic_page = alloc_apic_page(),
        .apic_posted = help == VAPIC_POSTED ? alloc_apic_page() : NULL,
        .apic_help = help,
        .apic_timer_hz = cpuid_crystal_hz(&vm->facts),
        .physical_address_mask = vm->facts.physical_address_mask,
        .host_events = vm_host_events,
        .host_deadline = vm_host_deadline,
        .host_advance = vm_host_advance,
        .debug_stopped = vm_debug_stopped,
        .host_ctx = vm,
    };
    pc_init(&vm->pc, &config);
}

/* The long ring's memory is taken when it is wanted first. */
bool vm_trace(struct vm *vm, bool on)
{
    if (on && !vm->vcpu.trace.long_ring)
        trace_alloc(&vm->vcpu.trace, &vm_frames);
    return trace_set(&vm->vcpu, on);
}

static void create_vcpu(struct vm *vm, const struct backend *backend)
{
    vm->vcpu.facts = &vm->facts;
    vm->vcpu.host = &host_ops;
    pc_connect(&vm->pc, &vm->vcpu);
    if (!vcpu_create(&vm->vcpu, backend, &vm_frames))
        vm_refuse("no memory left for the guest's CPU: lower \"memory\" in pxhv.cfg");
    if (!vm_trace(vm, vm->trace_wanted))
        vm_refuse("no memory left for the trace of exits: lower \"memory\" in pxhv.cfg, or say "
                  "\"trace = off\" there");
    vm_debug_start(vm);
}

static void describe_profile(struct vm *vm, const struct boot_info *boot)
{
    vm->profile = (struct profile_source){
        .vcpu = &vm->vcpu,
        .snapshot = vm->debug_line ? vm_debug_memory(sizeof(struct account)) : NULL,
        .ports = &vm->pc.pio,
        .mmio = &vm->pc.mmio,
        .guest = vm->config.name,
        .memory_bytes = vm->config.memory_bytes,
        .stage2_tsc = boot->tsc_stage2,
        .loaded_tsc = boot->tsc_loaded,
        .enabled_tsc = vm->enabled_tsc,
    };
}

/* --- the public face -------------------------------------------------------------------------- */

static enum cpu_vendor vendor(void)
{
    if (hw_facts.amd)
        return CPU_VENDOR_AMD;
    return str_eq(hw_facts.vendor, "GenuineIntel") ? CPU_VENDOR_INTEL : CPU_VENDOR_OTHER;
}

void vm_facts(struct vm *vm)
{
    vm->facts = (struct cpu_facts){
        .vendor = vendor(),
        .tsc_hz = hw_facts.tsc_hz,
        .physical_address_mask = BIT64(hw_facts.physical_bits) - 1,
        .xcr0_allowed = hw_facts.xcr0_supported,
        .cr4_allowed = hw_facts.cr4_supported,
        .gib_pages = hw_facts.gib_pages,
        .nx = hw_facts.nx,
        .rdtscp = hw_facts.rdtscp,
        .invpcid = hw_facts.invpcid,
        .xsaves = hw_facts.xsaves,
        .patch_level = hw_facts.patch_level,
        .lfence_serializing = hw_facts.lfence_serializing,
        .cpuid = cpuid,
        .xsetbv = write_xcr0,
        .xgetbv = read_xcr0,
    };
}

void vm_create(struct vm *vm, const struct backend *backend, const struct boot_info *boot)
{
    read_config(vm, boot);
    clock_init(&vm->vcpu.clock, hw_facts.tsc_hz, rdtsc());
    create_disks(vm, boot);
    create_memory(vm);
    create_pc(vm, backend, boot);
    create_vcpu(vm, backend);
    map_memory(vm);
    describe_profile(vm, boot);
    struct frames_stats stats = frames_stats();
    log_info("%s: %llu MiB for the guest, %llu KiB resident for pxHV, %llu MiB free",
             vm->config.name, (unsigned long long)(vm->config.memory_bytes >> 20),
             (unsigned long long)(stats.resident_bytes >> 10),
             (unsigned long long)(stats.free_bytes >> 20));
}

/* A TSC begins at zero with the power. */
static unsigned long long since_power_on_us(uint64_t tsc)
{
    struct clock clock;
    clock_init(&clock, hw_facts.tsc_hz, 0);
    return clock_ns(&clock, tsc) / 1000;
}

void vm_print_times(const struct vm *vm, const struct boot_info *boot)
{
    log_info("microseconds since power-on: stage 2 %llu, files read %llu, "
             "virtualization on %llu, guest %llu",
             since_power_on_us(boot->tsc_stage2), since_power_on_us(boot->tsc_loaded),
             since_power_on_us(vm->enabled_tsc), since_power_on_us(vm->launch_tsc));
}

void vm_reset(struct vm *vm)
{
    char error[BZIMAGE_ERROR_SIZE];
    if (!pc_reset(&vm->pc, error))
        vm_refuse("%s", error);
    vcpu_reset(&vm->vcpu);
    pc_set_entry(&vm->vcpu, &vm->pc.entry);
    vm->profile.launch_tsc = vm->launch_tsc = rdtsc();
}

enum vm_stop vm_run(struct vm *vm)
{
    log_info("entering %s with %s", vm->config.name, vm->vcpu.backend->name);
    vm_console_start(vm);
    vm_monitor_guest_starts(vm);
    screen_sync(); /* if the guest's first instructions hang the machine, all of this can be read */
    enum vm_stop stop = vcpu_run(&vm->vcpu);
    vm_monitor_guest_ended(vm);
    if (stop != VM_STOP_RESET)
        vm_line_take_back(vm, false);
    return stop;
}
