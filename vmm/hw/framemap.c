/* Free memory as a sorted table of ranges. */
#include "hw/framemap.h"

#include "lib/bits.h"

static void insert_at(struct framemap *map, unsigned at, hpa_t base, uint64_t size_bytes)
{
    for (unsigned i = map->count; i > at; i--)
        map->range[i] = map->range[i - 1];
    map->range[at] = (struct framemap_range){base, size_bytes};
    map->count++;
}

static void delete_at(struct framemap *map, unsigned at)
{
    map->count--;
    for (unsigned i = at; i < map->count; i++)
        map->range[i] = map->range[i + 1];
}

static hpa_t range_end(const struct framemap_range *range)
{
    return range->base + range->size_bytes;
}

bool framemap_add(struct framemap *map, hpa_t base, uint64_t size_bytes)
{
    if (base > UINT64_MAX - PAGE_SIZE || size_bytes > UINT64_MAX - PAGE_SIZE - base)
        return false;
    hpa_t first = align_up(base, PAGE_SIZE);
    hpa_t end = align_down(base + size_bytes, PAGE_SIZE);
    if (first >= end)
        return true; /* not one whole page */

    unsigned at = 0;
    while (at < map->count && map->range[at].base < first)
        at++;
    bool joins_left = false, joins_right = false;
    if (at > 0) {
        if (range_end(&map->range[at - 1]) > first)
            return false;
        joins_left = range_end(&map->range[at - 1]) == first;
    }
    if (at < map->count) {
        if (map->range[at].base < end)
            return false;
        joins_right = map->range[at].base == end;
    }

    if (joins_left && joins_right) {
        map->range[at - 1].size_bytes += end - first + map->range[at].size_bytes;
        delete_at(map, at);
    } else if (joins_left) {
        map->range[at - 1].size_bytes += end - first;
    } else if (joins_right) {
        map->range[at].base = first;
        map->range[at].size_bytes += end - first;
    } else {
        if (map->count == FRAMEMAP_MAX_RANGES)
            return false;
        insert_at(map, at, first, end - first);
    }
    return true;
}

/* Cuts [first, end) out of range[*at] and steps on. False: no room for the part behind. */
static bool cut(struct framemap *map, unsigned *at, hpa_t first, hpa_t end)
{
    struct framemap_range *range = &map->range[*at];
    hpa_t old_end = range_end(range);
    bool keeps_left = range->base<first, keeps_right = old_end> end;

    if (!keeps_left && !keeps_right) {
        delete_at(map, *at);
        return true;
    }
    if (keeps_left) {
        range->size_bytes = first - range->base;
        ++*at;
        if (!keeps_right)
            return true;
        if (map->count == FRAMEMAP_MAX_RANGES)
            return false;
        insert_at(map, *at, end, old_end - end);
    } else {
        *range = (struct framemap_range){end, old_end - end};
    }
    ++*at;
    return true;
}

bool framemap_remove(struct framemap *map, hpa_t base, uint64_t size_bytes)
{
    if (size_bytes == 0)
        return true;
    hpa_t first = align_down(base, PAGE_SIZE);
    hpa_t last = base + min_u64(size_bytes - 1, UINT64_MAX - base);
    hpa_t end = last > UINT64_MAX - PAGE_SIZE ? align_down(UINT64_MAX, PAGE_SIZE)
                                              : align_up(last + 1, PAGE_SIZE);
    bool ok = true;

    for (unsigned at = 0; at < map->count && map->range[at].base < end;) {
        if (range_end(&map->range[at]) <= first)
            at++;
        else
            ok &= cut(map, &at, first, end);
    }
    return ok;
}

/* Where the request fits inside the range, nearest to the end it asks for. */
static bool fit(const struct framemap_range *range, const struct framemap_request *request,
                uint64_t size_bytes, hpa_t *base)
{
    hpa_t end = min_u64(range_end(range), request->limit);

    if (end <= range->base || end - range->base < size_bytes)
        return false;
    if (request->end == FRAMEMAP_HIGHEST) {
        *base = align_down(end - size_bytes, request->align_bytes);
        return *base >= range->base;
    }
    if (range->base > UINT64_MAX - request->align_bytes)
        return false;
    *base = align_up(range->base, request->align_bytes);
    return *base < end && end - *base >= size_bytes;
}

bool framemap_take(struct framemap *map, struct framemap_request request, hpa_t *base)
{
    if (request.size_bytes == 0 || request.size_bytes > UINT64_MAX - PAGE_SIZE)
        return false;
    uint64_t size_bytes = align_up(request.size_bytes, PAGE_SIZE);

    for (unsigned i = 0; i < map->count; i++) {
        unsigned at = request.end == FRAMEMAP_HIGHEST ? map->count - 1 - i : i;
        if (!fit(&map->range[at], &request, size_bytes, base))
            continue;
        /* A full table can't hold the two parts that are left of this range; the next one may be
         * cut at its edge. */
        bool splits =
            *base > map->range[at].base && *base + size_bytes < range_end(&map->range[at]);
        if (splits && map->count == FRAMEMAP_MAX_RANGES)
            continue;
        return cut(map, &at, *base, *base + size_bytes);
    }
    return false;
}

/* The most that a range gives to a piece with this alignment. */
static uint64_t piece_in(const struct framemap_range *range, uint64_t size_bytes, uint64_t align,
                         uint64_t limit)
{
    hpa_t end = min_u64(range_end(range), limit);
    hpa_t first = align_up(range->base, align);

    if (first < range->base || first >= end)
        return 0;
    return end - first >= size_bytes ? size_bytes : align_down(end - first, align);
}

static uint64_t longest_piece(const struct framemap *map, uint64_t size_bytes, uint64_t align,
                              uint64_t limit)
{
    uint64_t longest = 0;
    for (unsigned i = 0; i < map->count; i++)
        longest = max_u64(longest, piece_in(&map->range[i], size_bytes, align, limit));
    return longest;
}

uint64_t framemap_take_piece(struct framemap *map, uint64_t size_bytes, uint64_t limit, hpa_t *base)
{
    struct framemap_request request = {.limit = limit, .end = FRAMEMAP_HIGHEST};

    request.align_bytes = GIB(1);
    if (size_bytes >= GIB(1))
        request.size_bytes = longest_piece(map, size_bytes, GIB(1), limit);
    if (request.size_bytes == 0) {
        request.align_bytes = MIB(2);
        request.size_bytes = longest_piece(map, size_bytes, MIB(2), limit);
    }
    return framemap_take(map, request, base) ? request.size_bytes : 0;
}

uint64_t framemap_free_bytes(const struct framemap *map)
{
    uint64_t total = 0;
    for (unsigned i = 0; i < map->count; i++)
        total += map->range[i].size_bytes;
    return total;
}
