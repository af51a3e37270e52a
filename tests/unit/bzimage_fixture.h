/* A small kernel of any protocol for test_bzimage.c and test_bzimage_errors.c. Offsets and values
 * are those of "The Linux/x86 Boot Protocol" and "Zero Page", as numbers. */
#ifndef BZIMAGE_FIXTURE_H
#define BZIMAGE_FIXTURE_H

#include "pc/bzimage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define MIB_(n) ((uint64_t)(n) << 20)

struct fixture {
    uint8_t *ram;
    struct gmem gmem;
    struct e820 e820;
    uint8_t *kernel;
    uint64_t kernel_size;
    char error[BZIMAGE_ERROR_SIZE];
    struct bzimage_entry entry;
    struct bzimage_request request;
};

static inline void put16(uint8_t *p, unsigned v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

static inline void put32(uint8_t *p, uint32_t v)
{
    put16(p, v & 0xFFFF);
    put16(p + 2, v >> 16);
}

static inline uint32_t get32(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t get64(const uint8_t *p)
{
    return get32(p) | (uint64_t)get32(p + 4) << 32;
}

/* Where Linux's header ended in the release that brought each protocol. */
static inline uint8_t header_distance(unsigned version)
{
    static const uint8_t end[] = {0x3C, 0x48, 0x50, 0x58, 0x64, 0x68, 0x68, 0x68, 0x68, 0x6C};
    return (uint8_t)(end[version - 0x206] - 2);
}

/* A kernel of four setup sectors and 8000h bytes of code, each byte of which tells its place. */
static inline void make_kernel(struct fixture *f, unsigned version)
{
    uint8_t *k;

    f->kernel_size = 5 * 512 + 0x8000;
    free(f->kernel);
    k = f->kernel = calloc(1, f->kernel_size);
    for (unsigned i = 5 * 512; i < f->kernel_size; i++)
        k[i] = (uint8_t)(i * 7 + (i >> 8));
    k[0x1F1] = 4;
    put32(k + 0x1F4, 0x8000 / 16);
    put16(k + 0x1FE, 0xAA55);
    k[0x200] = 0xEB;
    k[0x201] = header_distance(version);
    memcpy(k + 0x202, "HdrS", 4);
    put16(k + 0x206, version);
    k[0x211] = 0x01;
    put32(k + 0x214, 0x100000);
    put32(k + 0x22C, version >= 0x20C ? 0x7FFFFFFF : 0x37FFFFFF);
    put32(k + 0x230, 0x200000);
    k[0x234] = 1;
    put32(k + 0x238, 2047);
    if (version >= 0x20A) {
        put32(k + 0x258, 0x1000000);
        put32(k + 0x260, 0x100000);
    }
    if (version >= 0x20C)
        put16(k + 0x236, 0x01);
    f->request.kernel = (struct guest_file){"vmlinuz", k, f->kernel_size};
}

static inline void set_memory(struct fixture *f, uint64_t bytes)
{
    free(f->ram);
    f->ram = malloc(bytes);
    memset(f->ram, 0xA5, bytes);
    f->gmem.region_count = 1;
    f->gmem.region[0] = (struct gmem_region){0, bytes, f->ram};
    e820_build(&f->e820, bytes);
}

static inline int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    set_memory(f, MIB_(32));
    f->request.gmem = &f->gmem;
    f->request.e820 = &f->e820;
    f->request.cmdline = "console=ttyS0";
    f->request.rsdp = 0xE0000;
    make_kernel(f, 0x20F);
    *state = f;
    return 0;
}

static inline int teardown(void **state)
{
    struct fixture *f = *state;

    free(f->ram);
    free(f->kernel);
    free(f);
    return 0;
}

static inline void load_ok(struct fixture *f)
{
    if (!bzimage_load(&f->request, &f->entry, f->error))
        fail_msg("refused: %s", f->error);
}

/* The whole sentence counts: it is what the user gets. */
static inline void load_fails(struct fixture *f, const char *sentence)
{
    assert_false(bzimage_load(&f->request, &f->entry, f->error));
    assert_string_equal(f->error, sentence);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
