/*
 * Port I/O: IN, OUT, INS, OUTS. A string instruction is carried out item by item, each with its
 * registers, so that a fault, a batch's end or an interrupt finds it restartable.
 *
 * VT-x gives the linear address of the first item, whose segment it has checked; a limit that later
 * items would cross isn't looked at. AMD-V names the segment, if that: then every item is checked.
 */
#define LOG_MODULE "pio"
#include "virt/handlers.h"
#include "virt/insn.h"
#include "virt/x86.h"

/* So much of a REP string is done per exit; then the loop gets to look at interrupts. */
#define STRING_BATCH_BYTES 4096u

/* Selects what the next access, to another port, is about. */
#define PCI_CONFIG_ADDRESS 0xCF8u

/* --- one item --------------------------------------------------------------------------------- */

static void merge_accumulator(struct vcpu *vcpu, unsigned size, uint32_t value)
{
    uint64_t *rax = &vcpu->gpr[VGPR_RAX];
    if (size == 4)
        *rax = value; /* a 32-bit result clears the upper half */
    else
        *rax = (*rax & ~size_mask(size)) | (value & size_mask(size));
}

/* Not inline, like all that isn't a byte: a byte's exit is not to pay for it. */
static __attribute__((noinline)) enum exit_action wide(struct vcpu *vcpu,
                                                       const struct vexit_pio *pio)
{
    if (pio->in) {
        uint32_t value = vcpu->hooks.pio_read(vcpu->hooks.ctx, pio->port, pio->size);
        merge_accumulator(vcpu, pio->size, value);
    } else {
        uint32_t value = (uint32_t)(vcpu->gpr[VGPR_RAX] & size_mask(pio->size));
        vcpu->hooks.pio_write(vcpu->hooks.ctx, pio->port, pio->size, value);
    }
    return EXIT_ADVANCE;
}

/* --- strings ---------------------------------------------------------------------------------- */

struct string_io {
    struct vcpu *vcpu;
    const struct vexit_pio *pio;
    unsigned code_bits;
    unsigned access;        /* GWALK_* */
    uint64_t mask;          /* of the address size */
    uint64_t *index;        /* rSI or rDI */
    gva_t base;             /* with linear_valid: the segment's */
    enum vseg_name segment; /* without */
    gva_t page;             /* translation of the page used last */
    gpa_t page_gpa;
    bool page_valid;
    enum exit_action refusal; /* why an item failed */
};

/* Writes rCX, rSI or rDI as an instruction of the address size does. */
static void set_counter(uint64_t *reg, uint64_t mask, uint64_t value)
{
    if (mask == 0xffff)
        *reg = (*reg & ~mask) | (value & mask);
    else
        *reg = value & mask;
}

static bool refuse(struct string_io *io, enum exit_action action)
{
    io->refusal = action;
    return false;
}

/* The linear addresses of an item's first and last byte, which are canonical. */
static bool item_linear(struct string_io *io, gva_t *first, gva_t *last)
{
    struct vcpu *vcpu = io->vcpu;
    struct segment_access access = {io->segment, *io->index & io->mask, io->pio->size, io->pio->in};
    if (io->pio->linear_valid) {
        *first = io->base + access.offset;
    } else {
        enum exit_action action = segment_linear(vcpu, io->code_bits, &access, first);
        if (action != EXIT_ADVANCE)
            return refuse(io, action);
    }
    *last = *first + access.size - 1;
    if (io->code_bits != 64) {
        *first = (uint32_t)*first;
        *last = (uint32_t)*last;
    }
    if (vcpu_is_canonical(vcpu, *first) && vcpu_is_canonical(vcpu, *last))
        return true;
    return refuse(io, inject_exception_error(vcpu, X86_GP, 0));
}

/* The guest physical address of one byte. */
static bool translate(struct string_io *io, gva_t linear, gpa_t *gpa)
{
    gva_t page = align_down(linear, PAGE_SIZE);
    if (!io->page_valid || page != io->page) {
        struct gwalk_result walk = gwalk(io->vcpu, page, io->access);
        if (walk.status == GVA_FAULT)
            return refuse(io, inject_page_fault(io->vcpu, linear, walk.error));
        if (walk.status == GVA_NOT_RAM) {
            vcpu_stop(io->vcpu, VM_STOP_BAD_ACCESS,
                      "string I/O through a page table entry at 0x%llx, outside of RAM",
                      (unsigned long long)walk.gpa);
            return refuse(io, EXIT_STOP);
        }
        io->page = page;
        io->page_gpa = align_down(walk.gpa, PAGE_SIZE);
        io->page_valid = true;
    }
    *gpa = io->page_gpa + (linear & (PAGE_SIZE - 1));
    return true;
}

/* Translates the first and the last byte: an item may lie across two pages. */
static bool translate_item(struct string_io *io, gpa_t *first, unsigned *first_bytes, gpa_t *rest)
{
    gva_t linear, last;
    unsigned size = io->pio->size;
    if (!item_linear(io, &linear, &last))
        return false;
    unsigned in_page = PAGE_SIZE - (unsigned)(linear & (PAGE_SIZE - 1));
    *first_bytes = in_page < size ? in_page : size;
    if (!translate(io, linear, first))
        return false;
    return *first_bytes == size || translate(io, align_down(last, PAGE_SIZE), rest);
}

/* RAM first; what isn't RAM is a device's, byte by byte, or nothing that answers. */
static void memory_read(struct vcpu *vcpu, gpa_t gpa, uint8_t *dst, unsigned len)
{
    if (vcpu->hooks.mem_read(vcpu->hooks.ctx, gpa, dst, len))
        return;
    for (unsigned i = 0; i < len; i++) {
        uint64_t value = 0xff;
        if (!vcpu->hooks.mmio_read(vcpu->hooks.ctx, gpa + i, 1, &value))
            value = 0xff;
        dst[i] = (uint8_t)value;
    }
}

static void memory_write(struct vcpu *vcpu, gpa_t gpa, const uint8_t *src, unsigned len)
{
    if (vcpu->hooks.mem_write(vcpu->hooks.ctx, gpa, src, len))
        return;
    for (unsigned i = 0; i < len; i++)
        vcpu->hooks.mmio_write(vcpu->hooks.ctx, gpa + i, 1, src[i]);
}

/* False with io->refusal set; the port was not touched then. */
static bool string_item(struct string_io *io)
{
    struct vcpu *vcpu = io->vcpu;
    const struct vexit_pio *pio = io->pio;
    uint8_t bytes[4];
    gpa_t first, rest = 0;
    unsigned first_bytes;
    if (!translate_item(io, &first, &first_bytes, &rest))
        return false;
    if (pio->in) {
        uint32_t value = vcpu->hooks.pio_read(vcpu->hooks.ctx, pio->port, pio->size);
        for (unsigned i = 0; i < 4; i++)
            bytes[i] = (uint8_t)(value >> 8 * i);
        memory_write(vcpu, first, bytes, first_bytes);
        if (first_bytes < pio->size)
            memory_write(vcpu, rest, bytes + first_bytes, pio->size - first_bytes);
    } else {
        memory_read(vcpu, first, bytes, first_bytes);
        if (first_bytes < pio->size)
            memory_read(vcpu, rest, bytes + first_bytes, pio->size - first_bytes);
        uint32_t value = 0;
        for (unsigned i = 0; i < pio->size; i++)
            value |= (uint32_t)bytes[i] << 8 * i;
        vcpu->hooks.pio_write(vcpu->hooks.ctx, pio->port, pio->size, value);
    }
    return true;
}

/* INS goes through ES whatever its prefixes say; in 64-bit code only FS and GS differ from DS. */
static enum exit_action string_segment(struct string_io *io)
{
    io->segment = VSEG_ES;
    if (io->pio->in)
        return EXIT_ADVANCE;
    io->segment = (enum vseg_name)io->pio->segment;
    if (io->pio->segment > VSEG_GS) {
        enum exit_action action = insn_outs_segment(io->vcpu, &io->segment);
        if (action != EXIT_ADVANCE)
            return action;
    }
    if (io->code_bits == 64 && io->segment != VSEG_FS && io->segment != VSEG_GS)
        io->segment = VSEG_DS;
    return EXIT_ADVANCE;
}

static enum exit_action string_begin(struct string_io *io)
{
    struct vcpu *vcpu = io->vcpu;
    io->code_bits = vcpu_code_bits(vcpu);
    unsigned address_size = io->pio->address_size ? io->pio->address_size : io->code_bits / 8;
    io->mask = size_mask(address_size);
    io->index = &vcpu->gpr[io->pio->in ? VGPR_RDI : VGPR_RSI];
    io->access = vcpu_data_access(vcpu) | (io->pio->in ? GWALK_WRITE : 0);
    if (!io->pio->linear_valid)
        return string_segment(io);
    io->base = io->pio->linear - (*io->index & io->mask);
    return EXIT_ADVANCE;
}

static __attribute__((noinline)) enum exit_action string(struct vcpu *vcpu,
                                                         const struct vexit_pio *pio)
{
    struct string_io io = {.vcpu = vcpu, .pio = pio};
    enum exit_action action = string_begin(&io);
    if (action != EXIT_ADVANCE)
        return action;
    uint64_t *rcx = &vcpu->gpr[VGPR_RCX];
    bool single_step = vcpu->rflags & X86_RFLAGS_TF;
    unsigned batch = pio->rep && !single_step ? STRING_BATCH_BYTES / pio->size : 1;
    uint64_t step = (vcpu->rflags & X86_RFLAGS_DF) ? -(uint64_t)pio->size : pio->size;

    for (unsigned i = 0; i < batch; i++) {
        if (pio->rep && (*rcx & io.mask) == 0)
            return EXIT_ADVANCE;
        if (!string_item(&io))
            return io.refusal;
        set_counter(io.index, io.mask, *io.index + step);
        if (pio->rep)
            set_counter(rcx, io.mask, *rcx - 1);
    }
    if (!pio->rep || (*rcx & io.mask) == 0)
        return EXIT_ADVANCE;
    /* An iteration ends like an instruction, but for RIP. */
    exit_finish_insn(vcpu, 0);
    return EXIT_RETRY;
}

enum exit_action pio_exit(struct vcpu *vcpu, struct vexit *exit)
{
    const struct vexit_pio *pio = &exit->pio;
    exit_detail(exit, pio->port);
    account_detail(&vcpu->account, VEXIT_PIO, pio->port);
    if (pio->form == VEXIT_PIO_IN_BYTE) {
        uint8_t *al = (uint8_t *)&vcpu->gpr[VGPR_RAX];
        *al = (uint8_t)vcpu->hooks.pio_read(vcpu->hooks.ctx, pio->port, 1);
        return EXIT_ADVANCE;
    }
    if (pio->form == VEXIT_PIO_OUT_BYTE) {
        vcpu->hooks.pio_write(vcpu->hooks.ctx, pio->port, 1, (uint8_t)vcpu->gpr[VGPR_RAX]);
        return EXIT_ADVANCE;
    }
    if (pio->string)
        return string(vcpu, pio);
    enum exit_action action = wide(vcpu, pio);
    return pio->port == PCI_CONFIG_ADDRESS && !pio->in ? ahead_of(vcpu, exit) : action;
}
