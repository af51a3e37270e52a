/*
 * The contract of every guest device. A device is pure C: it knows no vCPU, no clock, no
 * allocator, no log. What it needs is injected at its init and sits in the structs below; the very
 * same file is compiled into the VMM, the unit tests and the fuzzers.
 */
#ifndef DEV_DEV_H
#define DEV_DEV_H

#include "lib/types.h"

/*
 * An interrupt pin. Level only and idempotent: a device recomputes its pin from its state at the
 * end of every entry point and calls irq_set() with the result; edge or level is the PIC's affair.
 */
struct irq_line {
    void (*set)(void *sink, unsigned pin, bool high);
    void *sink;
    unsigned pin;
};

static inline void irq_set(const struct irq_line *line, bool high)
{
    if (line->set)
        line->set(line->sink, line->pin, high);
}

static inline void sink_put(const struct byte_sink *sink, uint8_t byte)
{
    if (sink->put)
        sink->put(sink->ctx, byte);
}

/* A request to the machine: power off, reset, A20. The machine acts when the exit is finished. */
struct signal_line {
    void (*raise)(void *ctx);
    void *ctx;
};

static inline void signal_raise(const struct signal_line *line)
{
    if (line->raise)
        line->raise(line->ctx);
}

enum io_result {
    IO_OK,
    IO_NO_REGISTER, /* nothing answers at that offset: the bus reads all ones, ignores writes */
    IO_BAD_SIZE     /* the register exists, but not in that width: likewise */
};

/*
 * Offsets are relative to the range that the device was given on the bus; `size` is 1, 2 or 4
 * (MMIO: also 8). A read stores a value that fits in `size` bytes. `now` is guest time: the bus
 * calls advance(now) before each access to a device that has it, and the machine calls it when
 * next_deadline() has come. After advance(now), next_deadline() > now or VTIME_NEVER.
 */
struct dev_ops {
    const char *name;
    enum io_result (*read)(void *dev, uint32_t offset, unsigned size, uint64_t *value);
    enum io_result (*write)(void *dev, uint32_t offset, unsigned size, uint64_t value);
    void (*reset)(void *dev);                  /* the chip's reset pin */
    void (*advance)(void *dev, vtime_t now);   /* NULL when the device has no clock */
    vtime_t (*next_deadline)(const void *dev); /* NULL likewise */
};

#endif
