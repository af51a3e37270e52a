/* A PCI bus with two equal devices that have a BAR of each kind, for the tests of pci.c. */
#ifndef TESTS_PCI_BENCH_H
#define TESTS_PCI_BENCH_H

#include "virtio_guest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

struct scratch {
    uint32_t value;
    uint32_t last_offset;
    unsigned resets, reads, writes;
};

static inline enum io_result scratch_read(void *dev, uint32_t offset, unsigned size,
                                          uint64_t *value)
{
    struct scratch *scratch = dev;
    (void)size;
    scratch->last_offset = offset;
    *value = scratch->value;
    return IO_OK;
}

static inline enum io_result scratch_write(void *dev, uint32_t offset, unsigned size,
                                           uint64_t value)
{
    struct scratch *scratch = dev;
    (void)size;
    scratch->last_offset = offset;
    scratch->value = (uint32_t)value;
    return IO_OK;
}

static inline void scratch_reset(void *ctx)
{
    ((struct scratch *)ctx)->resets++;
}

static inline void scratch_config_read(void *ctx, unsigned reg, unsigned size)
{
    (void)reg, (void)size;
    ((struct scratch *)ctx)->reads++;
}

static inline void scratch_config_written(void *ctx, unsigned reg, unsigned size)
{
    (void)reg, (void)size;
    ((struct scratch *)ctx)->writes++;
}

static const struct dev_ops scratch_ops = {
    .name = "scratch", .read = scratch_read, .write = scratch_write, .reset = scratch_reset};
static const struct pci_device_ops scratch_hooks = {.config_read = scratch_config_read,
                                                    .config_written = scratch_config_written,
                                                    .reset = scratch_reset};
static const struct pci_identity scratch_identity = {.vendor_id = 0x1234,
                                                     .device_id = 0x5678,
                                                     .subsystem_vendor_id = 0x9ABC,
                                                     .subsystem_id = 0xDEF0,
                                                     .class_code = 0x112233,
                                                     .revision_id = 0x44,
                                                     .interrupt_pin = 1};

static inline struct pci_bar make_bar(enum pci_bar_kind kind, uint64_t size,
                                      struct scratch *scratch)
{
    return (struct pci_bar){.kind = kind, .size_bytes = size, .ops = &scratch_ops, .dev = scratch};
}

struct bench {
    struct machine m;
    struct scratch scratch[2];
    struct pci_device device[2]; /* slots 2 and 6: both on link 2 */
};

static inline struct bench *bench_new(void)
{
    struct bench *b = calloc(1, sizeof(*b));
    machine_pci(&b->m);
    for (unsigned i = 0; i < 2; i++) {
        struct pci_bar io = make_bar(PCI_BAR_IO, 32, &b->scratch[i]);
        struct pci_bar mem32 = make_bar(PCI_BAR_MEM32, 0x1000, &b->scratch[i]);
        struct pci_bar mem64 = make_bar(PCI_BAR_MEM64, 0x10000, &b->scratch[i]);
        pci_device_init(&b->device[i], &scratch_identity, &scratch_hooks, &b->scratch[i]);
        assert_true(pci_add_bar(&b->device[i], 0, &io));
        assert_true(pci_add_bar(&b->device[i], 1, &mem32));
        assert_true(pci_add_bar(&b->device[i], 2, &mem64));
        assert_true(pci_attach(&b->m.pci, &b->device[i], 2 + 4 * i));
    }
    return b;
}

#endif
