/*
 * Random numbers by the CPU: RDSEED, which gives entropy itself, else RDRAND, whose generator is
 * seeded by it. SDM "Random Number Generator Instructions": RDRAND fails next to never and ten
 * tries are enough; RDSEED may well fail when it is called faster than entropy comes, so that one
 * which keeps failing gives way to RDRAND.
 */
#include "hw/hw.h"

#include "hw/cpu.h"
#include "lib/bits.h"
#include "lib/mem.h"

#define RDRAND_TRIES 10u
#define RDSEED_TRIES 32u
#define PROBE_DRAWS  8u

static bool has_rdrand, has_rdseed;

static bool try_rdrand(uint64_t *value)
{
    for (unsigned i = 0; i < RDRAND_TRIES; i++)
        if (rdrand(value))
            return true;
    return false;
}

static bool try_rdseed(uint64_t *value)
{
    for (unsigned i = 0; i < RDSEED_TRIES; i++) {
        if (rdseed(value))
            return true;
        cpu_pause();
    }
    return false;
}

static bool draw(uint64_t *value)
{
    return (has_rdseed && try_rdseed(value)) || (has_rdrand && try_rdrand(value));
}

/* Some CPUs announce a generator that gives the same number for ever. */
static bool varies(void)
{
    uint64_t first, next;
    if (!draw(&first))
        return false;
    for (unsigned i = 1; i < PROBE_DRAWS; i++)
        if (draw(&next) && next != first)
            return true;
    return false;
}

const char *random_init(void)
{
    uint32_t regs[4];
    cpuid(0, 0, regs);
    uint32_t max_leaf = regs[0];
    cpuid(1, 0, regs);
    has_rdrand = regs[2] & BIT(30);
    if (max_leaf >= 7) {
        cpuid(7, 0, regs);
        has_rdseed = regs[1] & BIT(18);
    }
    if (!varies())
        has_rdrand = has_rdseed = false;
    return has_rdseed ? "RDSEED" : has_rdrand ? "RDRAND" : NULL;
}

uint32_t random_fill(void *ctx, uint8_t *bytes, uint32_t size)
{
    uint32_t done = 0;
    uint64_t value;
    (void)ctx;
    while (done < size && draw(&value)) {
        uint32_t piece = (uint32_t)min_u64(size - done, sizeof(value));
        memcpy(bytes + done, &value, piece);
        done += piece;
    }
    return done;
}
