/* The lines above the screen. */
#include "term/history.h"

#include "lib/mem.h"

void history_init(struct history *history, uint16_t *memory, uint64_t bytes, unsigned columns)
{
    *history = (struct history){
        .cells = memory,
        .columns = columns,
        .capacity = memory ? (unsigned)(bytes / (columns * sizeof(memory[0]))) : 0,
    };
}

void history_add(struct history *history, const uint16_t *cells)
{
    if (history->capacity == 0)
        return;
    memcpy(history->cells + history->next * history->columns, cells,
           history->columns * sizeof(cells[0]));
    history->next = (history->next + 1) % history->capacity;
    if (history->count < history->capacity)
        history->count++;
}

const uint16_t *history_line(const struct history *history, unsigned back)
{
    unsigned line = (history->next + history->capacity - back) % history->capacity;
    return history->cells + line * history->columns;
}
