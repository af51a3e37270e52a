/* See fake_backend.h. */
#include "fake_backend.h"

#include "virt/handlers.h"
#include "virt/x86.h"

#include <string.h>

struct fake *fake_of(struct vcpu *vcpu)
{
    return (struct fake *)((char *)vcpu - offsetof(struct fake, vcpu));
}

/* --- the backend ------------------------------------------------------------------------------ */

static bool fake_vcpu_init(struct vcpu *vcpu, struct frame_source *frames)
{
    (void)vcpu;
    return frames == NULL || frames->alloc(frames->ctx, 1) != 0;
}

static void fake_vcpu_reset(struct vcpu *vcpu)
{
    struct fake *fake = fake_of(vcpu);
    memset(fake->reg, 0, sizeof(fake->reg));
    memset(fake->seg, 0, sizeof(fake->seg));
    memset(vcpu->gpr, 0, sizeof(vcpu->gpr));
    fake->reg[VREG_CR0] = 0x60000010;
    fake->reg[VREG_PAT] = 0x0007040600070406;
    fake->seg[VSEG_CS] = (struct vseg){0xf000, 0x9b, 0xffff, 0xffff0000};
    vcpu->rip = 0xfff0;
    vcpu->rflags = 2;
    fake->resets++;
}

static void fake_run(struct vcpu *vcpu)
{
    struct fake *fake = fake_of(vcpu);
    struct vexit *exit = vcpu->trace.next;
    vcpu->entered_tsc = fake->tsc;
    if (fake->entries < FAKE_MAX_EVENTS)
        fake->entry[fake->entries] =
            (struct fake_entry){vcpu->inject,
                                {fake->window[VWINDOW_IRQ], fake->window[VWINDOW_NMI]},
                                fake->deadline_tsc,
                                fake->tsc,
                                fake->notify_tsc};
    if (vcpu->inject.type == VEVENT_IRQ)
        vcpu->rflags &= ~X86_RFLAGS_IF;
    if (vcpu->inject.type == VEVENT_NMI)
        fake->reg[VREG_NMI_BLOCKED] = 1;
    vcpu->inject = (struct vevent){.type = VEVENT_NONE};
    if (fake->on_entry)
        fake->on_entry(fake, fake->entries);
    fake->entries++;
    if (fake->script_next < fake->script_len)
        *exit = fake->script[fake->script_next++];
    else
        *exit = (struct vexit){.kind = VEXIT_TRIPLE_FAULT};
    exit->rip = vcpu->rip;
    vcpu->exited_tsc = fake->tsc;
}

static uint64_t fake_reg_get(struct vcpu *vcpu, enum vreg reg)
{
    return reg == VREG_RSP ? vcpu->gpr[VGPR_RSP] : fake_of(vcpu)->reg[reg];
}

static void fake_reg_set(struct vcpu *vcpu, enum vreg reg, uint64_t value)
{
    struct fake *fake = fake_of(vcpu);
    fake->reg[reg] = value;
    bool long_mode = (fake->reg[VREG_CR0] & X86_CR0_PG) && (fake->reg[VREG_EFER] & X86_EFER_LME);
    if (long_mode)
        fake->reg[VREG_EFER] |= X86_EFER_LMA;
    else
        fake->reg[VREG_EFER] &= ~X86_EFER_LMA;
}

static void fake_seg_get(struct vcpu *vcpu, enum vseg_name name, struct vseg *seg)
{
    *seg = fake_of(vcpu)->seg[name];
}

static void fake_seg_set(struct vcpu *vcpu, enum vseg_name name, const struct vseg *seg)
{
    fake_of(vcpu)->seg[name] = *seg;
}

static bool fake_can_take(struct vcpu *vcpu, enum vwindow window)
{
    struct fake *fake = fake_of(vcpu);
    if (fake->vcpu.int_shadow)
        return false;
    if (window == VWINDOW_NMI)
        return !fake->reg[VREG_NMI_BLOCKED];
    return (vcpu->rflags & X86_RFLAGS_IF) != 0;
}

static void fake_want_window(struct vcpu *vcpu, enum vwindow window, bool wanted)
{
    struct fake *fake = fake_of(vcpu);
    fake->window[window] = wanted;
    fake->window_calls[window]++;
}

static void fake_set_deadline(struct vcpu *vcpu, uint64_t tsc)
{
    fake_of(vcpu)->deadline_tsc = tsc;
    fake_of(vcpu)->deadline_calls++;
}

static bool fake_map(struct vcpu *vcpu, const struct mapping *mapping)
{
    (void)mapping;
    fake_of(vcpu)->maps++;
    return true;
}

static void fake_flush(struct vcpu *vcpu)
{
    fake_of(vcpu)->flushes++;
}

static void fake_dump(struct vcpu *vcpu, uint64_t error)
{
    (void)error;
    fake_of(vcpu)->dumps++;
}

static void fake_msr_open(struct vcpu *vcpu, uint32_t msr, bool writes)
{
    struct fake *fake = fake_of(vcpu);
    if (fake->opened == 64)
        return;
    fake->opened_msr[fake->opened] = msr;
    fake->opened_writes[fake->opened++] = writes;
}

/* A CPU with a trap of the hypervisor's own unless the test takes it away. */
static bool fake_debug(struct vcpu *vcpu, const struct vdebug_controls *controls)
{
    struct fake *fake = fake_of(vcpu);
    fake->controls = *controls;
    return !controls->trap || !fake->no_trap;
}

static void fake_park(struct vcpu *vcpu)
{
    fake_of(vcpu)->parks++;
}

const struct backend fake_backend = {
    .name = "fake",
    .enabled = "fake enabled",
    .park = fake_park,
    .vcpu_init = fake_vcpu_init,
    .vcpu_reset = fake_vcpu_reset,
    .run = fake_run,
    .loop = fake_loop,
    .reg_get = fake_reg_get,
    .reg_set = fake_reg_set,
    .seg_get = fake_seg_get,
    .seg_set = fake_seg_set,
    .can_take = fake_can_take,
    .want_window = fake_want_window,
    .set_deadline = fake_set_deadline,
    .map = fake_map,
    .flush = fake_flush,
    .dump = fake_dump,
    .apic = fake_apic,
    .post = fake_post,
    .msr_open = fake_msr_open,
    .debug = fake_debug,
};

/* --- the host --------------------------------------------------------------------------------- */

/* host_ops and facts carry no context: the newest fake is the one that they serve. */
static struct fake *current;

static uint64_t fake_tsc(void)
{
    uint64_t now = current->tsc;
    current->tsc += current->tsc_step;
    return now;
}

static void fake_take_interrupts(void)
{
    current->interrupts_taken++;
}

static void fake_sleep_until(uint64_t tsc_deadline)
{
    current->sleeps++;
    current->slept_until = tsc_deadline;
    if (current->on_sleep)
        current->on_sleep(current);
    else if (tsc_deadline != UINT64_MAX && current->tsc < tsc_deadline)
        current->tsc = tsc_deadline;
}

static void fake_xsetbv(uint64_t xcr0)
{
    current->xcr0_loaded = xcr0;
}

static uint64_t fake_xgetbv(void)
{
    return current->xcr0_loaded;
}

/* A made-up CPU that has everything: what the policy lets through is then the policy's doing. */
void fake_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    static const uint32_t xsave[8][4] = {
        {0xff, 576, 2696, 0}, {0xf, 576, 0x100, 0}, {256, 576, 0, 0},  {64, 960, 0, 0},
        {64, 1024, 0, 0},     {64, 1088, 0, 0},     {512, 1152, 0, 0}, {1024, 1664, 0, 0}};
    memset(out, 0, 16);
    switch (leaf) {
    case 0:
        out[0] = 0x16;
        memcpy(&out[1], "Genu", 4);
        memcpy(&out[3], "ineI", 4);
        memcpy(&out[2], "ntel", 4);
        return;
    case 1:
        out[0] = 0x50654;
        out[1] = 0x03100800; /* APIC ID 3, 16 logical CPUs, CLFLUSH 64, brand 0 */
        out[2] = out[3] = UINT32_MAX;
        return;
    case 4:
        if (subleaf < 4) {
            out[0] = 0xfc004120 | (subleaf + 1);
            out[1] = 0x01c0003f;
        }
        out[3] = 4; /* also behind the last cache */
        return;
    case 7:
        out[0] = 2;
        out[1] = out[2] = out[3] = subleaf == 0 ? UINT32_MAX : 0;
        return;
    case 0xd:
        if (subleaf < 8)
            memcpy(out, xsave[subleaf], 16);
        return;
    case 0x80000000:
        out[0] = 0x80000008;
        return;
    case 0x80000001:
        out[2] = out[3] = UINT32_MAX;
        return;
    case 0x80000002:
        memcpy(out, "Fake CPU @ 1 GHz", 16);
        return;
    case 0x80000007:
        out[3] = UINT32_MAX;
        return;
    case 0x80000008:
        out[0] = 0x3930;
        out[1] = UINT32_MAX;
        return;
    default:
        if (leaf < 0x17)
            out[0] = out[1] = out[2] = out[3] = 0x11111111 * (leaf & 0xf);
        return;
    }
}

/* --- the machine ------------------------------------------------------------------------------ */

static void fake_log_pio(struct fake *fake, struct fake_pio access)
{
    if (fake->pio_count < FAKE_MAX_PIO)
        fake->pio[fake->pio_count] = access;
    fake->pio_count++;
    if (fake->on_pio)
        fake->on_pio(fake, &access);
}

static uint32_t fake_pio_read(void *ctx, uint16_t port, unsigned size)
{
    struct fake *fake = ctx;
    uint32_t value = fake->pio_value & (uint32_t)size_mask(size);
    fake->pio_value += fake->pio_step;
    fake_log_pio(fake, (struct fake_pio){false, port, size, value});
    return value;
}

static void fake_pio_write(void *ctx, uint16_t port, unsigned size, uint32_t value)
{
    fake_log_pio(ctx, (struct fake_pio){true, port, size, value});
}

static bool fake_mmio_read(void *ctx, gpa_t gpa, unsigned size, uint64_t *value)
{
    (void)ctx;
    *value = 0x1122334455667788 & size_mask(size);
    return gpa >= 0xfee00000 && gpa < 0xfee01000;
}

static bool fake_mmio_write(void *ctx, gpa_t gpa, unsigned size, uint64_t value)
{
    (void)size;
    (void)value;
    ((struct fake *)ctx)->mmio_gpa = gpa;
    return gpa >= 0xfee00000 && gpa < 0xfee01000;
}

static bool fake_mem_read(void *ctx, gpa_t gpa, void *dst, uint64_t len)
{
    struct fake *fake = ctx;
    if (!range_fits(gpa, len, FAKE_RAM_SIZE))
        return false;
    memcpy(dst, fake->ram + gpa, len);
    return true;
}

static bool fake_mem_write(void *ctx, gpa_t gpa, const void *src, uint64_t len)
{
    struct fake *fake = ctx;
    if (!range_fits(gpa, len, FAKE_RAM_SIZE))
        return false;
    memcpy(fake->ram + gpa, src, len);
    return true;
}

static const uint8_t *fake_mem_page(void *ctx, gpa_t gpa)
{
    struct fake *fake = ctx;
    return range_fits(gpa, PAGE_SIZE, FAKE_RAM_SIZE) ? fake->ram + gpa : NULL;
}

static int fake_irq_ack(void *ctx)
{
    struct fake *fake = ctx;
    fake->acks++;
    fake->vcpu.irq_high = false;
    return fake->irq_vector;
}

static bool fake_nmi_may_come(void *ctx)
{
    return ((struct fake *)ctx)->nmi_may_come;
}

static void fake_advance(void *ctx, vtime_t now)
{
    struct fake *fake = ctx;
    fake->advances++;
    fake->advanced_to = now;
    if (fake->on_advance)
        fake->on_advance(fake, now);
}

static void fake_tsc_moved(void *ctx)
{
    ((struct fake *)ctx)->tsc_moves++;
}

static vtime_t fake_next_deadline(void *ctx)
{
    return ((struct fake *)ctx)->next_deadline;
}

static void fake_host_events(void *ctx)
{
    struct fake *fake = ctx;
    fake->host_event_calls++;
    if (fake->on_host_events)
        fake->on_host_events(fake);
}

static void fake_debug_stopped(void *ctx)
{
    struct fake *fake = ctx;
    fake->debug_stops++;
    if (fake->on_debug_stop)
        fake->on_debug_stop(fake);
}

static enum vm_stop fake_stop_request(void *ctx)
{
    struct fake *fake = ctx;
    fake->stop_requests++;
    return fake->stop_wanted;
}

/* --- set-up ----------------------------------------------------------------------------------- */

static void fake_enter_long_mode(struct fake *fake)
{
    fake->reg[VREG_CR0] = 0x80050033;
    fake->reg[VREG_CR3] = 0x2000;
    fake->reg[VREG_CR4] = 0x620 | 0x80;
    fake->reg[VREG_EFER] = 0xd01;
    fake->seg[VSEG_CS] = (struct vseg){0x10, 0xa09b, 0xffffffff, 0};
    for (unsigned i = VSEG_ES; i <= VSEG_GS; i++)
        if (i != VSEG_CS)
            fake->seg[i] = (struct vseg){0x18, 0xc093, 0xffffffff, 0};
    fake->seg[VSEG_TR] = (struct vseg){0x40, 0x8b, 0x67, 0};
    fake->vcpu.rip = 0x1000;
    fake->vcpu.rflags = 0x202;
}

void fake_init(struct fake *fake)
{
    memset(fake, 0, sizeof(*fake));
    current = fake;
    fake->facts = (struct cpu_facts){
        .tsc_hz = 1000000000,
        .physical_address_mask = (1ull << 46) - 1,
        .xcr0_allowed = 0xff,
        .cr4_allowed = UINT32_MAX,
        .gib_pages = true,
        .nx = true,
        .rdtscp = true,
        .invpcid = true,
        .xsaves = true,
        .cpuid = fake_cpuid,
        .xsetbv = fake_xsetbv,
        .xgetbv = fake_xgetbv,
    };
    fake->host = (struct host_ops){fake_tsc, fake_take_interrupts, fake_sleep_until};
    fake->tsc = 1000000;
    fake->next_deadline = fake->to_post = fake->posted = VTIME_NEVER;
    fake->irq_vector = 0x30;
    fake->apic_msr[0x1b] = 0xfee00900;
    fake->missing_page = fake->read_only_page = fake->lost_table_page = UINT64_MAX;
    fake->mmio_action = EXIT_RETRY;

    struct vcpu *vcpu = &fake->vcpu;
    vcpu->facts = &fake->facts;
    vcpu->host = &fake->host;
    vcpu->hooks = (struct vcpu_hooks){fake,
                                      fake_pio_read,
                                      fake_pio_write,
                                      fake_mmio_read,
                                      fake_mmio_write,
                                      fake_mem_read,
                                      fake_mem_write,
                                      fake_mem_page,
                                      fake_irq_ack,
                                      fake_nmi_may_come,
                                      fake_apic_read,
                                      fake_apic_write,
                                      fake_cr8_read,
                                      fake_cr8_write,
                                      fake_apic_state,
                                      fake_apic_due,
                                      fake_apic_post,
                                      fake_apic_take_back,
                                      fake_apic_event,
                                      fake_tsc_moved,
                                      fake_advance,
                                      fake_next_deadline,
                                      fake_host_events,
                                      fake_stop_request,
                                      fake_debug_stopped};
    clock_init(&vcpu->clock, 1000000000, fake->tsc);
    vcpu_create(vcpu, &fake_backend, NULL);
    vcpu_reset(vcpu);
    fake_enter_long_mode(fake);
}

void fake_init_bits(struct fake *fake, unsigned code_bits)
{
    fake_init(fake);
    if (code_bits == 64)
        return;
    fake->reg[VREG_CR0] = code_bits == 32 ? 0x11 : 0x10;
    fake->reg[VREG_CR4] = 0;
    fake->reg[VREG_EFER] = 0;
    fake->seg[VSEG_CS].access = code_bits == 32 ? 0xc09b : 0x9b;
    fake->seg[VSEG_CS].limit = code_bits == 32 ? 0xffffffff : 0xffff;
}
