/* See timeline.h. */
#include "virt/timeline.h"

#define FIRST_ROWS_PER_SECOND 64u

void timeline_init(struct timeline *timeline, uint64_t tsc_hz)
{
    timeline->width_ticks = tsc_hz / FIRST_ROWS_PER_SECOND;
    timeline->due_tsc = 0;
    timeline->rows = 0;
}

static void make_room(struct timeline *timeline)
{
    timeline->rows /= 2;
    for (unsigned i = 0; i < timeline->rows; i++)
        timeline->row[i] = timeline->row[2 * i + 1];
    timeline->width_ticks *= 2;
}

void timeline_fill(struct timeline_row *row, const struct account *account, uint64_t now)
{
    row->tsc = now;
    row->guest_ticks = account->guest_ticks;
    row->asleep_ticks = account->away_ticks[ACCOUNT_ASLEEP];
    row->stopped_ticks = account->away_ticks[ACCOUNT_STOPPED];
    for (unsigned i = 0; i < VEXIT_KIND_COUNT; i++)
        row->count[i] = (uint32_t)account->kind[i].count;
    for (unsigned i = 0; i < ACCOUNT_DETAILS; i++)
        if (account->detail[i].key)
            row->count[account_key_kind(account->detail[i].key)] +=
                (uint32_t)account->detail[i].count;
}

void timeline_add(struct timeline *timeline, const struct account *account, uint64_t now)
{
    if (timeline->rows == TIMELINE_ROWS)
        make_room(timeline);
    timeline_fill(&timeline->row[timeline->rows++], account, now);
    timeline->due_tsc = now + timeline->width_ticks;
}
