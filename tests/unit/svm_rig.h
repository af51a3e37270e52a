/*
 * virt/svm as a whole, on a CPU of C: stand-ins for its privileged instructions, and in the place
 * of VMRUN a function of the test that finds the VMCB as the CPU would and changes it as an exit
 * does. The sources are included, so that their calls can be led elsewhere.
 */
#ifndef TESTS_SVM_RIG_H
#define TESTS_SVM_RIG_H

#define LOG_MODULE "svm" /* as the sources have it */

#include "hw/cpu.h"
#include "hw/hw.h"
#include "lib/mem.h"
#include "virt/svm/backend.h"
#include "virt/svm/svm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define RIG_FRAMES  64
#define RIG_ENTRIES 64

struct rig {
    struct vcpu vcpu;
    struct cpu_facts facts;
    struct svm_vcpu *state;
    struct vmcb *vmcb;

    /* The CPU. CPUID: leaf 80000000h plus index, EAX EBX ECX EDX. */
    uint32_t leaf[0x20][4];
    bool vm_cr_readable, efer_writable, apic, tcg;
    uint64_t vm_cr, efer, hsave, tsc_aux, cr4, dr[4], dr7, deadline;
    bool gif;
    const void *loaded; /* whose FS, GS, TR and system call MSRs the CPU holds */
    unsigned vmloads, vmsaves, timer_interrupts;

    void (*guest)(struct vmcb *vmcb); /* runs until an exit; NULL: exits with CPUID at once */
    unsigned entries;
    struct vmcb entry[RIG_ENTRIES]; /* the VMCB as each VMRUN found it */
    struct vexit exit;              /* the last one */

    unsigned frames;
};

static struct rig rig;
static _Alignas(PAGE_SIZE) uint8_t rig_memory[RIG_FRAMES][PAGE_SIZE];

/* --- the instructions ------------------------------------------------------------------------- */

static inline void rig_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    (void)subleaf;
    memset(out, 0, 16);
    if (leaf == 1 && rig.tcg)
        out[2] = 1u << 31;
    if (leaf == 0x40000000 && rig.tcg)
        memcpy(out + 1, "TCGTCGTCGTCG", 12);
    if (leaf - 0x80000000u < ARRAY_SIZE(rig.leaf))
        memcpy(out, rig.leaf[leaf - 0x80000000u], 16);
}

static inline bool rig_rdmsr_safe(uint32_t msr, uint64_t *value)
{
    *value = msr == 0xC0010114 ? rig.vm_cr : rig.efer;
    return msr != 0xC0010114 || rig.vm_cr_readable;
}

static inline uint64_t rig_rdmsr(uint32_t msr)
{
    uint64_t value;
    assert_true(rig_rdmsr_safe(msr, &value));
    return value;
}

static inline bool rig_wrmsr_safe(uint32_t msr, uint64_t value)
{
    switch (msr) {
    case 0xC0010114: /* VM_CR: with LOCK set, SVMDIS stays */
        rig.vm_cr = rig.vm_cr & 8 ? (value & ~0x18ull) | (rig.vm_cr & 0x18) : value;
        return true;
    case 0xC0000080: /* EFER.SVME: refused while SVMDIS is set */
        if (!rig.efer_writable || ((value & 0x1000) && (rig.vm_cr & 0x10)))
            return false;
        rig.efer = value;
        return true;
    case 0xC0010117:
        rig.hsave = value;
        return true;
    default:
        assert_int_equal(msr, 0xC0000103);
        rig.tsc_aux = value;
        return true;
    }
}

static inline void rig_wrmsr(uint32_t msr, uint64_t value)
{
    assert_true(rig_wrmsr_safe(msr, value));
}

static inline uint64_t rig_read_cr4(void)
{
    return rig.cr4;
}

static inline uint64_t rig_read_dr(unsigned n)
{
    return rig.dr[n];
}

static inline void rig_write_dr(unsigned n, uint64_t value)
{
    rig.dr[n] = value;
}

static inline void rig_write_dr7(uint64_t value)
{
    rig.dr7 = value;
}

static inline void rig_vmload(hpa_t vmcb)
{
    rig.loaded = (const void *)vmcb;
    rig.vmloads++;
}

static inline void rig_vmsave(hpa_t vmcb)
{
    (void)vmcb;
    rig.vmsaves++;
}

static inline void rig_clgi(void)
{
    rig.gif = false;
}

static inline void rig_stgi(void)
{
    rig.gif = true;
}

/* What the CPU does at an entry and at an exit, as far as the code can tell. */
static inline struct vcpu *rig_enter(struct vcpu *vcpu, hpa_t pa)
{
    struct vmcb *vmcb = (struct vmcb *)pa;
    assert_ptr_equal(vcpu, &rig.vcpu);
    assert_false(rig.gif);
    assert_ptr_equal(rig.loaded, vmcb);
    assert_in_range(rig.entries, 0, RIG_ENTRIES - 1);
    rig.entry[rig.entries++] = *vmcb;
    vmcb->control.exit_code = 0x72;
    vmcb->control.exit_info_1 = vmcb->control.exit_info_2 = 0;
    vmcb->control.exit_int_info = vmcb->control.next_rip = 0;
    vmcb->control.event_inj &= ~(1ull << 31);
    if (rig.guest)
        rig.guest(vmcb);
    return vcpu;
}

void hw_timer_arm(uint64_t tsc_deadline)
{
    rig.deadline = tsc_deadline;
}

void hw_timer_interrupt(void)
{
    rig.timer_interrupts++;
}

bool hw_timer_present(void)
{
    return rig.apic;
}

#define cpuid      rig_cpuid
#define rdmsr      rig_rdmsr
#define wrmsr      rig_wrmsr
#define rdmsr_safe rig_rdmsr_safe
#define wrmsr_safe rig_wrmsr_safe
#define read_cr4   rig_read_cr4
#define read_dr    rig_read_dr
#define write_dr   rig_write_dr
#define write_dr7  rig_write_dr7
#define vmload     rig_vmload
#define vmsave     rig_vmsave
#define clgi       rig_clgi
#define stgi       rig_stgi
#define svm_enter  rig_enter

/* Step two of an exit isn't part of this: virt/exit_loop.h is left out. */
#define VIRT_EXIT_LOOP_H
#define EXIT_INLINE          static inline
#define exit_loop(vcpu, run) run(vcpu)

#include "virt/svm/backend.c"
#include "virt/svm/caps.c"
#include "virt/svm/control.c"
#include "virt/svm/dump.c"
#include "virt/svm/exit.c"
#include "virt/svm/nmi.c"
#include "virt/svm/paging.c"
#include "virt/svm/state.c"
#include "virt/svm/virq.c"

/* --- the machine ------------------------------------------------------------------------------ */

static inline hpa_t rig_frames_alloc(void *ctx, unsigned count)
{
    (void)ctx;
    assert_in_range(rig.frames + count, 0, RIG_FRAMES);
    uint8_t *frame = rig_memory[rig.frames];
    rig.frames += count;
    return (hpa_t)frame;
}

static struct frame_source rig_frames = {rig_frames_alloc, NULL};

/* A CPU with all that CPUID's `features` (leaf 8000000Ah, EDX) says, switched on by nobody yet. */
static inline void rig_cpu(uint32_t features, uint32_t asids)
{
    memset(&rig, 0, sizeof rig);
    memset(rig_memory, 0, sizeof rig_memory);
    memset(&svm_caps, 0, sizeof svm_caps);
    rig.leaf[0][0] = 0x8000001F;
    rig.leaf[1][2] = 1u << 2;
    rig.leaf[10][1] = asids;
    rig.leaf[10][3] = features;
    rig.vm_cr_readable = rig.efer_writable = rig.apic = rig.gif = true;
    rig.efer = 0xD01;
    rig.cr4 = 0x60; /* PAE, MCE */
}

/* The same with a guest that has been reset: registers are as after power-on. */
static inline void rig_guest(uint32_t features, uint32_t asids)
{
    const char *refusal = NULL;
    rig_cpu(features, asids);
    assert_true(svm_backend.probe(&rig.facts, &refusal));
    assert_true(svm_backend.cpu_enable(&rig_frames, &refusal));
    rig.vcpu.facts = &rig.facts;
    rig.vcpu.backend = &svm_backend;
    rig.facts.physical_address_mask = (1ull << 40) - 1;
    rig.facts.cr4_allowed = 0x3706FF;
    assert_true(svm_backend.vcpu_init(&rig.vcpu, &rig_frames));
    svm_backend.vcpu_reset(&rig.vcpu);
    rig.state = svm_state(&rig.vcpu);
    rig.vmcb = rig.state->vmcb;
}

/* One round trip; the VMCB that VMRUN found. */
static inline const struct vmcb *rig_run(void)
{
    memset(&rig.exit, 0xA5, sizeof rig.exit);
    rig.vcpu.trace.next = &rig.exit;
    svm_backend.run(&rig.vcpu);
    return &rig.entry[rig.entries - 1];
}

/* Bits of CPUID 8000000Ah EDX */
#define NP     0x01u
#define NRIP   0x08u
#define CLEAN  0x20u
#define FLUSH  0x40u
#define DECODE 0x80u

#endif
