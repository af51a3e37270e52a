/* See tsc.h. */
#include "hw/tsc.h"

#define CLOSE_PER_MILLE 10u /* what quartzes and pauses of the machine may differ by */

#define MIN_HZ 1000000ull
#define MAX_HZ 100000000000ull

bool tsc_agree(uint64_t a, uint64_t b, uint64_t per_mille)
{
    uint64_t difference = a > b ? a - b : b - a;
    return difference <= a / 1000 * per_mille;
}

bool tsc_believe_pit(uint64_t pit, uint64_t other)
{
    return pit && (!other || tsc_agree(pit, other, CLOSE_PER_MILLE));
}

bool tsc_believe_cpuid(uint64_t told, bool exact, uint64_t measured)
{
    return told && (!measured || (exact && tsc_agree(measured, told, CLOSE_PER_MILLE)));
}

bool tsc_is_plausible(uint64_t hz)
{
    return hz >= MIN_HZ && hz <= MAX_HZ;
}
