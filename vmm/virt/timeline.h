/*
 * The counts of exits over time: rows of what had been counted by then, at about equal distances.
 * When the table is full, every second row goes and the distance doubles, so that it covers any
 * time, and its resolution is that time / 256 at the least.
 */
#ifndef VIRT_TIMELINE_H
#define VIRT_TIMELINE_H

#include "virt/account.h"

#define TIMELINE_ROWS 256u /* even */

struct timeline_row {
    uint64_t tsc;
    uint64_t guest_ticks, asleep_ticks, stopped_ticks;
    uint32_t count[VEXIT_KIND_COUNT]; /* modulo 2^32 */
};

struct timeline {
    uint64_t width_ticks;
    uint64_t due_tsc; /* of the next row */
    unsigned rows;
    struct timeline_row row[TIMELINE_ROWS];
};

void timeline_init(struct timeline *timeline, uint64_t tsc_hz);
/* What has been counted by now, as a row. */
void timeline_fill(struct timeline_row *row, const struct account *account, uint64_t now);
void timeline_add(struct timeline *timeline, const struct account *account, uint64_t now);

#endif
