/* The lines above the screen. */
#include "term/history.h"

#include "term/terminal.h"

/* Of memory for each line that can be kept, its place in start[] included. */
#define LINE_BYTES 40u
#define RUN_HEAD   2u
#define CELL_MOST  (RUN_HEAD + 1u) /* an attribute of its own */

void history_init(struct history *history, void *memory, uint32_t bytes, unsigned columns)
{
    unsigned capacity = bytes / LINE_BYTES;
    uint32_t size = bytes - capacity * (uint32_t)sizeof(history->start[0]);

    *history = (struct history){
        .columns = columns,
        .capacity = memory && size > columns * CELL_MOST ? capacity : 0,
        .start = memory,
        .text = memory ? (uint8_t *)memory + (bytes - size) : NULL,
        .size = size,
    };
}

static unsigned width_of(const struct history *history, const uint16_t *cells)
{
    unsigned width = history->columns;

    while (width && cells[width - 1] == TERMINAL_BLANK)
        width--;
    return width;
}

/* How many of the cells, one at the least, have the first one's attribute. */
static unsigned run_of(const uint16_t *cells, unsigned count)
{
    unsigned run = 1;

    while (run < count && (cells[run] ^ cells[0]) <= 0xFF)
        run++;
    return run;
}

static uint32_t packed_bytes(const uint16_t *cells, unsigned width)
{
    uint32_t bytes = width;

    for (unsigned at = 0; at < width; at += run_of(cells + at, width - at))
        bytes += RUN_HEAD;
    return bytes;
}

/* The line that scrolled off `back` lines ago, as an index. */
static unsigned index_of(const struct history *history, unsigned back)
{
    return (history->next + history->capacity - back) % history->capacity;
}

static uint32_t end_of(const struct history *history, unsigned back)
{
    return back == 1 ? history->end : history->start[index_of(history, back - 1)];
}

static void give_up_oldest(struct history *history)
{
    uint32_t begin = history->start[index_of(history, history->count)];
    uint32_t end = end_of(history, history->count);

    history->used -= (end + history->size - begin) % history->size;
    history->count--;
}

static uint32_t after(const struct history *history, uint32_t at)
{
    return at + 1 == history->size ? 0 : at + 1;
}

static void put(struct history *history, uint8_t byte)
{
    history->text[history->end] = byte;
    history->end = after(history, history->end);
}

void history_add(struct history *history, const uint16_t *cells)
{
    if (history->capacity == 0)
        return;
    unsigned width = width_of(history, cells);
    uint32_t bytes = packed_bytes(cells, width);

    /* Never all of the ring: a line that filled it would look like an empty one. */
    while (history->count == history->capacity || history->used + bytes >= history->size)
        give_up_oldest(history);
    history->start[history->next] = history->end;
    for (unsigned at = 0; at < width;) {
        unsigned run = run_of(cells + at, width - at);
        put(history, (uint8_t)(cells[at] >> 8));
        put(history, (uint8_t)run);
        for (unsigned end = at + run; at < end; at++)
            put(history, (uint8_t)cells[at]);
    }
    history->used += bytes;
    history->next = (history->next + 1) % history->capacity;
    history->count++;
}

void history_line(const struct history *history, unsigned back, uint16_t *cells)
{
    uint32_t at = history->start[index_of(history, back)], end = end_of(history, back);
    unsigned column = 0;

    while (at != end) {
        unsigned attribute = history->text[at];
        at = after(history, at);
        unsigned run = history->text[at];
        for (at = after(history, at); run; run--, at = after(history, at))
            cells[column++] = (uint16_t)(attribute << 8 | history->text[at]);
    }
    while (column < history->columns)
        cells[column++] = TERMINAL_BLANK;
}
