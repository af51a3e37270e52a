/*
 * Where the time goes: every exit counted and timed by its kind, and by port, MSR or page of device
 * memory. The entry stub takes the TSC as the last thing before the guest runs and as the first
 * thing behind it. An exit costs pxHV what lies between its own stamp and that of the next entry;
 * the guest has what lies between an entry and its exit. Both are measured, and so are the times
 * that the CPU slept in HLT or the guest stood still for a debugger; that all of it together is the
 * time that passed is therefore a check that can fail.
 *
 * A guest can't make it slow or overflow it: a port, MSR or page that finds no slot within a few
 * steps is counted with its kind alone.
 */
#ifndef VIRT_ACCOUNT_H
#define VIRT_ACCOUNT_H

#include "lib/bits.h"
#include "virt/vexit.h"

#define ACCOUNT_DETAILS  256u /* as account_hash() has values */
#define ACCOUNT_PROBES   8u
#define ACCOUNT_RIP_SETS 32u
#define ACCOUNT_RIP_WAYS 4u

/* `make bench` builds a pxHV without, to see what it costs. */
#ifdef PXHV_NO_ACCOUNT
#define ACCOUNT_ON false
#else
#define ACCOUNT_ON true
#endif

/* Behind the kinds of exits: from vcpu_run() to the first entry. Not an exit. */
#define ACCOUNT_START VEXIT_KIND_COUNT

struct account_slot {
    uint64_t key;   /* 0: unused; else see account_key() */
    uint64_t count; /* exits that are over: one that is being handled isn't among them */
    uint64_t ticks; /* of pxHV's for them */
    uint64_t max;   /* of one of them */
};

/* Every so many exits the RIP of one is looked at. A table of few sets keeps the most frequent: a
 * newcomer takes the place of the rarest in its set and inherits its count as error. */
struct account_rip {
    uint64_t rip;
    uint64_t count; /* samples; too many by `error` at the most */
    uint64_t error;
};

/* What is neither the guest's time nor pxHV's. */
enum account_away { ACCOUNT_ASLEEP, ACCOUNT_STOPPED, ACCOUNT_AWAY_COUNT };

struct account {
    uint64_t since;               /* TSC from which the current exit is charged */
    struct account_slot *current; /* whose exit it is */
    uint64_t guest_ticks;

    bool running; /* between account_begin() and account_end() */
    bool away;    /* between account_leave() and account_return() */
    enum account_away away_as;
    uint64_t left_tsc;    /* when it went away */
    uint64_t started_tsc; /* when it began to run */
    uint64_t first_tsc;   /* the same of the first time */
    uint64_t away_ticks[ACCOUNT_AWAY_COUNT];
    uint64_t wall_ticks; /* of all runs that are over */

    struct account_slot kind[VEXIT_KIND_COUNT + 1]; /* what no slot below holds */
    struct account_slot detail[ACCOUNT_DETAILS];
    struct account_rip rip[ACCOUNT_RIP_SETS][ACCOUNT_RIP_WAYS];
    uint64_t rip_samples;
};

/* --- by the run loop -------------------------------------------------------------------------- */

void account_begin(struct account *account, uint64_t now);
void account_end(struct account *account, uint64_t now);
/* The CPU sleeps, or the guest stands still, from here on to account_return(). */
void account_leave(struct account *account, enum account_away as, uint64_t now);
void account_return(struct account *account, uint64_t now);

static inline void account_charge(struct account *account, uint64_t until)
{
    struct account_slot *slot = account->current;
    uint64_t ticks = until - account->since;
    slot->count++;
    slot->ticks += ticks;
    if (__builtin_expect(ticks > slot->max, 0))
        slot->max = ticks;
}

/* An exit begins, and with it is known what the one before it has cost. */
static inline void account_exit(struct account *account, enum vexit_kind kind, uint64_t entered,
                                uint64_t exited)
{
    if (!ACCOUNT_ON)
        return;
    account_charge(account, entered);
    account->guest_ticks -= entered; /* two steps: an instruction less */
    account->guest_ticks += exited;
    account->since = exited;
    account->current = &account->kind[kind];
}

static inline uint64_t account_key(enum vexit_kind kind, uint64_t value)
{
    return ((uint64_t)kind + 1) << 56 | (value & (BIT64(56) - 1));
}

static inline enum vexit_kind account_key_kind(uint64_t key)
{
    return (enum vexit_kind)((key >> 56) - 1);
}

static inline uint64_t account_key_value(uint64_t key)
{
    return key & (BIT64(56) - 1);
}

/* Ports, MSRs and pages come in rows; the product's top byte scatters them. The kind has no part in
 * it, which spares instructions: the same number of another kind is one step further. */
static inline unsigned account_hash(uint64_t value)
{
    return (uint32_t)value * 0x9e3779b1u / (1u << 24);
}

void account_find(struct account *account, enum vexit_kind kind, uint64_t value);

/* The exit that is being handled was caused by this port, MSR or page. */
static inline void account_detail(struct account *account, enum vexit_kind kind, uint64_t value)
{
    if (!ACCOUNT_ON)
        return;
    struct account_slot *slot = &account->detail[account_hash(value)];
    if (__builtin_expect(slot->key == account_key(kind, value), 1))
        account->current = slot;
    else
        account_find(account, kind, value);
}

void account_sample_rip(struct account *account, uint64_t rip);

/* --- for whoever looks ------------------------------------------------------------------------ */

void account_init(struct account *account);

/* A copy in which the exit that is being handled is charged up to now: its numbers add up. */
void account_snapshot(const struct account *account, uint64_t now, struct account *copy);

struct account_totals {
    uint64_t exits;
    uint64_t vmm_ticks, guest_ticks, asleep_ticks, stopped_ticks;
    uint64_t wall_ticks; /* measured by itself */
};

/* Of a snapshot. */
void account_total(const struct account *account, struct account_totals *totals);

/* All exits of a kind, with those that a slot of their own counts. Of a snapshot, or, but for what
 * is being handled, of the running account. */
struct account_slot account_kind(const struct account *account, unsigned kind);

/* The ports, MSRs and pages from the one that cost most to the one that cost least; `slot` holds
 * the one before, at first {.ticks = UINT64_MAX}. False when there is no other. */
bool account_next_costly(const struct account *account, struct account_slot *slot);
/* What a slot's key means: "port 3f8". */
#define ACCOUNT_NAME_SIZE 32u
void account_name(uint64_t key, char text[ACCOUNT_NAME_SIZE]);

/* Likewise the RIPs by their samples, at first {.count = UINT64_MAX}. */
bool account_next_rip(const struct account *account, struct account_rip *rip);

#endif
