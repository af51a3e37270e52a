/* See cksum.h. POSIX "cksum - write file checksums and sizes", with a table for each of the bytes
 * that are taken at once: eight lookups that don't wait for each other. */
#include "lib/cksum.h"

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

void cksum_add(struct cksum *sum, const void *bytes, size_t size_bytes)
{
    const uint8_t *p = bytes;
    uint32_t crc = sum->crc;

    if (!table[0][1])
        make_tables();
    sum->size_bytes += size_bytes;
    for (; size_bytes >= TABLES; size_bytes -= TABLES, p += TABLES)
        crc = look_up_four(4, crc ^ __builtin_bswap32(load_le32(p))) ^
              look_up_four(0, __builtin_bswap32(load_le32(p + 4)));
    while (size_bytes--)
        crc = add_byte(crc, *p++);
    sum->crc = crc;
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
