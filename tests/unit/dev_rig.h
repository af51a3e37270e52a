/* What the device tests share: a pin that remembers, a signal that counts, ports by offset. */
#ifndef TESTS_DEV_RIG_H
#define TESTS_DEV_RIG_H

#include "dev/dev.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

struct rig_pin {
    bool high;
    unsigned rises;
};

static inline void rig_pin_set(void *sink, unsigned pin, bool high)
{
    struct rig_pin *rig = (struct rig_pin *)sink + pin;
    rig->rises += high && !rig->high;
    rig->high = high;
}

static inline struct irq_line rig_line(struct rig_pin *pin)
{
    return (struct irq_line){rig_pin_set, pin, 0};
}

static inline void rig_count(void *ctx)
{
    ++*(unsigned *)ctx;
}

static inline struct signal_line rig_signal(unsigned *count)
{
    return (struct signal_line){rig_count, count};
}

/* A byte read that must succeed. */
static inline uint8_t rig_in(const struct dev_ops *ops, void *dev, uint32_t offset)
{
    uint64_t value = UINT64_MAX;
    assert_int_equal(ops->read(dev, offset, 1, &value), IO_OK);
    assert_true(value <= 0xff);
    return (uint8_t)value;
}

/* A byte write that must succeed. */
static inline void rig_out(const struct dev_ops *ops, void *dev, uint32_t offset, uint8_t value)
{
    assert_int_equal(ops->write(dev, offset, 1, value), IO_OK);
}

/* Two structs agree from one field to another; between the two there must be no padding, whose
 * bytes mean nothing. */
#define rig_assert_same(a, b, first, last)                                                         \
    assert_memory_equal(&(a)->first, &(b)->first,                                                  \
                        (const char *)(&(a)->last + 1) - (const char *)&(a)->first)

#endif
