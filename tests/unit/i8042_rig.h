/* The i8042 on the bench of its tests. */
#ifndef TESTS_I8042_RIG_H
#define TESTS_I8042_RIG_H

#include "dev/i8042.h"
#include "dev_rig.h"

/* Offset 0 is port 60h, 4 is port 64h. */
static struct i8042 ctl;
static struct rig_pin irq1, irq12;
static unsigned resets, rooms;

static inline int setup(void **state)
{
    (void)state;
    irq1 = irq12 = (struct rig_pin){0};
    resets = rooms = 0;
    i8042_init(&ctl, rig_line(&irq1), rig_line(&irq12), rig_signal(&resets), rig_signal(&rooms));
    return 0;
}

static inline uint8_t in(uint32_t offset)
{
    return rig_in(&i8042_ops, &ctl, offset);
}

static inline void out(uint32_t offset, uint8_t value)
{
    rig_out(&i8042_ops, &ctl, offset, value);
}

static inline bool full(void)
{
    return in(4) & 0x01;
}

/* Reads what is there; the whole must be these bytes. */
static inline void expect_bytes(const char *bytes, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        assert_true(full());
        assert_int_equal(in(0), (uint8_t)bytes[i]);
    }
    assert_false(full());
}

#define EXPECT(bytes) expect_bytes(bytes, sizeof(bytes) - 1)

static inline void keys(const char *bytes, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        assert_true(i8042_host_scancode(&ctl, (uint8_t)bytes[i]));
}

#define KEYS(bytes) keys(bytes, sizeof(bytes) - 1)

static inline void set_command_byte(uint8_t value)
{
    out(4, 0x60);
    out(0, value);
}

#endif
