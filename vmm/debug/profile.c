/* See profile.h. */
#include "debug/profile.h"

#include "lib/fmt.h"
#include "lib/mem.h"

/* --- a window onto the file ------------------------------------------------------------------- */

/* What is put behind one another is the file; what lies in the window is copied out. */
struct window {
    uint64_t at; /* the next byte put */
    uint64_t begin, end;
    uint8_t *to;
};

static void put(struct window *window, const void *from, uint64_t length)
{
    uint64_t begin = max_u64(window->at, window->begin);
    uint64_t end = min_u64(window->at + length, window->end);
    if (begin < end)
        memcpy(window->to + (begin - window->begin), (const uint8_t *)from + (begin - window->at),
               end - begin);
    window->at += length;
}

/* The head of a section. False, and the records count as put, where none lies in the window. */
static bool put_section(struct window *window, const char *tag, uint32_t record_bytes,
                        uint64_t records)
{
    struct profile_section section = {.record_bytes = record_bytes, .records = records};
    uint64_t bytes = record_bytes * records;
    memcpy(section.tag, tag, sizeof(section.tag));
    put(window, &section, sizeof(section));
    if (window->at < window->end && window->at + bytes > window->begin)
        return true;
    window->at += bytes;
    return false;
}

/* --- the sections ----------------------------------------------------------------------------- */

static struct account *snapshot; /* the source's, and when it was taken */
static uint64_t now_tsc;
static uint64_t detail_count, rip_count;

static void take_snapshot(const struct vcpu *vcpu)
{
    struct account_slot slot = {.ticks = UINT64_MAX};
    struct account_rip rip = {.count = UINT64_MAX};
    now_tsc = vcpu->host->tsc();
    account_snapshot(&vcpu->account, now_tsc, snapshot);
    for (detail_count = 0; account_next_costly(snapshot, &slot);)
        detail_count++;
    for (rip_count = 0; account_next_rip(snapshot, &rip);)
        rip_count++;
}

static void put_info(struct window *window, const struct profile_source *source)
{
    const struct vcpu *vcpu = source->vcpu;
    struct account_totals totals;
    if (!put_section(window, "INFO", sizeof(struct profile_info), 1))
        return;
    account_total(snapshot, &totals);
    struct profile_info info = {
        .tsc_hz = vcpu->clock.tsc_hz,
        .stage2_tsc = source->stage2_tsc,
        .loaded_tsc = source->loaded_tsc,
        .enabled_tsc = source->enabled_tsc,
        .launch_tsc = source->launch_tsc,
        .first_tsc = snapshot->first_tsc,
        .now_tsc = now_tsc,
        .exits = vcpu->exits,
        .wall_ticks = totals.wall_ticks,
        .guest_ticks = totals.guest_ticks,
        .vmm_ticks = totals.vmm_ticks,
        .asleep_ticks = totals.asleep_ticks,
        .stopped_ticks = totals.stopped_ticks,
        .start_ticks = snapshot->kind[ACCOUNT_START].ticks,
        .rip_samples = snapshot->rip_samples,
        .memory_bytes = source->memory_bytes,
        .exits_per_sample = TRACE_TURN,
        .tracing = trace_on(vcpu),
    };
    fmt_snprintf(info.backend, sizeof(info.backend), "%s", vcpu->backend->name);
    fmt_snprintf(info.version, sizeof(info.version), "%s", PXHV_VERSION);
    fmt_snprintf(info.guest, sizeof(info.guest), "%s", source->guest);
    put(window, &info, sizeof(info));
}

static void put_kinds(struct window *window)
{
    if (!put_section(window, "KIND", sizeof(struct profile_kind), VEXIT_KIND_COUNT))
        return;
    for (uint32_t kind = 0; kind < VEXIT_KIND_COUNT; kind++) {
        struct account_slot sum = account_kind(snapshot, kind);
        struct profile_kind record = {.kind = kind,
                                      .count = sum.count,
                                      .ticks = sum.ticks,
                                      .max = sum.max,
                                      .others = snapshot->kind[kind].count};
        fmt_snprintf(record.name, sizeof(record.name), "%s",
                     vexit_kind_name((enum vexit_kind)kind));
        put(window, &record, sizeof(record));
    }
}

static struct profile_detail detail_of(const struct profile_source *source,
                                       const struct account_slot *slot)
{
    struct profile_detail record = {.kind = account_key_kind(slot->key),
                                    .value = account_key_value(slot->key),
                                    .count = slot->count,
                                    .ticks = slot->ticks,
                                    .max = slot->max};
    const char *device = NULL;
    if (record.kind == VEXIT_PIO)
        device = iobus_device(source->ports, record.value);
    if (record.kind == VEXIT_NPF) {
        record.value *= PAGE_SIZE;
        device = iobus_device(source->mmio, record.value);
    }
    fmt_snprintf(record.device, sizeof(record.device), "%s", device ? device : "");
    return record;
}

/* By what they cost, the dearest first. */
static void put_details(struct window *window, const struct profile_source *source)
{
    struct account_slot slot = {.ticks = UINT64_MAX};
    if (!put_section(window, "DETL", sizeof(struct profile_detail), detail_count))
        return;
    while (account_next_costly(snapshot, &slot)) {
        struct profile_detail record = detail_of(source, &slot);
        put(window, &record, sizeof(record));
    }
}

static void put_rips(struct window *window)
{
    struct account_rip rip = {.count = UINT64_MAX};
    if (!put_section(window, "RIPS", sizeof(struct profile_rip), rip_count))
        return;
    while (account_next_rip(snapshot, &rip)) {
        struct profile_rip record = {rip.rip, rip.count, rip.error};
        put(window, &record, sizeof(record));
    }
}

static void put_row(struct window *window, const struct timeline_row *row)
{
    struct profile_row record = {
        .tsc = row->tsc,
        .guest_ticks = row->guest_ticks,
        .asleep_ticks = row->asleep_ticks,
        .stopped_ticks = row->stopped_ticks,
    };
    memcpy(record.count, row->count, sizeof(row->count));
    put(window, &record, sizeof(record));
}

/* The last row is of the snapshot itself. */
static void put_rows(struct window *window, const struct timeline *timeline)
{
    struct timeline_row last;
    if (!put_section(window, "TIME", sizeof(struct profile_row), timeline->rows + 1))
        return;
    for (unsigned i = 0; i < timeline->rows; i++)
        put_row(window, &timeline->row[i]);
    timeline_fill(&last, snapshot, now_tsc);
    put_row(window, &last);
}

/* Oldest first. */
static void put_exits(struct window *window, const struct trace *trace)
{
    unsigned age = trace_count(trace);
    if (!put_section(window, "EXIT", sizeof(struct profile_exit), age))
        return;
    while (age--) {
        const struct vexit *exit = trace_record(trace, age);
        struct profile_exit record = {exit->entered_tsc,       exit->exited_tsc, exit->rip,
                                      exit->raw_qualification, exit->kind,       exit->raw_reason};
        put(window, &record, sizeof(record));
    }
}

static uint64_t put_all(struct window *window, const struct profile_source *source,
                        uint64_t total_bytes)
{
    struct profile_header header = {
        .version = PROFILE_VERSION,
        .header_bytes = sizeof(header),
        .total_bytes = total_bytes,
        .sections = 6,
    };
    memcpy(header.magic, "PXHVPROF", sizeof(header.magic));
    put(window, &header, sizeof(header));
    put_info(window, source);
    put_kinds(window);
    put_details(window, source);
    put_rips(window);
    put_rows(window, &source->vcpu->timeline);
    put_exits(window, &source->vcpu->trace);
    return window->at;
}

uint64_t profile_read(const struct profile_source *source, uint64_t offset, void *to,
                      uint64_t length)
{
    snapshot = source->snapshot;
    if (offset == 0)
        take_snapshot(source->vcpu);
    struct window nothing = {0};
    uint64_t total = put_all(&nothing, source, 0);
    if (offset >= total)
        return 0;
    struct window window = {
        .begin = offset, .end = offset + min_u64(length, total - offset), .to = to};
    put_all(&window, source, total);
    return window.end - window.begin;
}
