/* Memory and strings. The four mem* functions carry libc's names: the compiler calls them itself.
 */
#ifndef LIB_MEM_H
#define LIB_MEM_H

#include "lib/types.h"

void *memcpy(void *restrict dst, const void *restrict src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);

/*
 * Freestanding C has no built-in functions by these names. A short copy of a known size is worth
 * having in line; a long one isn't, because a compiler that saves space makes it REP MOVSB, which
 * moves a byte where mem.c moves a word.
 */
#if !__STDC_HOSTED__
#define MEM_INLINE_MAX 16
#define memcpy(dst, src, n)                                                                        \
    (__builtin_constant_p(n) && (n) <= MEM_INLINE_MAX ? __builtin_memcpy(dst, src, n)              \
                                                      : (memcpy)(dst, src, n))
#endif

size_t str_len(const char *s);
bool str_eq(const char *a, const char *b);
/* Copies at most size_bytes - 1 characters and ends dst with a NUL; false when src didn't fit. */
bool str_copy(char *dst, size_t size_bytes, const char *src);

/* Little-endian loads and stores of unaligned bytes: file formats and ring structures. */
static inline uint16_t load_le16(const void *p)
{
    const uint8_t *b = p;
    return (uint16_t)(b[0] | b[1] << 8);
}

static inline uint32_t load_le32(const void *p)
{
    const uint8_t *b = p;
    return b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static inline uint64_t load_le64(const void *p)
{
    const uint8_t *b = p;
    return load_le32(b) | (uint64_t)load_le32(b + 4) << 32;
}

static inline void store_le16(void *p, uint16_t v)
{
    uint8_t *b = p;
    b[0] = (uint8_t)v;
    b[1] = (uint8_t)(v >> 8);
}

static inline void store_le32(void *p, uint32_t v)
{
    uint8_t *b = p;
    store_le16(b, (uint16_t)v);
    store_le16(b + 2, (uint16_t)(v >> 16));
}

static inline void store_le64(void *p, uint64_t v)
{
    uint8_t *b = p;
    store_le32(b, (uint32_t)v);
    store_le32(b + 4, (uint32_t)(v >> 32));
}

#endif
