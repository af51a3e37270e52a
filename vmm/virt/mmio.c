/*
 * Device memory: runs the instruction that touched a guest physical address behind which there is
 * no RAM. Neither VT-x nor AMD-V tells what the instruction was, so its bytes are read through the
 * guest's own tables, decoded, and executed with the device in the place of memory.
 *
 * A hostile guest can't do more with it than with a device: offsets are checked against segment
 * limits and for being canonical, addresses go through gwalk(), RAM only through the checked hooks.
 * Bytes that changed between the exit and here (no second CPU exists yet) run as what they are now.
 *
 * Left out: alignment checks (#AC), the single-step trap between two iterations of a REP.
 */
#define LOG_MODULE "mmio"
#include "emu/decode.h"
#include "emu/exec.h"
#include "lib/fmt.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "virt/virt.h"
#include "virt/x86.h"

/* Iterations of a REP between two looks at the guest's interrupts. */
#define MAX_ITERATIONS 128

#define RFLAGS_VM BIT64(17)

/* Segment descriptor type bits, S = 1: SDM "Code- and Data-Segment Descriptor Types". */
#define SEG_PRESENT  0x80u
#define SEG_CODE     0x08u
#define SEG_DOWN     0x04u /* data: the valid offsets lie above the limit */
#define SEG_WRITABLE 0x02u /* data */

/* One instruction on its way through the emulator. */
struct mmio {
    struct vcpu *vcpu;
    const struct vexit_npf *npf;
    unsigned code_bits;
    unsigned access; /* GWALK_USER or 0 */
    uint8_t bytes[INSN_MAX_LENGTH];
    unsigned byte_count;
    enum exit_action action; /* why a callback refused */
};

/* An operand as at most two pieces of guest physical memory: it may cross a page. */
struct operand {
    gpa_t gpa[2];
    unsigned len[2];
};

/* --- Addresses -------------------------------------------------------------------------------- */

static bool refuse_address(struct mmio *mmio, enum insn_segment segment)
{
    uint8_t vector = segment == INSN_SS ? X86_SS : X86_GP;
    mmio->action = inject_exception_error(mmio->vcpu, vector, 0);
    return false;
}

static bool linear64(struct mmio *mmio, struct exec_address at, unsigned size, gva_t *linear)
{
    struct vcpu *vcpu = mmio->vcpu;
    *linear = at.offset;
    if (at.segment == INSN_FS)
        *linear += vcpu->backend->reg_get(vcpu, VREG_FS_BASE);
    else if (at.segment == INSN_GS)
        *linear += vcpu->backend->reg_get(vcpu, VREG_GS_BASE);
    if (vcpu_is_canonical(vcpu, *linear) && vcpu_is_canonical(vcpu, *linear + size - 1))
        return true;
    return refuse_address(mmio, at.segment);
}

static bool segment_allows(struct mmio *mmio, const struct vseg *seg, bool write)
{
    struct vcpu *vcpu = mmio->vcpu;
    bool has_types =
        (vcpu->backend->reg_get(vcpu, VREG_CR0) & X86_CR0_PE) && !(vcpu->rflags & RFLAGS_VM);
    if (!has_types)
        return true;
    if (!(seg->access & SEG_PRESENT))
        return false;
    if (seg->access & SEG_CODE)
        return !write;
    return !write || (seg->access & SEG_WRITABLE);
}

/* at.offset is at most 32 bits wide here. SDM "Limit Checking". */
static bool within_limit(const struct vseg *seg, uint64_t offset, unsigned size)
{
    uint64_t last = offset + size - 1;
    if ((seg->access & (SEG_CODE | SEG_DOWN)) != SEG_DOWN)
        return last <= seg->limit;
    return offset > seg->limit && last <= ((seg->access & VSEG_ACCESS_DB) ? UINT32_MAX : 0xffff);
}

static bool linear32(struct mmio *mmio, struct exec_address at, unsigned size, bool write,
                     gva_t *linear)
{
    static const uint8_t name[] = {VSEG_ES, VSEG_CS, VSEG_SS, VSEG_DS, VSEG_FS, VSEG_GS};
    struct vcpu *vcpu = mmio->vcpu;
    struct vseg seg;
    vcpu->backend->seg_get(vcpu, name[at.segment], &seg);
    if (!segment_allows(mmio, &seg, write) || !within_limit(&seg, at.offset, size))
        return refuse_address(mmio, at.segment);
    *linear = (uint32_t)(seg.base + at.offset);
    return true;
}

/* The faulting access itself was translated by the CPU already; everything else walks. */
static bool translate(struct mmio *mmio, gva_t linear, bool write, gpa_t *gpa)
{
    const struct vexit_npf *npf = mmio->npf;
    bool same_page = align_down(linear ^ npf->gva, PAGE_SIZE) == 0;
    if (npf->gva_valid && same_page && (npf->write || !write)) {
        *gpa = align_down(npf->gpa, PAGE_SIZE) | (linear & (PAGE_SIZE - 1));
        return true;
    }
    unsigned access = mmio->access | (write ? GWALK_WRITE : 0);
    struct gwalk_result result = gwalk(mmio->vcpu, linear, access);
    *gpa = result.gpa;
    if (result.status == GVA_OK)
        return true;
    if (result.status == GVA_FAULT) {
        mmio->action = inject_page_fault(mmio->vcpu, linear, result.error);
        return false;
    }
    vcpu_stop(mmio->vcpu, VM_STOP_BAD_ACCESS,
              "page table entry at 0x%llx for address 0x%llx isn't in RAM",
              (unsigned long long)result.gpa, (unsigned long long)linear);
    mmio->action = EXIT_STOP;
    return false;
}

static bool resolve(struct mmio *mmio, struct exec_address at, unsigned size, bool write,
                    struct operand *operand)
{
    gva_t linear;
    bool ok = mmio->code_bits == 64 ? linear64(mmio, at, size, &linear)
                                    : linear32(mmio, at, size, write, &linear);
    if (!ok)
        return false;
    unsigned room = PAGE_SIZE - (unsigned)(linear & (PAGE_SIZE - 1));
    operand->len[0] = size < room ? size : room;
    operand->len[1] = size - operand->len[0];
    if (!translate(mmio, linear, write, &operand->gpa[0]))
        return false;
    if (operand->len[1] == 0)
        return true;
    linear += room;
    if (mmio->code_bits != 64)
        linear = (uint32_t)linear;
    return translate(mmio, linear, write, &operand->gpa[1]);
}

/* --- Accesses --------------------------------------------------------------------------------- */

static void log_unclaimed(const char *what, gpa_t gpa, unsigned size)
{
    static uint64_t count;
    if (log_ratelimit(&count, 16))
        log_dbg("%s of %u bytes at 0x%llx, where there is nothing", what, size,
                (unsigned long long)gpa);
}

/* The largest naturally aligned access at gpa within len bytes, for pieces of odd lengths. */
static unsigned chunk_size(gpa_t gpa, unsigned len)
{
    if (len == 1 || len == 2 || len == 4 || len == 8)
        return len;
    unsigned chunk = 4;
    while (chunk > len || (gpa & (chunk - 1)))
        chunk /= 2;
    return chunk;
}

static void device_read(struct mmio *mmio, gpa_t gpa, unsigned len, uint8_t *bytes)
{
    const struct vcpu_hooks *hooks = &mmio->vcpu->hooks;
    while (len > 0) {
        unsigned chunk = chunk_size(gpa, len);
        uint64_t value = 0;
        if (!hooks->mmio_read(hooks->ctx, gpa, chunk, &value)) {
            log_unclaimed("read", gpa, chunk);
            value = UINT64_MAX;
        }
        memcpy(bytes, &value, chunk);
        gpa += chunk;
        bytes += chunk;
        len -= chunk;
    }
}

static void device_write(struct mmio *mmio, gpa_t gpa, unsigned len, const uint8_t *bytes)
{
    const struct vcpu_hooks *hooks = &mmio->vcpu->hooks;
    while (len > 0) {
        unsigned chunk = chunk_size(gpa, len);
        uint64_t value = 0;
        memcpy(&value, bytes, chunk);
        if (!hooks->mmio_write(hooks->ctx, gpa, chunk, value))
            log_unclaimed("write", gpa, chunk);
        gpa += chunk;
        bytes += chunk;
        len -= chunk;
    }
}

/* The page and the direction that the CPU refused: no need to ask whether it is RAM. */
static bool is_refused(const struct mmio *mmio, gpa_t gpa, bool write)
{
    return write == mmio->npf->write && align_down(gpa ^ mmio->npf->gpa, PAGE_SIZE) == 0;
}

static bool mmio_read(void *ctx, struct exec_address at, unsigned size, uint64_t *value)
{
    struct mmio *mmio = ctx;
    const struct vcpu_hooks *hooks = &mmio->vcpu->hooks;
    struct operand operand;
    uint8_t bytes[8] = {0};
    unsigned done = 0;
    if (!resolve(mmio, at, size, false, &operand))
        return false;
    for (unsigned i = 0; i < 2 && operand.len[i] > 0; i++) {
        gpa_t gpa = operand.gpa[i];
        unsigned len = operand.len[i];
        if (is_refused(mmio, gpa, false) || !hooks->mem_read(hooks->ctx, gpa, bytes + done, len))
            device_read(mmio, gpa, len, bytes + done);
        done += len;
    }
    *value = load_le64(bytes);
    return true;
}

static bool mmio_write(void *ctx, struct exec_address at, unsigned size, uint64_t value)
{
    struct mmio *mmio = ctx;
    const struct vcpu_hooks *hooks = &mmio->vcpu->hooks;
    struct operand operand;
    uint8_t bytes[8];
    unsigned done = 0;
    if (!resolve(mmio, at, size, true, &operand))
        return false;
    store_le64(bytes, value);
    for (unsigned i = 0; i < 2 && operand.len[i] > 0; i++) {
        gpa_t gpa = operand.gpa[i];
        unsigned len = operand.len[i];
        if (is_refused(mmio, gpa, true) || !hooks->mem_write(hooks->ctx, gpa, bytes + done, len))
            device_write(mmio, gpa, len, bytes + done);
        done += len;
    }
    return true;
}

static bool mmio_check_write(void *ctx, struct exec_address at, unsigned size)
{
    struct operand operand;
    return resolve(ctx, at, size, true, &operand);
}

/* --- The instruction -------------------------------------------------------------------------- */

/* Reads the instruction's bytes from number `from` up to `to`. EXIT_ADVANCE: they are there. */
static enum exit_action fetch(struct mmio *mmio, gva_t linear, unsigned from, unsigned to)
{
    struct vcpu *vcpu = mmio->vcpu;
    linear += from;
    if (mmio->code_bits != 64)
        linear = (uint32_t)linear;
    switch (gva_read(vcpu, linear, mmio->bytes + from, to - from, mmio->access | GWALK_FETCH)) {
    case GVA_OK:
        mmio->byte_count = to;
        return EXIT_ADVANCE;
    case GVA_FAULT:
        return EXIT_INJECT;
    default:
        vcpu_stop(vcpu, VM_STOP_BAD_ACCESS, "the code at 0x%llx isn't in RAM",
                  (unsigned long long)linear);
        return EXIT_STOP;
    }
}

static enum exit_action refuse_insn(struct mmio *mmio)
{
    char text[3 * INSN_MAX_LENGTH + 1] = "";
    unsigned count = mmio->byte_count;
    for (unsigned i = 0; i < count; i++)
        fmt_snprintf(text + 3 * i, 4, " %02x", mmio->bytes[i]);
    vcpu_stop(mmio->vcpu, VM_STOP_BAD_ACCESS,
              "can't emulate the access to 0x%llx by the %u-bit code at 0x%llx: bytes%s",
              (unsigned long long)mmio->npf->gpa, mmio->code_bits,
              (unsigned long long)mmio->vcpu->rip, text);
    return EXIT_STOP;
}

/* Fetches and decodes; touches the second page only for an instruction that reaches into it. */
static enum exit_action fetch_insn(struct mmio *mmio, struct insn *insn)
{
    struct vcpu *vcpu = mmio->vcpu;
    gva_t linear = vcpu->rip;
    if (mmio->code_bits != 64) {
        struct vseg cs;
        vcpu->backend->seg_get(vcpu, VSEG_CS, &cs);
        linear = (uint32_t)(linear + cs.base);
    }
    unsigned room = PAGE_SIZE - (unsigned)(linear & (PAGE_SIZE - 1));
    unsigned count = room < INSN_MAX_LENGTH ? room : INSN_MAX_LENGTH;
    enum exit_action action = fetch(mmio, linear, 0, count);
    if (action != EXIT_ADVANCE)
        return action;
    enum decode_result result = decode_insn(mmio->bytes, count, mmio->code_bits, insn);
    if (result == DECODE_TOO_SHORT) {
        action = fetch(mmio, linear, count, INSN_MAX_LENGTH);
        if (action != EXIT_ADVANCE)
            return action;
        result = decode_insn(mmio->bytes, INSN_MAX_LENGTH, mmio->code_bits, insn);
    }
    return result == DECODE_OK ? EXIT_ADVANCE : refuse_insn(mmio);
}

/* Accesses that no instruction at RIP made; false when there is none to run. */
static bool is_data_access(struct vcpu *vcpu, const struct vexit *exit)
{
    const char *what = NULL;
    if (exit->npf.in_page_walk)
        what = "the guest's page tables lead to";
    else if (exit->interrupted.type != VEVENT_NONE)
        what = "the delivery of an event used";
    else if (exit->npf.fetch)
        what = "the guest ran code at";
    if (!what)
        return true;
    vcpu_stop(vcpu, VM_STOP_BAD_ACCESS, "%s 0x%llx, which isn't RAM", what,
              (unsigned long long)exit->npf.gpa);
    return false;
}

enum exit_action mmio_emulate(struct vcpu *vcpu, struct vexit *exit)
{
    struct mmio mmio = {.vcpu = vcpu, .npf = &exit->npf};
    const struct exec_memory memory = {&mmio, mmio_read, mmio_write, mmio_check_write};
    const struct exec_cpu cpu = {vcpu->gpr, &vcpu->rflags, vcpu->rip, &memory};
    struct insn insn;
    if (!is_data_access(vcpu, exit))
        return EXIT_STOP;
    mmio.code_bits = vcpu_code_bits(vcpu);
    mmio.access = vcpu_data_access(vcpu);
    enum exit_action action = fetch_insn(&mmio, &insn);
    if (action != EXIT_ADVANCE)
        return action;
    switch (exec_insn(&insn, &cpu, MAX_ITERATIONS)) {
    case EXEC_DONE:
        exit->insn_len = insn.length;
        return EXIT_ADVANCE;
    case EXEC_AGAIN:
        return EXIT_RETRY;
    case EXEC_ABORTED:
        return mmio.action;
    default:
        return refuse_insn(&mmio);
    }
}
