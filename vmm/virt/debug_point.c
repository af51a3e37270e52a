/*
 * Breakpoints and watchpoints.
 *
 * While the debugger uses DR0 to DR3, or steps by RFLAGS.TF, the CPU's debug registers are its own:
 * the guest's MOV DR exits and finds the guest's registers in struct vdebug. The guest's own
 * breakpoints go on working in what the debugger leaves free of the four; one that finds no room
 * isn't met for so long. DR6 is kept clean between two exits, so that what a #DB leaves there is
 * that one's cause, also on a CPU that only ever adds bits.
 */
#include "virt/debug_parts.h"

#include "emu/decode.h"
#include "virt/x86.h"

#define INSN_INT3  0xccu
#define INSN_INT_N 0xcdu
#define INSN_INTO  0xceu

/* Whose DR0 to DR3 is: struct vdebug.slot. */
#define SLOT_FREE  0u
#define SLOT_GATE  1u /* the end of a step: debug_step.c */
#define SLOT_HARD  4u /* plus the point's number */
#define SLOT_GUEST 8u /* plus the guest's number for it */

#define DR6_HITS 0xfull

/* SDM "Debug Control Register (DR7)" */
#define DR7_EXACT        0x300ull /* LE, GE */
#define DR7_ENABLED(n)   (3ull << 2 * (n))
#define DR7_GLOBAL(n)    (2ull << 2 * (n))
#define DR7_FIELD(n, rw) ((uint64_t)(rw) << (16 + 4 * (n)))
#define DR7_FIELD_MASK   0xfull
#define RW_EXECUTE       0u
#define RW_WRITE         1u
#define RW_ACCESS        3u

/* --- debug registers -------------------------------------------------------------------------- */

/* One of the CPU's four as it shall be. */
struct slot {
    uint64_t address;
    uint64_t dr7; /* its bits, as for number 0 */
};

static uint64_t point_dr7(const struct vdebug_hard *point)
{
    static const uint8_t rw[] = {[VDEBUG_POINT_HARD] = RW_EXECUTE,
                                 [VDEBUG_POINT_WRITE] = RW_WRITE,
                                 [VDEBUG_POINT_ACCESS] = RW_ACCESS};
    static const uint8_t length[9] = {[1] = 0, [2] = 1, [4] = 3, [8] = 2};
    return DR7_GLOBAL(0) | DR7_FIELD(0, rw[point->kind] | length[point->length] << 2);
}

static bool take_slot(struct vdebug *debug, struct slot slot[VDEBUG_HARD_POINTS], unsigned n,
                      uint8_t owner, struct slot content)
{
    if (n >= VDEBUG_HARD_POINTS || debug->slot[n] != SLOT_FREE)
        return false;
    debug->slot[n] = owner;
    slot[n] = content;
    return true;
}

static bool take_any_slot(struct vdebug *debug, struct slot slot[VDEBUG_HARD_POINTS], uint8_t owner,
                          struct slot content)
{
    for (unsigned n = 0; n < VDEBUG_HARD_POINTS; n++)
        if (take_slot(debug, slot, n, owner, content))
            return true;
    return false;
}

/* During a step no breakpoint of the debugger's is needed: after one instruction it is over. */
static void place_own(struct vdebug *debug, struct slot slot[VDEBUG_HARD_POINTS])
{
    if (debug->step.gate_set)
        take_slot(debug, slot, 0, SLOT_GATE,
                  (struct slot){debug->step.gate, DR7_GLOBAL(0) | DR7_FIELD(0, RW_EXECUTE)});
    for (unsigned n = 0; n < VDEBUG_HARD_POINTS; n++) {
        const struct vdebug_hard *point = &debug->hard[n];
        if (!point->used ||
            (point->kind == VDEBUG_POINT_HARD && debug->step.kind != VDEBUG_NO_STEP))
            continue;
        take_any_slot(debug, slot, (uint8_t)(SLOT_HARD + n),
                      (struct slot){point->address, point_dr7(point)});
    }
}

static void place_guest(struct vdebug *debug, struct slot slot[VDEBUG_HARD_POINTS])
{
    uint64_t dr7 = debug->guest_register[VREG_DR7 - VREG_DR0];
    for (unsigned n = 0; n < VDEBUG_HARD_POINTS; n++) {
        if (!(dr7 & DR7_ENABLED(n)))
            continue;
        struct slot content = {debug->guest_register[n],
                               (dr7 >> 2 * n & DR7_ENABLED(0)) |
                                   (dr7 >> 4 * n & DR7_FIELD(0, DR7_FIELD_MASK))};
        uint8_t owner = (uint8_t)(SLOT_GUEST + n);
        if (!take_slot(debug, slot, n, owner, content))
            take_any_slot(debug, slot, owner, content);
    }
}

static void place_all(struct vcpu *vcpu)
{
    struct vdebug *debug = &vcpu->debug;
    struct slot slot[VDEBUG_HARD_POINTS] = {{0}};
    for (unsigned n = 0; n < VDEBUG_HARD_POINTS; n++)
        debug->slot[n] = SLOT_FREE;
    place_own(debug, slot);
    place_guest(debug, slot);

    uint64_t dr7 = X86_DR7_RESERVED | (debug->guest_register[VREG_DR7 - VREG_DR0] & DR7_EXACT);
    for (unsigned n = 0; n < VDEBUG_HARD_POINTS; n++) {
        vcpu->backend->reg_set(vcpu, (enum vreg)(VREG_DR0 + n), slot[n].address);
        dr7 |= (slot[n].dr7 & DR7_ENABLED(0)) << 2 * n |
               (slot[n].dr7 & DR7_FIELD(0, DR7_FIELD_MASK)) << 4 * n;
    }
    vcpu->backend->reg_set(vcpu, VREG_DR6, X86_DR6_RESERVED);
    vcpu->backend->reg_set(vcpu, VREG_DR7, dr7);
}

static void own_registers(struct vcpu *vcpu, bool own)
{
    struct vdebug *debug = &vcpu->debug;
    if (debug->owns_registers == own)
        return;
    for (unsigned i = 0; i < VDEBUG_GUEST_REGISTERS; i++) {
        enum vreg reg = (enum vreg)(VREG_DR0 + i);
        if (own)
            debug->guest_register[i] = vcpu->backend->reg_get(vcpu, reg);
        else
            vcpu->backend->reg_set(vcpu, reg, debug->guest_register[i]);
    }
    debug->owns_registers = own;
}

static bool any_hard(const struct vdebug *debug)
{
    for (unsigned n = 0; n < VDEBUG_HARD_POINTS; n++)
        if (debug->hard[n].used)
            return true;
    return false;
}

static bool any_soft(const struct vdebug *debug)
{
    for (unsigned n = 0; n < VDEBUG_SOFT_POINTS; n++)
        if (debug->soft[n].used)
            return true;
    return false;
}

void debug_load(struct vcpu *vcpu)
{
    struct vdebug *debug = &vcpu->debug;
    const struct vdebug_step *step = &debug->step;
    bool stepping = step->kind != VDEBUG_NO_STEP;
    bool by_flag = stepping && step->by_flag;
    bool soft = any_soft(debug), own = any_hard(debug) || by_flag;
    own_registers(vcpu, own);
    if (own)
        place_all(vcpu);
    debug->engaged = soft || own || stepping;
    debug->controls = (struct vdebug_controls){
        .breakpoints = soft, .registers = own, .exceptions = by_flag, .trap = stepping && !by_flag};
    vcpu->backend->debug(vcpu, &debug->controls);
}

/* --- what a #DB was about --------------------------------------------------------------------- */

static uint8_t slot_of(const struct vcpu *vcpu, unsigned n)
{
    return vcpu->debug.slot[n];
}

uint64_t debug_own_hits(const struct vcpu *vcpu, uint64_t causes)
{
    uint64_t own = 0;
    if (!vcpu->debug.owns_registers)
        return 0;
    for (unsigned n = 0; n < VDEBUG_HARD_POINTS; n++)
        if ((causes & BIT64(n)) && slot_of(vcpu, n) < SLOT_GUEST)
            own |= BIT64(n); /* a free one's, too: a CPU may report what isn't enabled */
    return own;
}

static uint64_t guest_hits(const struct vcpu *vcpu, uint64_t causes)
{
    uint64_t hits = 0;
    for (unsigned n = 0; n < VDEBUG_HARD_POINTS; n++)
        if ((causes & BIT64(n)) && slot_of(vcpu, n) >= SLOT_GUEST)
            hits |= BIT64(slot_of(vcpu, n) - SLOT_GUEST);
    return hits;
}

void debug_take_hits(struct vcpu *vcpu, uint64_t causes)
{
    for (unsigned n = 0; n < VDEBUG_HARD_POINTS; n++) {
        uint8_t owner = slot_of(vcpu, n);
        if (!(causes & BIT64(n)) || owner < SLOT_HARD || owner >= SLOT_GUEST)
            continue;
        const struct vdebug_hard *point = &vcpu->debug.hard[owner - SLOT_HARD];
        debug_raise(vcpu,
                    (struct vdebug_stop){.reason = point->kind == VDEBUG_POINT_HARD ? VDEBUG_HARD
                                                                                    : VDEBUG_WATCH,
                                         .kind = point->kind,
                                         .address = point->address});
    }
}

static bool debug_trap(struct vcpu *vcpu, struct vexit *exit)
{
    struct vdebug *debug = &vcpu->debug;
    uint64_t causes = exit->exception_address, own = debug_own_hits(vcpu, causes);
    bool our_step = debug->step.trapped && !debug->step.guest_tf;
    if (!debug->owns_registers)
        return false;
    vcpu->backend->reg_set(vcpu, VREG_DR6, X86_DR6_RESERVED);
    debug_take_hits(vcpu, own);
    exit->exception_address = (causes & ~DR6_HITS) | guest_hits(vcpu, causes);
    if (our_step)
        exit->exception_address &= ~X86_DR6_BS;
    /* INT1 has no cause at all: it is the guest's. */
    return (own || our_step) && exit->exception_address == 0;
}

/* --- INT3 ------------------------------------------------------------------------------------- */

struct vdebug_soft *debug_find_soft(struct vcpu *vcpu, gpa_t gpa)
{
    for (unsigned n = 0; n < VDEBUG_SOFT_POINTS; n++)
        if (vcpu->debug.soft[n].used && vcpu->debug.soft[n].gpa == gpa)
            return &vcpu->debug.soft[n];
    return NULL;
}

static struct vdebug_soft *soft_at_rip(struct vcpu *vcpu)
{
    gpa_t gpa;
    return debug_translate(vcpu, debug_linear_rip(vcpu), &gpa) ? debug_find_soft(vcpu, gpa) : NULL;
}

/* The guest's own instruction at RIP. */
static bool insn_at_rip(struct vcpu *vcpu, struct insn *insn, uint8_t bytes[INSN_MAX_LENGTH])
{
    unsigned count = (unsigned)vdebug_read(vcpu, debug_linear_rip(vcpu), bytes, INSN_MAX_LENGTH);
    return decode_insn(bytes, count, vcpu_code_bits(vcpu), insn) == DECODE_OK;
}

/* Prefixes may stand before an INT3, and AMD-V doesn't always tell. */
static void complete_length(struct vcpu *vcpu, struct vexit *exit)
{
    uint8_t bytes[INSN_MAX_LENGTH];
    struct insn insn;
    if (exit->insn_len == 0 && exit->exception.insn_len == 0)
        exit->exception.insn_len = insn_at_rip(vcpu, &insn, bytes) ? insn.length : 1;
}

static bool meets_soft(struct vcpu *vcpu)
{
    const struct vdebug_soft *soft = soft_at_rip(vcpu);
    if (!soft || soft->lifted)
        return false;
    debug_raise(vcpu, (struct vdebug_stop){.reason = VDEBUG_SOFT,
                                           .kind = VDEBUG_POINT_SOFT,
                                           .address = soft->address});
    return true;
}

bool debug_exception(struct vcpu *vcpu, struct vexit *exit)
{
    if (exit->exception.vector == X86_DB && exit->exception.type == VEVENT_EXCEPTION)
        return debug_trap(vcpu, exit);
    if (exit->exception.type != VEVENT_SW_EXCEPTION)
        return false;
    if (exit->exception.vector == X86_BP && meets_soft(vcpu))
        return true;
    complete_length(vcpu, exit);
    return false;
}

/* INT3 and INTO go on as the exceptions that they are, INT n as what it is. */
enum exit_action debug_int_exit(struct vcpu *vcpu, struct vexit *exit)
{
    uint8_t bytes[INSN_MAX_LENGTH];
    struct insn insn;
    (void)exit;
    if (meets_soft(vcpu))
        return EXIT_RETRY;
    if (!insn_at_rip(vcpu, &insn, bytes) || insn.map != INSN_MAP_PRIMARY ||
        insn.opcode < INSN_INT3 || insn.opcode > INSN_INTO) {
        vcpu->backend->flush(vcpu); /* the CPU has it from an old translation: try again */
        return EXIT_RETRY;
    }
    struct vevent event = {.type = VEVENT_SW_INT, .insn_len = insn.length};
    event.vector = bytes[insn.length - 1];
    if (insn.opcode != INSN_INT_N) {
        event.type = VEVENT_SW_EXCEPTION;
        event.vector = insn.opcode == INSN_INTO ? X86_OF : X86_BP;
    }
    vcpu->inject = event;
    return EXIT_INJECT;
}

static bool read_byte(struct vcpu *vcpu, gpa_t gpa, uint8_t *byte)
{
    return vcpu->hooks.mem_read(vcpu->hooks.ctx, gpa, byte, 1);
}

static bool write_byte(struct vcpu *vcpu, gpa_t gpa, uint8_t byte)
{
    return vcpu->hooks.mem_write(vcpu->hooks.ctx, gpa, &byte, 1);
}

/* Whatever lies there is the guest's, except our own INT3. */
static bool put_in(struct vcpu *vcpu, struct vdebug_soft *soft)
{
    uint8_t byte;
    if (!read_byte(vcpu, soft->gpa, &byte))
        return false;
    if (byte == INT3)
        return true;
    soft->original = byte;
    return write_byte(vcpu, soft->gpa, INT3);
}

static void take_out(struct vcpu *vcpu, const struct vdebug_soft *soft)
{
    uint8_t byte;
    if (read_byte(vcpu, soft->gpa, &byte) && byte == INT3)
        write_byte(vcpu, soft->gpa, soft->original);
}

void debug_reload_soft(struct vcpu *vcpu)
{
    for (unsigned n = 0; n < VDEBUG_SOFT_POINTS; n++) {
        struct vdebug_soft *soft = &vcpu->debug.soft[n];
        soft->lifted = false;
        if (soft->used)
            put_in(vcpu, soft);
    }
}

void debug_lift_soft(struct vcpu *vcpu)
{
    struct vdebug_soft *soft = soft_at_rip(vcpu);
    if (!soft)
        return;
    take_out(vcpu, soft);
    soft->lifted = true;
}

void debug_lower_soft(struct vcpu *vcpu)
{
    for (unsigned n = 0; n < VDEBUG_SOFT_POINTS; n++) {
        struct vdebug_soft *soft = &vcpu->debug.soft[n];
        if (!soft->used || !soft->lifted)
            continue;
        soft->lifted = false;
        put_in(vcpu, soft);
    }
}

/* --- setting and removing --------------------------------------------------------------------- */

bool debug_point_at_rip(struct vcpu *vcpu)
{
    gva_t rip = debug_linear_rip(vcpu);
    for (unsigned n = 0; n < VDEBUG_HARD_POINTS; n++) {
        const struct vdebug_hard *point = &vcpu->debug.hard[n];
        if (point->used && point->kind == VDEBUG_POINT_HARD && point->address == rip)
            return true;
    }
    return any_soft(&vcpu->debug) && soft_at_rip(vcpu);
}

static struct vdebug_soft *find_soft_by_address(struct vdebug *debug, gva_t address)
{
    for (unsigned n = 0; n < VDEBUG_SOFT_POINTS; n++)
        if (debug->soft[n].used && debug->soft[n].address == address)
            return &debug->soft[n];
    return NULL;
}

static bool insert_soft(struct vcpu *vcpu, gva_t address)
{
    struct vdebug *debug = &vcpu->debug;
    struct vdebug_soft soft = {.used = true, .address = address, .original = INT3};
    if (find_soft_by_address(debug, address))
        return true;
    if (!debug_translate(vcpu, address, &soft.gpa))
        return false;
    const struct vdebug_soft *twin = debug_find_soft(vcpu, soft.gpa);
    for (unsigned n = 0; n < VDEBUG_SOFT_POINTS; n++) {
        if (debug->soft[n].used)
            continue;
        if (twin)
            soft.original = twin->original;
        else if (!put_in(vcpu, &soft))
            return false;
        debug->soft[n] = soft;
        return true;
    }
    return false;
}

static bool remove_soft(struct vcpu *vcpu, gva_t address)
{
    struct vdebug_soft *soft = find_soft_by_address(&vcpu->debug, address);
    if (!soft)
        return false;
    soft->used = false;
    if (!debug_find_soft(vcpu, soft->gpa))
        take_out(vcpu, soft);
    return true;
}

static struct vdebug_hard *find_hard(struct vdebug *debug, enum vdebug_point_kind kind,
                                     gva_t address, unsigned length)
{
    for (unsigned n = 0; n < VDEBUG_HARD_POINTS; n++) {
        struct vdebug_hard *point = &debug->hard[n];
        if (point->used && point->kind == kind && point->address == address &&
            point->length == length)
            return point;
    }
    return NULL;
}

static bool valid_length(enum vdebug_point_kind kind, gva_t address, unsigned length)
{
    if (length != 1 && length != 2 && length != 4 && length != 8)
        return false;
    return kind == VDEBUG_POINT_HARD ? length == 1 : (address & (length - 1)) == 0;
}

static bool insert_hard(struct vdebug *debug, enum vdebug_point_kind kind, gva_t address,
                        unsigned length)
{
    if (!valid_length(kind, address, length))
        return false;
    if (find_hard(debug, kind, address, length))
        return true;
    for (unsigned n = 0; n < VDEBUG_HARD_POINTS; n++) {
        if (debug->hard[n].used)
            continue;
        debug->hard[n] = (struct vdebug_hard){true, (uint8_t)length, kind, address};
        return true;
    }
    return false;
}

bool vdebug_insert(struct vcpu *vcpu, enum vdebug_point_kind kind, gva_t address, unsigned length)
{
    bool done = kind == VDEBUG_POINT_SOFT ? length == 1 && insert_soft(vcpu, address)
                                          : insert_hard(&vcpu->debug, kind, address, length);
    debug_load(vcpu);
    return done;
}

bool vdebug_remove(struct vcpu *vcpu, enum vdebug_point_kind kind, gva_t address, unsigned length)
{
    bool done;
    if (kind == VDEBUG_POINT_SOFT) {
        done = remove_soft(vcpu, address);
    } else {
        struct vdebug_hard *point = find_hard(&vcpu->debug, kind, address, length);
        done = point != NULL;
        if (point)
            point->used = false;
    }
    debug_load(vcpu);
    return done;
}

void vdebug_clear(struct vcpu *vcpu)
{
    struct vdebug *debug = &vcpu->debug;
    for (unsigned n = 0; n < VDEBUG_HARD_POINTS; n++)
        debug->hard[n].used = false;
    for (unsigned n = 0; n < VDEBUG_SOFT_POINTS; n++)
        if (debug->soft[n].used)
            remove_soft(vcpu, debug->soft[n].address);
    debug_load(vcpu);
}
