/* The instruction that an exit stopped at, read from the guest's memory; not for pc/. */
#ifndef VIRT_INSN_H
#define VIRT_INSN_H

#include "emu/decode.h"
#include "virt/virt.h"

/* --- insn.c ----------------------------------------------------------------------------------- */

struct insn_text {
    unsigned code_bits;        /* set by the caller: vcpu_code_bits() */
    unsigned access;           /* set by the caller: vcpu_data_access() */
    unsigned count;            /* bytes fetched: 0 to 15 */
    gpa_t gpa;                 /* of the first one */
    enum decode_result result; /* DECODE_OK, or DECODE_INVALID for bytes that are no instruction */
    struct insn insn;          /* valid with DECODE_OK */
    uint8_t bytes[INSN_MAX_LENGTH];
};

/* Fetches and decodes what lies at RIP, as the CPU would: through CS with its limit and the guest's
 * paging; the second page is touched only for an instruction that reaches into it. EXIT_ADVANCE:
 * *text is filled. EXIT_INJECT: the fetch's fault is queued. EXIT_STOP: the code isn't in RAM. */
enum exit_action insn_fetch(struct vcpu *vcpu, struct insn_text *text);

/* decode_insn() of bytes that were copied from RIP, or that the CPU tells. */
enum decode_result insn_decode(struct vcpu *vcpu, const uint8_t *bytes, unsigned count,
                               unsigned code_bits, struct insn *insn);

#define INSN_TEXT_SIZE (3 * INSN_MAX_LENGTH + 1)

/* The bytes for a report: " 0f a2". */
void insn_print_bytes(const struct insn_text *text, char out[INSN_TEXT_SIZE]);

/* For an exit of an instruction whose length the CPU doesn't tell: fills insn_len and the operands,
 * and corrects the kind where several instructions share an exit. EXIT_ADVANCE: the handler of
 * exit->kind may run. Else there is nothing to handle: RIP stays. */
enum exit_action insn_complete(struct vcpu *vcpu, struct vexit *exit);

/* The segment that an OUTS at RIP reads from, where the CPU doesn't tell. Otherwise as above. */
enum exit_action insn_outs_segment(struct vcpu *vcpu, enum vseg_name *segment);

/* --- segment.c -------------------------------------------------------------------------------- */

/* An instruction's access to memory. */
struct segment_access {
    enum vseg_name segment; /* VSEG_ES to VSEG_GS */
    uint64_t offset;        /* not wider than the address size */
    unsigned size;          /* bytes, 1 or more */
    bool write;
};

/* The linear address of its first byte, after the checks of the segment's type and limit, in 64-bit
 * code for being canonical. Outside of 64-bit code what lies behind 4 GiB is at 0 again. Anything
 * but EXIT_ADVANCE: #GP or #SS is queued. SDM "Limit Checking", "Type Checking". */
enum exit_action segment_linear(struct vcpu *vcpu, unsigned code_bits,
                                const struct segment_access *access, gva_t *linear);

#endif
