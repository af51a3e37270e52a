/* Which of several answers about the TSC's frequency is believed, in Hz; 0 is no answer. Pure C. */
#ifndef HW_TSC_H
#define HW_TSC_H

#include "lib/types.h"

/* Whether two measurements of the same thing agree to so many parts in a thousand of the first. */
bool tsc_agree(uint64_t a, uint64_t b, uint64_t per_mille);

/* Of the PIT's answer and another counter's about the same time: false where they contradict each
 * other. The other one is right then: a PIT is often imitated, in firmware or by an emulator. */
bool tsc_believe_pit(uint64_t pit, uint64_t other);

/* CPUID's answer instead of what counters say: where they say nothing, or where it is `exact` and
 * close to it. An emulator shows the CPUID of the CPU it imitates. */
bool tsc_believe_cpuid(uint64_t told, bool exact, uint64_t measured);

/* From 1 MHz to 100 GHz. */
bool tsc_is_plausible(uint64_t hz);

#endif
