/*
 * The registers by GDB's numbers. What can be set is what the guest may be entered with afterwards:
 * general registers, RIP, RFLAGS, FPU and vectors, the bases of FS and GS, CR2, CR8 and, in long
 * mode, CR3. Selectors, CR0, CR4 and EFER only take the value that they have.
 */
#include "debug/gdb_parts.h"

#include "lib/mem.h"
#include "virt/x86.h"

#define REG(name, kind, index, bytes, type)                                                        \
    {                                                                                              \
        name, kind, index, bytes, type                                                             \
    }
#define GPR(name, index)        REG(name, GDB_GPR, index, 8, "int64")
#define SELECTOR(name, index)   REG(name, GDB_SELECTOR, index, 4, "int32")
#define X87(n)                  REG("st" #n, GDB_X87, n, 10, "i387_ext")
#define WORD(name, index)       REG(name, GDB_X87_WORD, index, 4, "int")
#define XMM(n)                  REG("xmm" #n, GDB_XMM, n, 16, "vec128")
#define YMM(n)                  REG("ymm" #n "h", GDB_YMM_HIGH, n, 16, "uint128")
#define VREG(name, index, type) REG(name, GDB_VREG, index, 8, type)

static const struct gdb_register registers[] = {
    GPR("rax", VGPR_RAX),
    GPR("rbx", VGPR_RBX),
    GPR("rcx", VGPR_RCX),
    GPR("rdx", VGPR_RDX),
    GPR("rsi", VGPR_RSI),
    GPR("rdi", VGPR_RDI),
    REG("rbp", GDB_GPR, VGPR_RBP, 8, "data_ptr"),
    REG("rsp", GDB_GPR, VGPR_RSP, 8, "data_ptr"),
    GPR("r8", VGPR_R8),
    GPR("r9", VGPR_R9),
    GPR("r10", VGPR_R10),
    GPR("r11", VGPR_R11),
    GPR("r12", VGPR_R12),
    GPR("r13", VGPR_R13),
    GPR("r14", VGPR_R14),
    GPR("r15", VGPR_R15),
    REG("rip", GDB_RIP, 0, 8, "code_ptr"),
    REG("eflags", GDB_RFLAGS, 0, 4, "i386_eflags"),
    SELECTOR("cs", VSEG_CS),
    SELECTOR("ss", VSEG_SS),
    SELECTOR("ds", VSEG_DS),
    SELECTOR("es", VSEG_ES),
    SELECTOR("fs", VSEG_FS),
    SELECTOR("gs", VSEG_GS),
    X87(0),
    X87(1),
    X87(2),
    X87(3),
    X87(4),
    X87(5),
    X87(6),
    X87(7),
    WORD("fctrl", GDB_FCTRL),
    WORD("fstat", GDB_FSTAT),
    WORD("ftag", GDB_FTAG),
    WORD("fiseg", GDB_FISEG),
    WORD("fioff", GDB_FIOFF),
    WORD("foseg", GDB_FOSEG),
    WORD("fooff", GDB_FOOFF),
    WORD("fop", GDB_FOP),
    XMM(0),
    XMM(1),
    XMM(2),
    XMM(3),
    XMM(4),
    XMM(5),
    XMM(6),
    XMM(7),
    XMM(8),
    XMM(9),
    XMM(10),
    XMM(11),
    XMM(12),
    XMM(13),
    XMM(14),
    XMM(15),
    REG("mxcsr", GDB_MXCSR, 0, 4, "i386_mxcsr"),
    VREG("fs_base", VREG_FS_BASE, "int64"),
    VREG("gs_base", VREG_GS_BASE, "int64"),
    VREG("k_gs_base", VREG_KERNEL_GS_BASE, "int64"),
    VREG("cr0", VREG_CR0, "cr0_flags"),
    VREG("cr2", VREG_CR2, "int64"),
    VREG("cr3", VREG_CR3, "int64"),
    VREG("cr4", VREG_CR4, "cr4_flags"),
    REG("cr8", GDB_CR8, 0, 8, "int64"),
    VREG("efer", VREG_EFER, "efer_flags"),
    YMM(0),
    YMM(1),
    YMM(2),
    YMM(3),
    YMM(4),
    YMM(5),
    YMM(6),
    YMM(7),
    YMM(8),
    YMM(9),
    YMM(10),
    YMM(11),
    YMM(12),
    YMM(13),
    YMM(14),
    YMM(15),
};

_Static_assert(ARRAY_SIZE(registers) == GDB_REGISTER_COUNT, "gdb_target.c describes as many");

const struct gdb_register *gdb_register(const struct gdb *gdb, uint64_t number)
{
    unsigned count = GDB_REGISTER_COUNT;
    if (!(gdb->vcpu->facts->xcr0_allowed & X86_XCR0_AVX))
        count = GDB_FIRST_YMM;
    return number < count ? &registers[number] : NULL;
}

/* --- FXSAVE's image: SDM "FXSAVE—Save x87 FPU, MMX Technology, and SSE State" ------------------
 */

enum {
    FX_FCW = 0,
    FX_FSW = 2,
    FX_FTW = 4,
    FX_FOP = 6,
    FX_FIP = 8,
    FX_FCS = 12,
    FX_FDP = 16,
    FX_FDS = 20,
    FX_MXCSR = 24,
    FX_ST = 32,
    FX_XMM = 160
};

#define TAG_VALID   0u
#define TAG_ZERO    1u
#define TAG_SPECIAL 2u
#define TAG_EMPTY   3u

/* The two bits that FSAVE's tag word has for a register in use. */
static unsigned tag_of(const uint8_t *st)
{
    unsigned exponent = load_le16(st + 8) & 0x7fff;
    uint64_t significand = load_le64(st);

    if (exponent == 0x7fff)
        return TAG_SPECIAL;
    if (exponent == 0)
        return significand ? TAG_SPECIAL : TAG_ZERO;
    return significand >> 63 ? TAG_VALID : TAG_SPECIAL;
}

/* FXSAVE keeps one bit a register, by its number in the file; the image is by place in the stack.
 */
static uint32_t full_tag_word(const uint8_t *fx)
{
    unsigned top = load_le16(fx + FX_FSW) >> 11 & 7;
    uint32_t word = 0;

    for (unsigned i = 0; i < 8; i++) {
        const uint8_t *st = fx + FX_ST + 16 * ((i - top) & 7);
        unsigned tag = fx[FX_FTW] >> i & 1 ? tag_of(st) : TAG_EMPTY;
        word |= tag << (2 * i);
    }
    return word;
}

static void set_tag_word(uint8_t *fx, uint32_t word)
{
    fx[FX_FTW] = 0;
    for (unsigned i = 0; i < 8; i++)
        if ((word >> (2 * i) & 3) != TAG_EMPTY)
            fx[FX_FTW] |= (uint8_t)BIT(i);
}

static const struct {
    uint8_t offset, bytes;
} x87_words[] = {
    [GDB_FCTRL] = {FX_FCW, 2}, [GDB_FSTAT] = {FX_FSW, 2}, [GDB_FISEG] = {FX_FCS, 2},
    [GDB_FIOFF] = {FX_FIP, 4}, [GDB_FOSEG] = {FX_FDS, 2}, [GDB_FOOFF] = {FX_FDP, 4},
    [GDB_FOP] = {FX_FOP, 2},
};

static uint32_t x87_word(const uint8_t *fx, unsigned index)
{
    if (index == GDB_FTAG)
        return full_tag_word(fx);
    const uint8_t *at = fx + x87_words[index].offset;
    return x87_words[index].bytes == 2 ? load_le16(at) : load_le32(at);
}

static void set_x87_word(uint8_t *fx, unsigned index, uint32_t value)
{
    if (index == GDB_FTAG)
        set_tag_word(fx, value);
    else if (x87_words[index].bytes == 2)
        store_le16(fx + x87_words[index].offset, (uint16_t)value);
    else
        store_le32(fx + x87_words[index].offset, value);
}

/* Where the register lies in the image; NULL where it takes more than a copy. */
static uint8_t *fpu_bytes(struct gdb_fpu *fpu, const struct gdb_register *reg)
{
    switch (reg->kind) {
    case GDB_X87:
        return fpu->fxsave + FX_ST + 16 * reg->index;
    case GDB_XMM:
        return fpu->fxsave + FX_XMM + 16 * reg->index;
    case GDB_MXCSR:
        return fpu->fxsave + FX_MXCSR;
    case GDB_YMM_HIGH:
        return fpu->ymm_high[reg->index];
    default:
        return NULL;
    }
}

static bool is_fpu(const struct gdb_register *reg)
{
    return reg->kind == GDB_X87 || reg->kind == GDB_X87_WORD || reg->kind == GDB_XMM ||
           reg->kind == GDB_MXCSR || reg->kind == GDB_YMM_HIGH;
}

/* False: the guest has it switched off. */
static bool is_available(const struct gdb *gdb, const struct gdb_register *reg)
{
    return reg->kind != GDB_YMM_HIGH || (gdb->vcpu->xcr0 & X86_XCR0_AVX);
}

/* --- one register ----------------------------------------------------------------------------- */

static uint64_t selector(struct gdb *gdb, unsigned name)
{
    struct vseg seg;
    gdb->vcpu->backend->seg_get(gdb->vcpu, (enum vseg_name)name, &seg);
    return seg.selector;
}

static uint64_t number_of(struct gdb *gdb, const struct gdb_register *reg)
{
    struct vcpu *vcpu = gdb->vcpu;

    switch (reg->kind) {
    case GDB_GPR:
        return vdebug_gpr(vcpu, reg->index);
    case GDB_RIP:
        return vcpu->rip;
    case GDB_RFLAGS:
        return vdebug_rflags(vcpu);
    case GDB_SELECTOR:
        return selector(gdb, reg->index);
    case GDB_CR8:
        return vcpu->hooks.cr8_read(vcpu->hooks.ctx);
    default:
        return vcpu->backend->reg_get(vcpu, (enum vreg)reg->index);
    }
}

static void get_bytes(struct gdb *gdb, struct gdb_fpu *fpu, const struct gdb_register *reg,
                      uint8_t value[GDB_REGISTER_MAX_BYTES])
{
    uint8_t *from = fpu_bytes(fpu, reg);

    if (from)
        memcpy(value, from, reg->bytes);
    else if (reg->kind == GDB_X87_WORD)
        store_le32(value, x87_word(fpu->fxsave, reg->index));
    else
        store_le64(value, number_of(gdb, reg));
}

static bool set_control(struct vcpu *vcpu, enum vreg reg, uint64_t value)
{
    bool in_long_mode = vcpu->backend->reg_get(vcpu, VREG_EFER) & X86_EFER_LMA;

    switch (reg) {
    case VREG_FS_BASE:
    case VREG_GS_BASE:
    case VREG_KERNEL_GS_BASE:
        if (!x86_canonical(value))
            return false;
        break;
    case VREG_CR2:
        break;
    case VREG_CR3:
        if (!in_long_mode || (value & ~vcpu->facts->physical_address_mask))
            return false;
        break;
    default:
        return false;
    }
    vcpu->backend->reg_set(vcpu, reg, value);
    return true;
}

static bool set_number(struct gdb *gdb, const struct gdb_register *reg, uint64_t value)
{
    struct vcpu *vcpu = gdb->vcpu;

    if (value == number_of(gdb, reg))
        return true;
    switch (reg->kind) {
    case GDB_GPR:
        vdebug_set_gpr(vcpu, reg->index, value);
        return true;
    case GDB_RIP:
        return vdebug_set_rip(vcpu, value);
    case GDB_RFLAGS:
        return vdebug_set_rflags(vcpu, value);
    case GDB_CR8:
        if (value > 15)
            return false;
        vcpu->hooks.cr8_write(vcpu->hooks.ctx, (uint8_t)value);
        return true;
    case GDB_VREG:
        return set_control(vcpu, (enum vreg)reg->index, value);
    default:
        return false;
    }
}

static bool set_bytes(struct gdb *gdb, struct gdb_fpu *fpu, const struct gdb_register *reg,
                      const uint8_t value[GDB_REGISTER_MAX_BYTES])
{
    uint8_t *to = fpu_bytes(fpu, reg);

    if (!is_available(gdb, reg))
        return false;
    if (to)
        memcpy(to, value, reg->bytes);
    else if (reg->kind == GDB_X87_WORD)
        set_x87_word(fpu->fxsave, reg->index, load_le32(value));
    else
        return set_number(gdb, reg, load_le64(value) & size_mask(reg->bytes));
    return true;
}

static void put_bytes(struct gdb *gdb, struct gdb_fpu *fpu, const struct gdb_register *reg)
{
    uint8_t value[GDB_REGISTER_MAX_BYTES];

    if (is_available(gdb, reg)) {
        get_bytes(gdb, fpu, reg, value);
        gdb_put_hex(&gdb->link, value, reg->bytes);
        return;
    }
    for (unsigned i = 0; i < 2u * reg->bytes; i++)
        gdb_put(&gdb->link, 'x');
}

/* --- packets ---------------------------------------------------------------------------------- */

static struct gdb_fpu fpu_image;

static struct gdb_fpu *get_fpu(struct gdb *gdb)
{
    gdb->host.fpu_get(gdb->host.ctx, &fpu_image);
    return &fpu_image;
}

void gdb_put_register(struct gdb *gdb, uint64_t number)
{
    const struct gdb_register *reg = gdb_register(gdb, number);
    put_bytes(gdb, is_fpu(reg) ? get_fpu(gdb) : NULL, reg);
}

void gdb_read_registers(struct gdb *gdb)
{
    struct gdb_fpu *fpu = get_fpu(gdb);
    const struct gdb_register *reg;

    gdb_begin(&gdb->link);
    for (unsigned i = 0; (reg = gdb_register(gdb, i)); i++)
        put_bytes(gdb, fpu, reg);
    gdb_send(&gdb->link);
}

void gdb_read_register(struct gdb *gdb, struct gdb_text *text)
{
    uint64_t number;

    if (!gdb_take_number(text, &number) || gdb_text_left(text) || !gdb_register(gdb, number)) {
        gdb_reply(&gdb->link, GDB_ERROR_INVALID);
        return;
    }
    gdb_begin(&gdb->link);
    gdb_put_register(gdb, number);
    gdb_send(&gdb->link);
}

/* One register's digits; x instead of digits leaves it as it is. */
static bool take_register(struct gdb *gdb, struct gdb_fpu *fpu, const struct gdb_register *reg,
                          struct gdb_text *text)
{
    uint8_t value[GDB_REGISTER_MAX_BYTES] = {0};

    if (gdb_text_left(text) >= 2u * reg->bytes && *text->at == 'x') {
        text->at += 2 * reg->bytes;
        return true;
    }
    return gdb_take_hex(text, value, reg->bytes) && set_bytes(gdb, fpu, reg, value);
}

/* All that can be set is set, even where something among it can't. */
void gdb_write_registers(struct gdb *gdb, struct gdb_text *text)
{
    struct gdb_fpu *fpu = get_fpu(gdb);
    const struct gdb_register *reg;
    bool good = true;

    for (unsigned i = 0; (reg = gdb_register(gdb, i)) && gdb_text_left(text); i++) {
        if (gdb_text_left(text) < 2u * reg->bytes)
            break;
        good &= take_register(gdb, fpu, reg, text);
    }
    gdb->host.fpu_set(gdb->host.ctx, fpu);
    gdb_reply(&gdb->link, good && !gdb_text_left(text) ? "OK" : GDB_ERROR_INVALID);
}

void gdb_write_register(struct gdb *gdb, struct gdb_text *text)
{
    uint64_t number;
    const struct gdb_register *reg;
    struct gdb_fpu *fpu = get_fpu(gdb);
    bool good = gdb_take_number(text, &number) && gdb_take(text, '=') &&
                (reg = gdb_register(gdb, number)) && gdb_text_left(text) == 2u * reg->bytes &&
                take_register(gdb, fpu, reg, text);

    if (good && is_fpu(reg))
        gdb->host.fpu_set(gdb->host.ctx, fpu);
    gdb_reply(&gdb->link, good ? "OK" : GDB_ERROR_INVALID);
}
