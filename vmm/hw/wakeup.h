/*
 * One timer, two users: what hw_timer_arm() was told, and a sleep. This decides when the hardware
 * has to be programmed, so that it is touched as seldom as possible: what it holds is only ever
 * replaced by something earlier. An interrupt that then comes too early finds out what is still
 * awaited. A guest's CPU that is to be notified needs the timer to itself, and takes the interrupt
 * without anybody's knowing. Pure: no hardware here. Times are the host's TSC; UINT64_MAX is never.
 */
#ifndef HW_WAKEUP_H
#define HW_WAKEUP_H

#include "lib/types.h"

#define WAKEUP_NEVER UINT64_MAX

struct wakeup {
    uint64_t asked; /* the deadline of hw_timer_arm() that is still to come */
    uint64_t armed; /* when the hardware is going to interrupt, at the latest */
};

/* Each gives the time to program, or WAKEUP_NEVER when the hardware is to be left as it is. */

static inline uint64_t wakeup_sleep(struct wakeup *wakeup, uint64_t deadline)
{
    if (deadline >= wakeup->armed)
        return WAKEUP_NEVER;
    return wakeup->armed = deadline;
}

static inline uint64_t wakeup_ask(struct wakeup *wakeup, uint64_t deadline)
{
    wakeup->asked = deadline;
    return wakeup_sleep(wakeup, deadline);
}

/* The hardware will interrupt at the deadline and at no other time. Gives when it would have. */
static inline uint64_t wakeup_only(struct wakeup *wakeup, uint64_t deadline)
{
    uint64_t before = wakeup->armed;
    wakeup->asked = WAKEUP_NEVER;
    wakeup->armed = deadline;
    return before;
}

/* What was to interrupt by now isn't going to: it has, or it waits for interrupts to be on. */
static inline void wakeup_passed(struct wakeup *wakeup, uint64_t now)
{
    if (wakeup->armed <= now)
        wakeup->armed = WAKEUP_NEVER;
}

/* The hardware's interrupt: it is idle now. A deadline that has passed is served by this one. */
static inline uint64_t wakeup_fired(struct wakeup *wakeup, uint64_t now)
{
    wakeup->armed = WAKEUP_NEVER;
    if (wakeup->asked <= now)
        wakeup->asked = WAKEUP_NEVER;
    return wakeup_sleep(wakeup, wakeup->asked);
}

#endif
