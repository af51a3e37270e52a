/* A fuzzer's bytes as a stream of numbers, least significant byte first; zeros behind its end. */
#ifndef FUZZ_INPUT_H
#define FUZZ_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

struct input {
    const uint8_t *data;
    size_t size;
};

/* An invariant: the fuzzer reports an abort with the input that led to it. */
static inline void check(bool ok)
{
    if (!ok)
        abort();
}

static inline uint8_t take8(struct input *in)
{
    if (in->size == 0)
        return 0;
    in->size--;
    return *in->data++;
}

/* bytes: 1 to 8 */
static inline uint64_t take(struct input *in, unsigned bytes)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; i++)
        value |= (uint64_t)take8(in) << (8 * i);
    return value;
}

#endif
