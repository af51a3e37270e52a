/*
 * Device memory: runs the instruction that touched a guest physical address behind which there is
 * no RAM. VT-x doesn't tell what the instruction was, AMD-V only with decode assists; so its bytes
 * are read through the guest's own tables, decoded, and executed with the device in the place of
 * memory.
 *
 * A hostile guest can't do more with it than with a device: offsets are checked against segment
 * limits and for being canonical, addresses go through gwalk(), RAM only through the checked hooks.
 * Bytes that changed between the exit and here (no second CPU exists yet) run as what they are now.
 *
 * Left out: alignment checks (#AC), the single-step trap between two iterations of a REP.
 */
#define LOG_MODULE "mmio"
#include "emu/exec.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "virt/insn.h"
#include "virt/x86.h"

/* Iterations of a REP between two looks at the guest's interrupts. */
#define MAX_ITERATIONS 128

/* One instruction on its way through the emulator. */
struct mmio {
    struct vcpu *vcpu;
    const struct vexit_npf *npf;
    struct insn_text text;
    enum exit_action action; /* why a callback refused */
    gva_t device;            /* an address in the page that the CPU refused; 0: not met */
};

/* An operand as at most two pieces of guest physical memory: it may cross a page. */
struct operand {
    gpa_t gpa[2];
    unsigned len[2];
};

/* --- Addresses -------------------------------------------------------------------------------- */

/* The faulting access itself was translated by the CPU already; everything else walks. */
static bool translate(struct mmio *mmio, gva_t linear, bool write, gpa_t *gpa)
{
    const struct vexit_npf *npf = mmio->npf;
    bool same_page = align_down(linear ^ npf->gva, PAGE_SIZE) == 0;
    if (npf->gva_valid && same_page && (npf->write || !write)) {
        *gpa = align_down(npf->gpa, PAGE_SIZE) | (linear & (PAGE_SIZE - 1));
        return true;
    }
    unsigned access = mmio->text.access | (write ? GWALK_WRITE : 0);
    struct gwalk_result result = gwalk(mmio->vcpu, linear, access);
    *gpa = result.gpa;
    if (result.status == GVA_OK) {
        if (align_down(result.gpa ^ npf->gpa, PAGE_SIZE) == 0)
            mmio->device = linear;
        return true;
    }
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
    struct segment_access access = {(enum vseg_name)at.segment, at.offset, size, write};
    gva_t linear;
    mmio->action = segment_linear(mmio->vcpu, mmio->text.code_bits, &access, &linear);
    if (mmio->action != EXIT_ADVANCE)
        return false;
    unsigned room = PAGE_SIZE - (unsigned)(linear & (PAGE_SIZE - 1));
    operand->len[0] = size < room ? size : room;
    operand->len[1] = size - operand->len[0];
    if (!translate(mmio, linear, write, &operand->gpa[0]))
        return false;
    if (operand->len[1] == 0)
        return true;
    linear += room;
    if (mmio->text.code_bits != 64)
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

static enum exit_action refuse_insn(struct mmio *mmio)
{
    char bytes[INSN_TEXT_SIZE];
    insn_print_bytes(&mmio->text, bytes);
    vcpu_stop(mmio->vcpu, VM_STOP_BAD_ACCESS,
              "can't emulate the access to 0x%llx by the %u-bit code at 0x%llx: bytes%s",
              (unsigned long long)mmio->npf->gpa, mmio->text.code_bits,
              (unsigned long long)mmio->vcpu->rip, bytes);
    return EXIT_STOP;
}

/* Decode assists hand over the bytes, but at times none or too few. */
static bool cpu_told_insn(struct mmio *mmio)
{
    struct insn_text *text = &mmio->text;
    text->count = (unsigned)min_u64(mmio->npf->insn_count, INSN_MAX_LENGTH);
    if (text->count == 0)
        return false;
    memcpy(text->bytes, mmio->npf->insn, text->count);
    return insn_decode(mmio->vcpu, text->bytes, text->count, text->code_bits, &text->insn) ==
           DECODE_OK;
}

static enum exit_action fetch_insn(struct mmio *mmio)
{
    if (cpu_told_insn(mmio))
        return EXIT_ADVANCE;
    enum exit_action action = insn_fetch(mmio->vcpu, &mmio->text);
    if (action == EXIT_ADVANCE && mmio->text.result != DECODE_OK)
        return refuse_insn(mmio);
    return action;
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
    if (!is_data_access(vcpu, exit))
        return EXIT_STOP;
    mmio.text.code_bits = vcpu_code_bits(vcpu);
    mmio.text.access = vcpu_data_access(vcpu);
    enum exit_action action = fetch_insn(&mmio);
    if (action != EXIT_ADVANCE)
        return action;
    switch (exec_insn(&mmio.text.insn, &cpu, MAX_ITERATIONS)) {
    case EXEC_DONE:
        exit->insn_len = mmio.text.insn.length;
        exit->npf.code = mmio.text.gpa;
        if (mmio.device) { /* AMD-V doesn't tell */
            exit->npf.gva = mmio.device;
            exit->npf.gva_valid = true;
        }
        return EXIT_ADVANCE;
    case EXEC_AGAIN:
        return EXIT_RETRY;
    case EXEC_ABORTED:
        return mmio.action;
    default:
        return refuse_insn(&mmio);
    }
}
