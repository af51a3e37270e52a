/* See cksum.h. POSIX "cksum - write file checksums and sizes", with a table for each of the bytes
 * that are taken at once: eight lookups that don't wait for each other. Where the CPU multiplies
 * polynomials, long pieces are first folded to 16 bytes that have the same sum. */
#include "lib/cksum.h"

#include "lib/bits.h"
#include "lib/mem.h"

#define POLYNOMIAL 0x04c11db7u
#define TABLES     8u

/* table[n][b]: what the byte b does to the sum with n more bytes behind it. */
static uint32_t table[TABLES][256];

static void make_tables(void)
{
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte << 24;
        for (int bit = 0; bit < 8; bit++)
            crc = crc << 1 ^ (crc >> 31 ? POLYNOMIAL : 0);
        table[0][byte] = crc;
    }
    for (unsigned n = 1; n < TABLES; n++)
        for (unsigned byte = 0; byte < 256; byte++)
            table[n][byte] = table[n - 1][byte] << 8 ^ table[0][table[n - 1][byte] >> 24];
}

static uint32_t add_byte(uint32_t crc, uint8_t byte)
{
    return crc << 8 ^ table[0][crc >> 24 ^ byte];
}

static uint32_t look_up_four(unsigned first, uint32_t four)
{
    return table[first + 3][four >> 24] ^ table[first + 2][four >> 16 & 0xff] ^
           table[first + 1][four >> 8 & 0xff] ^ table[first][four & 0xff];
}

static uint32_t add_by_tables(uint32_t crc, const uint8_t *p, size_t size_bytes)
{
    for (; size_bytes >= TABLES; size_bytes -= TABLES, p += TABLES)
        crc = look_up_four(4, crc ^ __builtin_bswap32(load_le32(p))) ^
              look_up_four(0, __builtin_bswap32(load_le32(p + 4)));
    while (size_bytes--)
        crc = add_byte(crc, *p++);
    return crc;
}

/* ---- folding ---- */

#define BLOCK      16u
#define FOLD_BYTES (4 * BLOCK) /* less isn't worth it */

#define LEAF_1_ECX_PCLMULQDQ BIT(1)
#define LEAF_1_ECX_SSSE3     BIT(9)

/* The VMM and the loaders are compiled without these registers, and may then not name them. */
#ifdef __SSE2__
#define FOLD_REGISTERS , "xmm0", "xmm1", "xmm2", "xmm3", "xmm4"
#else
#define FOLD_REGISTERS
#endif

static bool folding;

void cksum_set_folding(bool may)
{
    folding = may;
}

bool cksum_can_fold(uint32_t leaf_1_ecx)
{
    return (leaf_1_ecx & LEAF_1_ECX_PCLMULQDQ) && (leaf_1_ecx & LEAF_1_ECX_SSSE3);
}

/* As a polynomial over GF(2), a block `a` (its first bit has the highest power) with another one
 * behind it is a * x^128 + b. Modulo the sum's polynomial that is the same as
 *     upper(a) * (x^192 mod P) + lower(a) * (x^128 mod P) + b
 * which is one block again. SDM "PCLMULQDQ-Carry-Less Multiplication Quadword". */
static void fold(uint8_t block[BLOCK], const uint8_t *next, size_t count)
{
    static const uint64_t powers[2] = {0xc5b9cd4c, 0xe8a45605}; /* x^192, x^128 mod P */
    static const uint8_t reverse[BLOCK] = {15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0};

    __asm__ volatile("movdqu (%[block]), %%xmm0\n"
                     "movdqu %[powers], %%xmm1\n"
                     "movdqu %[reverse], %%xmm2\n"
                     "pshufb %%xmm2, %%xmm0\n"
                     "1:\n"
                     "movdqu (%[next]), %%xmm3\n"
                     "movdqa %%xmm0, %%xmm4\n"
                     "pshufb %%xmm2, %%xmm3\n"
                     "pclmulqdq $0x01, %%xmm1, %%xmm0\n" /* the upper half */
                     "pclmulqdq $0x10, %%xmm1, %%xmm4\n" /* the lower half */
                     "pxor %%xmm3, %%xmm0\n"
                     "pxor %%xmm4, %%xmm0\n"
                     "add $16, %[next]\n"
                     "dec %[count]\n"
                     "jnz 1b\n"
                     "pshufb %%xmm2, %%xmm0\n"
                     "movdqu %%xmm0, (%[block])\n"
                     : [next] "+r"(next), [count] "+r"(count)
                     : [block] "r"(block), [powers] "m"(powers), [reverse] "m"(reverse)
                     : "cc", "memory" FOLD_REGISTERS);
}

/* A multiple of BLOCK bytes, two blocks at least. The sum so far acts on the first four bytes. */
static uint32_t add_by_folding(uint32_t crc, const uint8_t *p, size_t size_bytes)
{
    uint8_t block[BLOCK];

    memcpy(block, p, BLOCK);
    for (unsigned i = 0; i < 4; i++)
        block[i] ^= (uint8_t)(crc >> (24 - 8 * i));
    fold(block, p + BLOCK, size_bytes / BLOCK - 1);
    return add_by_tables(0, block, BLOCK);
}

/* ---- the public face ---- */

void cksum_add(struct cksum *sum, const void *bytes, size_t size_bytes)
{
    const uint8_t *p = bytes;

    if (!table[0][1])
        make_tables();
    sum->size_bytes += size_bytes;
    if (folding && size_bytes >= FOLD_BYTES) {
        size_t folded = size_bytes & ~(size_t)(BLOCK - 1);
        sum->crc = add_by_folding(sum->crc, p, folded);
        p += folded;
        size_bytes -= folded;
    }
    sum->crc = add_by_tables(sum->crc, p, size_bytes);
}

uint32_t cksum_value(const struct cksum *sum)
{
    uint32_t crc = sum->crc;

    if (!table[0][1])
        make_tables();
    for (uint64_t size = sum->size_bytes; size; size >>= 8)
        crc = add_byte(crc, (uint8_t)size);
    return ~crc;
}
