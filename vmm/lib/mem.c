/*
 * memcpy and its family for code without a libc: the VMM (64-bit) and stage 2 (32-bit). Hosted
 * builds (unit tests, fuzzers) use libc's; MEM_BARE is how one of them tests these.
 */
#include "lib/mem.h"

#if !__STDC_HOSTED__
#undef memcpy
#endif

#if !__STDC_HOSTED__ || defined(MEM_BARE)

/* Below this many bytes the start-up cost of a REP instruction outweighs its speed. */
#define SMALL 32u

/*
 * REP with the widest word: microcoded CPUs move cache lines either way, and an emulator pays for
 * each repetition. The direction flag is clear throughout the VMM, as the ABI demands.
 */
static void copy_forward(uint8_t *dst, const uint8_t *src, size_t n)
{
    if (n >= SMALL) {
        size_t words = n / sizeof(size_t);
        n %= sizeof(size_t);
#ifdef __x86_64__
        __asm__ volatile("rep movsq" : "+D"(dst), "+S"(src), "+c"(words) : : "memory");
#else
        __asm__ volatile("rep movsl" : "+D"(dst), "+S"(src), "+c"(words) : : "memory");
#endif
    }
    for (; n; n--) {
        *dst++ = *src++;
        __asm__ volatile("" : : : "memory"); /* keeps the compiler from calling memcpy here */
    }
}

/* A word at any address. */
typedef size_t __attribute__((may_alias, aligned(1))) word;

/* Less than SMALL: words, the last of which may lie over the one before. */
static inline void copy_small(uint8_t *dst, const uint8_t *src, size_t n)
{
    if (n < sizeof(word)) {
        copy_forward(dst, src, n);
        return;
    }
    size_t last = n - sizeof(word);
    for (size_t at = 0; at < last; at += sizeof(word))
        *(word *)(dst + at) = *(const word *)(src + at);
    *(word *)(dst + last) = *(const word *)(src + last);
}

void *memcpy(void *restrict dst, const void *restrict src, size_t n)
{
    if (n < SMALL)
        copy_small(dst, src, n);
    else
        copy_forward(dst, src, n);
    return dst;
}

void *memmove(void *dst, const void *src, size_t n)
{
    uint8_t *to = dst;
    const uint8_t *from = src;

    if (to <= from || (size_t)(to - from) >= n) {
        copy_forward(to, from, n);
        return dst;
    }
    while (n--) {
        to[n] = from[n];
        __asm__ volatile("" : : : "memory");
    }
    return dst;
}

void *memset(void *dst, int byte, size_t n)
{
    uint8_t *to = dst;

    if (n >= SMALL) {
        size_t words = n / sizeof(size_t);
        size_t pattern = (uint8_t)byte * ((size_t)-1 / 0xFF);
        n %= sizeof(size_t);
#ifdef __x86_64__
        __asm__ volatile("rep stosq" : "+D"(to), "+c"(words) : "a"(pattern) : "memory");
#else
        __asm__ volatile("rep stosl" : "+D"(to), "+c"(words) : "a"(pattern) : "memory");
#endif
    }
    for (; n; n--) {
        *to++ = (uint8_t)byte;
        __asm__ volatile("" : : : "memory");
    }
    return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
    const uint8_t *x = a, *y = b;

    for (size_t i = 0; i < n; i++)
        if (x[i] != y[i])
            return x[i] - y[i];
    return 0;
}

#endif

size_t str_len(const char *s)
{
    size_t n = 0;
    while (s[n]) {
        n++;
        __asm__ volatile("" : : : "memory"); /* else the compiler makes this a call of strlen */
    }
    return n;
}

bool str_eq(const char *a, const char *b)
{
    while (*a && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

bool str_copy(char *dst, size_t size_bytes, const char *src)
{
    size_t len = str_len(src);
    size_t copied = len < size_bytes ? len : size_bytes - 1;

    memcpy(dst, src, copied);
    dst[copied] = 0;
    return copied == len;
}
