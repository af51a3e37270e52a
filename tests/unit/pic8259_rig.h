/* The pic8259 on the bench of its tests. */
#ifndef TESTS_PIC8259_RIG_H
#define TESTS_PIC8259_RIG_H

#include "dev/pic8259.h"
#include "dev_rig.h"

/* Offsets: 0 1 are ports 20h 21h, 2 3 are A0h A1h, 4 5 are 4D0h 4D1h. */
static struct pic8259 pic;
static struct rig_pin intr;

static inline uint8_t in(uint32_t offset)
{
    return rig_in(&pic8259_ops, &pic, offset);
}

static inline void out(uint32_t offset, uint8_t value)
{
    rig_out(&pic8259_ops, &pic, offset, value);
}

static inline void irq(unsigned pin, bool high)
{
    pic8259_set_irq(&pic, pin, high);
}

static inline int power_on(void **state)
{
    (void)state;
    intr = (struct rig_pin){0};
    pic8259_init(&pic, rig_line(&intr));
    return 0;
}

static inline void initialize(uint8_t master_icw4, uint8_t slave_icw4)
{
    static const uint32_t ports[] = {0, 1, 1, 1, 2, 3, 3, 3};
    const uint8_t bytes[] = {0x11, 0x30, 0x04, master_icw4, 0x11, 0x38, 0x02, slave_icw4};
    for (unsigned i = 0; i < 8; i++)
        out(ports[i], bytes[i]);
}

/* Vectors 30h and 38h, nothing masked. */
static inline int setup(void **state)
{
    power_on(state);
    initialize(0x01, 0x01);
    return 0;
}

#endif
