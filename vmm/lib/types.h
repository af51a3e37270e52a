/*
 * The types that every layer shares. An address says whose it is by its type: mixing a guest
 * address with a host one is the commonest way for a hypervisor to hurt itself.
 */
#ifndef LIB_TYPES_H
#define LIB_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint64_t gva_t;   /* guest virtual address */
typedef uint64_t gpa_t;   /* guest physical address */
typedef uint64_t hpa_t;   /* host physical address; the VMM is identity mapped, so also a pointer */
typedef uint64_t vtime_t; /* guest time: nanoseconds since the guest's power-on, never backwards */

#define VTIME_NEVER UINT64_MAX

#define KIB(n) ((uint64_t)(n) << 10)
#define MIB(n) ((uint64_t)(n) << 20)
#define GIB(n) ((uint64_t)(n) << 30)

#define PAGE_SIZE 4096u

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* A place that takes bytes one at a time: a serial line, a screen, a test's buffer. */
struct byte_sink {
    void (*put)(void *ctx, uint8_t byte);
    void *ctx;
};

#endif
