/* See account.h: what isn't part of every exit. */
#include "virt/account.h"

#include "lib/fmt.h"
#include "lib/mem.h"

void account_init(struct account *account)
{
    memset(account, 0, sizeof(*account));
    account->current = &account->kind[ACCOUNT_START];
}

/* --- by the run loop -------------------------------------------------------------------------- */

void account_begin(struct account *account, uint64_t now)
{
    if (!account->first_tsc)
        account->first_tsc = now;
    account->started_tsc = account->since = now;
    account->current = &account->kind[ACCOUNT_START];
    account->running = true;
}

void account_end(struct account *account, uint64_t now)
{
    account_charge(account, now);
    account->current = &account->kind[ACCOUNT_START];
    account->wall_ticks += now - account->started_tsc;
    account->running = false;
}

void account_leave(struct account *account, enum account_away as, uint64_t now)
{
    account->away = true;
    account->away_as = as;
    account->left_tsc = now;
}

void account_return(struct account *account, uint64_t now)
{
    uint64_t ticks = now - account->left_tsc;
    account->away = false;
    account->away_ticks[account->away_as] += ticks;
    account->since += ticks;
}

static bool find_in(struct account *account, uint64_t key, unsigned first)
{
    for (unsigned i = 0; i < ACCOUNT_PROBES; i++) {
        struct account_slot *slot = &account->detail[(first + i) % ACCOUNT_DETAILS];
        if (slot->key == 0)
            slot->key = key;
        if (slot->key == key) {
            account->current = slot;
            return true;
        }
    }
    return false;
}

void account_find(struct account *account, enum vexit_kind kind, uint64_t value)
{
    unsigned first = account_hash(value);
    if (!find_in(account, account_key(kind, value), first))
        account->current = &account->kind[kind];
}

void account_sample_rip(struct account *account, uint64_t rip)
{
    struct account_rip *set = account->rip[(uint32_t)(rip * 0x9e3779b1u) / (1u << 27)];
    struct account_rip *rarest = set;
    account->rip_samples++;
    for (unsigned i = 0; i < ACCOUNT_RIP_WAYS; i++) {
        if (set[i].rip == rip && set[i].count) {
            set[i].count++;
            return;
        }
        if (set[i].count < rarest->count)
            rarest = &set[i];
    }
    *rarest = (struct account_rip){rip, rarest->count + 1, rarest->count};
}

/* --- for whoever looks ------------------------------------------------------------------------ */

void account_snapshot(const struct account *account, uint64_t now, struct account *copy)
{
    memcpy(copy, account, sizeof(*copy));
    copy->current = (struct account_slot *)((uint8_t *)copy + ((const uint8_t *)account->current -
                                                               (const uint8_t *)account));
    if (!copy->running)
        return;
    if (copy->away)
        account_return(copy, now);
    account_end(copy, now);
}

struct account_slot account_kind(const struct account *account, unsigned kind)
{
    struct account_slot sum = account->kind[kind];
    for (unsigned i = 0; i < ACCOUNT_DETAILS; i++) {
        const struct account_slot *slot = &account->detail[i];
        if (slot->key == 0 || account_key_kind(slot->key) != kind)
            continue;
        sum.count += slot->count;
        sum.ticks += slot->ticks;
        sum.max = max_u64(sum.max, slot->max);
    }
    return sum;
}

void account_total(const struct account *account, struct account_totals *totals)
{
    *totals = (struct account_totals){
        .vmm_ticks = account->kind[ACCOUNT_START].ticks,
        .guest_ticks = account->guest_ticks,
        .asleep_ticks = account->away_ticks[ACCOUNT_ASLEEP],
        .stopped_ticks = account->away_ticks[ACCOUNT_STOPPED],
        .wall_ticks = account->wall_ticks,
    };
    for (unsigned kind = 0; kind < VEXIT_KIND_COUNT; kind++) {
        struct account_slot sum = account_kind(account, kind);
        totals->exits += sum.count;
        totals->vmm_ticks += sum.ticks;
    }
}

/* Equal ones go by their key, upwards. */
static bool costs_more(const struct account_slot *a, const struct account_slot *b)
{
    return a->ticks != b->ticks ? a->ticks > b->ticks : a->key < b->key;
}

bool account_next_costly(const struct account *account, struct account_slot *slot)
{
    const struct account_slot *next = NULL;
    for (unsigned i = 0; i < ACCOUNT_DETAILS; i++) {
        const struct account_slot *other = &account->detail[i];
        if (other->count && costs_more(slot, other) && (!next || costs_more(other, next)))
            next = other;
    }
    if (next)
        *slot = *next;
    return next;
}

static bool is_hotter(const struct account_rip *a, const struct account_rip *b)
{
    return a->count != b->count ? a->count > b->count : a->rip < b->rip;
}

bool account_next_rip(const struct account *account, struct account_rip *rip)
{
    const struct account_rip *next = NULL;
    for (unsigned i = 0; i < ACCOUNT_RIP_SETS * ACCOUNT_RIP_WAYS; i++) {
        const struct account_rip *other = &account->rip[0][0] + i;
        if (other->count && is_hotter(rip, other) && (!next || is_hotter(other, next)))
            next = other;
    }
    if (next)
        *rip = *next;
    return next;
}

void account_name(uint64_t key, char text[ACCOUNT_NAME_SIZE])
{
    unsigned long long value = account_key_value(key);
    switch (account_key_kind(key)) {
    case VEXIT_PIO:
        fmt_snprintf(text, ACCOUNT_NAME_SIZE, "port %llx", value);
        break;
    case VEXIT_NPF:
        fmt_snprintf(text, ACCOUNT_NAME_SIZE, "page %llx", value * PAGE_SIZE);
        break;
    case VEXIT_WRMSR:
        fmt_snprintf(text, ACCOUNT_NAME_SIZE, "write of MSR %llx", value);
        break;
    default:
        fmt_snprintf(text, ACCOUNT_NAME_SIZE, "read of MSR %llx", value);
        break;
    }
}
