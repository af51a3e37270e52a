/* needs: vmm/virt/apic.c tests/unit/fake_backend.c tests/unit/fake_script.c tests/unit/fake_virt.c vmm/virt/vcpu.c vmm/virt/report.c vmm/lib/text.c vmm/virt/account.c vmm/virt/trace.c vmm/virt/timeline.c vmm/virt/run.c vmm/virt/exit.c vmm/virt/event.c vmm/virt/cpuid.c vmm/virt/msr.c vmm/virt/pvclock.c vmm/virt/pveoi.c vmm/virt/msr_amd.c vmm/virt/cr.c vmm/virt/pio.c vmm/virt/ahead.c vmm/emu/plain.c vmm/virt/gwalk.c vmm/virt/mmio.c vmm/virt/insn.c vmm/virt/segment.c vmm/virt/task.c vmm/virt/task_load.c vmm/emu/decode.c vmm/emu/classify.c vmm/emu/opcodes.c vmm/emu/exec.c vmm/emu/alu.c vmm/lib/fmt.c */
#include "virt/virt.h"

#include "fake_backend.h"
#include "virt/x86.h"
#include "input.h"

#include <stdlib.h>
#include <string.h>

/*
 * Exits of any kind with any registers, memory and order, against the fake CPU. Input: one byte
 * that picks the mode, then commands of one byte and what they take. No exit may reach a panic;
 * RIP moves by an instruction's length or not at all, or within its page of code where more is
 * carried out; no register ends up with a value that a real
 * CPU would have refused.
 */

/* --- what hardware could report --------------------------------------------------------------- */

static struct vevent take_event(struct input *in)
{
    struct vevent event = {.type = (enum vevent_type)(take8(in) % 7)};
    event.vector = take8(in);
    event.error = take8(in);
    switch (event.type) {
    case VEVENT_NONE:
        return (struct vevent){.type = VEVENT_NONE};
    case VEVENT_NMI:
        event.vector = 2;
        break;
    case VEVENT_EXCEPTION:
        event.vector %= 32;
        event.has_error = event.error & 1;
        break;
    case VEVENT_SW_EXCEPTION:
        event.vector = 3;
        break;
    case VEVENT_PRIV_SW_EXCEPTION:
        event.vector = 1;
        break;
    default:
        break;
    }
    event.insn_len = event.type >= VEVENT_SW_INT ? 1 : 0;
    return event;
}

static void take_pio(struct input *in, struct vexit_pio *pio)
{
    uint8_t flags = take8(in);
    pio->port = (uint16_t)(take8(in) | take8(in) << 8);
    pio->size = (uint8_t)(1u << flags % 3);
    pio->in = flags & 4;
    pio->string = flags & 8;
    pio->rep = flags & 16;
    pio->linear_valid = flags & 32;
    if (pio->linear_valid) {
        pio->address_size = (uint8_t)(2u << (flags >> 6) % 3);
        pio->linear = take(in, 8);
    } else if (pio->string) {
        pio->segment = flags & 64 ? VEXIT_SEGMENT_UNKNOWN : (uint8_t)((flags >> 7) + VSEG_DS);
    }
}

static void take_exit(struct input *in, struct vexit *exit)
{
    *exit = (struct vexit){.kind = (enum vexit_kind)(take8(in) % VEXIT_KIND_COUNT)};
    uint8_t length = take8(in);
    exit->insn_len = length & 15;
    if (length & 0x80)
        exit->interrupted = take_event(in);
    switch (exit->kind) {
    case VEXIT_PIO:
        take_pio(in, &exit->pio);
        break;
    case VEXIT_CR_READ:
    case VEXIT_CR_WRITE:
        exit->cr.cr = take8(in) & 15;
        exit->cr.gpr = take8(in) & 15;
        break;
    case VEXIT_LMSW:
        exit->lmsw.msw = (uint16_t)(take8(in) | take8(in) << 8);
        break;
    case VEXIT_DR_ACCESS:
        exit->dr.dr = take8(in) & 7;
        exit->dr.gpr = take8(in) & 15;
        exit->dr.write = length & 0x40;
        break;
    case VEXIT_NPF:
        exit->npf.gpa = take(in, 8);
        exit->npf.write = length & 0x40;
        exit->npf.fetch = length & 0x20;
        break;
    case VEXIT_TASK_SWITCH:
        exit->task_switch.selector = (uint16_t)(take8(in) | take8(in) << 8);
        exit->task_switch.source = take8(in) & 3;
        break;
    case VEXIT_EXCEPTION:
        exit->exception = take_event(in);
        if (exit->exception.type < VEVENT_EXCEPTION || exit->exception.type == VEVENT_SW_INT)
            exit->exception = (struct vevent){.type = VEVENT_EXCEPTION, .vector = 17};
        exit->exception_address = take(in, 8);
        break;
    default:
        break;
    }
}

/* --- what must hold --------------------------------------------------------------------------- */

static bool never_advances(enum vexit_kind kind)
{
    switch (kind) {
    case VEXIT_HOST_IRQ:
    case VEXIT_HOST_NMI:
    case VEXIT_DEADLINE:
    case VEXIT_IRQ_WINDOW:
    case VEXIT_NMI_WINDOW:
    case VEXIT_NPF_MISCONFIG:
    case VEXIT_EXCEPTION:
    case VEXIT_TRIPLE_FAULT:
    case VEXIT_RDPMC:
    case VEXIT_VIRT_INSN:
    case VEXIT_UNDEFINED_INSN:
    case VEXIT_INIT:
    case VEXIT_SIPI:
    case VEXIT_ENTRY_FAILED:
    case VEXIT_UNKNOWN:
        return true;
    default:
        return false;
    }
}

static void check_rip(const struct vcpu *vcpu, const struct vexit *exit, uint64_t before)
{
    uint64_t moved = vcpu->rip - before;
    if (moved == 0 || exit->kind == VEXIT_TASK_SWITCH)
        return;
    check(!never_advances(exit->kind));
    check(vcpu->inject.type != VEVENT_EXCEPTION || exit->interrupted.type == VEVENT_EXCEPTION);
    uint64_t page = align_down(vcpu->rip, PAGE_SIZE);
    bool goes_on = exit->kind == VEXIT_NPF || exit->kind == VEXIT_PIO;
    if (goes_on &&
        (page == align_down(before, PAGE_SIZE) || page == align_down(before + 15, PAGE_SIZE)))
        return;
    /* 16- and 32-bit code wraps. */
    check(moved <= 15 || (uint32_t)moved <= 15 || (uint16_t)moved <= 15);
}

static void check_registers(struct fake *fake)
{
    const uint64_t *reg = fake->reg;
    uint64_t cr0 = reg[VREG_CR0], cr4 = reg[VREG_CR4], efer = reg[VREG_EFER];
    bool paging = cr0 & X86_CR0_PG;
    check(!paging || (cr0 & X86_CR0_PE));
    check(!(cr0 & X86_CR0_NW) || (cr0 & X86_CR0_CD));
    check((cr0 >> 32) == 0 && (cr0 & X86_CR0_ET));
    check((cr4 & ~0x370fbfull) == 0);
    check(!(efer & ~0xd01ull));
    check(!(efer & X86_EFER_LMA) == !(paging && (efer & X86_EFER_LME)));
    check(!(efer & X86_EFER_LMA) || (cr4 & X86_CR4_PAE));
    check(!(cr4 & X86_CR4_PCIDE) || (efer & X86_EFER_LMA));
    for (unsigned i = 0; i < 64; i += 8) {
        uint8_t type = (uint8_t)(reg[VREG_PAT] >> i);
        check(type <= 7 && type != 2 && type != 3);
    }
    uint64_t xcr0 = fake->vcpu.xcr0;
    check((xcr0 & 1) && !(xcr0 & ~0xe7ull) && fake->xcr0_loaded == xcr0);
    uint32_t leaf[4];
    cpuid_guest(&fake->vcpu, 1, 0, leaf);
    check(!(leaf[2] >> 27 & 1) == !(cr4 & X86_CR4_OSXSAVE));
    check(x86_canonical(reg[VREG_FS_BASE]) && x86_canonical(reg[VREG_GS_BASE]));
}

/* SDM "Checks on Guest Segment Registers", as far as a task switch could break them: VM entry would
 * refuse the guest. */
static void check_task(struct fake *fake, const struct vexit *exit, uint16_t old_tr)
{
    const struct vseg *seg = fake->seg, *cs = &seg[VSEG_CS], *ss = &seg[VSEG_SS];
    if (seg[VSEG_TR].selector == old_tr || exit->kind != VEXIT_TASK_SWITCH)
        return;
    check((seg[VSEG_TR].access & 0x97) == 0x83);
    check(seg[VSEG_LDTR].access == 0 || (seg[VSEG_LDTR].access & 0x9f) == 0x82);
    check((fake->vcpu.rflags & ~0x3f7fd5ull) == 2 && fake->vcpu.int_shadow == 0);
    for (unsigned i = VSEG_ES; i <= VSEG_GS; i++) {
        check((seg[i].base >> 32) == 0);
        if (fake->vcpu.rflags >> 17 & 1)
            check(seg[i].access == 0xf3 && seg[i].base == (uint64_t)seg[i].selector << 4);
        else if (seg[i].access != 0)
            check((seg[i].access & 0x91) == 0x91 && !(seg[i].access & 0xf00));
    }
    if (fake->vcpu.rflags >> 17 & 1)
        return;
    unsigned cs_dpl = cs->access >> 5 & 3, ss_dpl = ss->access >> 5 & 3;
    check((cs->access & 0x98) == 0x98 && (ss->access & 0x9a) == 0x92);
    check(cs->access & 4 ? cs_dpl <= ss_dpl : cs_dpl == ss_dpl);
}

static void check_event(const struct vcpu *vcpu)
{
    const struct vevent *event = &vcpu->inject;
    check(event->type <= VEVENT_PRIV_SW_EXCEPTION);
    check(event->type != VEVENT_EXCEPTION || event->vector < 32);
    check(vcpu->stopped == (vcpu->stop != VM_RUNNING));
    check((vcpu->stop == VM_RUNNING) == (vcpu->stop_reason[0] == '\0'));
}

/* --- commands --------------------------------------------------------------------------------- */

static void one_exit(struct fake *fake, struct input *in)
{
    struct vexit exit;
    take_exit(in, &exit);
    uint64_t before = fake->vcpu.rip;
    uint16_t old_tr = fake->seg[VSEG_TR].selector;
    exit_handle(&fake->vcpu, &exit);
    check_rip(&fake->vcpu, &exit, before);
    check_task(fake, &exit, old_tr);
    check_event(&fake->vcpu);
    check_registers(fake);
    fake->vcpu.inject.type = VEVENT_NONE; /* delivered */
}

static unsigned sleeps_left;

static void on_sleep(struct fake *fake)
{
    if (sleeps_left == 0)
        fake->stop_wanted = VM_STOP_POWER_OFF;
    else if (sleeps_left-- & 1)
        fake->vcpu.irq_high = true;
    else
        fake->tsc += 100000;
}

static void run_script(struct fake *fake, struct input *in)
{
    fake->script_len = fake->script_next = 0;
    unsigned count = take8(in) % 16;
    for (unsigned i = 0; i < count; i++)
        take_exit(in, &fake->script[fake->script_len++]);
    sleeps_left = 8;
    fake->on_sleep = on_sleep;
    enum vm_stop stop = vcpu_run(&fake->vcpu);
    check(stop != VM_RUNNING && stop == fake->vcpu.stop);
    check_registers(fake);
    vcpu_report(&fake->vcpu);
}

static void poke_memory(struct fake *fake, struct input *in)
{
    uint32_t at = take8(in) << 12 | take8(in) << 3;
    uint64_t value = take(in, 8);
    memcpy(fake->ram + at, &value, sizeof(value));
}

static void poke_state(struct fake *fake, struct input *in)
{
    uint8_t what = take8(in), value = take8(in);
    struct vcpu *vcpu = &fake->vcpu;
    switch (what % 6) {
    case 0:
        vcpu->irq_high = value & 1;
        vcpu->nmi_pending = value & 2;
        fake->irq_vector = value & 4 ? -1 : value;
        break;
    case 1:
        vcpu->rflags = 2 | (uint64_t)(value & 0xf) << 8 | (uint64_t)(value & 0x10) << 12;
        break;
    case 2: /* privilege follows SS */
        fake->seg[VSEG_SS].access = (uint16_t)(0xc093 | (value & 3) << 5);
        break;
    case 3:
        fake->vcpu.int_shadow = value & 1;
        fake->reg[VREG_NMI_BLOCKED] = value & 2;
        break;
    case 4:
        fake->next_deadline = value ? fake->tsc + value * 100u : VTIME_NEVER;
        break;
    default:
        fake->seg[VSEG_ES].base = fake->seg[VSEG_DS].base = (uint64_t)value << 16;
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fake fake;
    static const unsigned bits[] = {64, 32, 16};
    struct input in = {data, size};
    fake_init_bits(&fake, bits[take8(&in) % 3]);
    fake.tsc_step = 10;
    fake.reg[VREG_GDTR_BASE] = 0x3000;
    fake.reg[VREG_GDTR_LIMIT] = 0x3ff;
    while (in.size > 0 && fake.vcpu.stop == VM_RUNNING) {
        uint8_t command = take8(&in);
        switch (command >> 5) {
        case 0:
            fake.vcpu.gpr[command & 15] = take(&in, 8);
            break;
        case 1:
            poke_memory(&fake, &in);
            break;
        case 2:
            poke_state(&fake, &in);
            break;
        case 3:
            fake.vcpu.rip = take(&in, 8) & (command & 1 ? 0xffff : 0xffffffff);
            break;
        case 4:
            run_script(&fake, &in);
            break;
        case 5:
            fake.vcpu.gpr[command & 15] = take8(&in);
            break;
        default:
            one_exit(&fake, &in);
            break;
        }
    }
    return 0;
}
