/* needs: vmm/term/terminal.c vmm/term/terminal_grid.c vmm/term/terminal_csi.c vmm/term/charset.c vmm/lib/mem.c vmm/lib/fmt.c */
/* A guest's output: the first two bytes choose the size of the screen, the rest is written to it.
 */
#include "term/terminal.h"

#include "input.h"

#include <string.h>

static struct terminal terminal;
static unsigned answered, lines_lost;

static void count_answer(void *ctx, uint8_t byte)
{
    (void)ctx;
    check(byte >= 0x1B && byte < 0x7F);
    answered++;
}

static void count_line(void *ctx, const uint16_t *cells)
{
    (void)ctx;
    check(cells == terminal_row(&terminal, 0) && terminal.screen == 0 && terminal.top == 0);
    lines_lost++;
}

/* Each stored line shows in exactly one row. */
static void check_lines(const uint8_t *line)
{
    uint8_t seen[TERMINAL_MAX_ROWS] = {0};
    for (unsigned row = 0; row < terminal.rows; row++) {
        check(line[row] < terminal.rows && !seen[line[row]]);
        seen[line[row]] = 1;
    }
}

static void check_cursor(const struct terminal_cursor *cursor)
{
    check(cursor->column < terminal.columns && cursor->row < terminal.rows);
    check(!cursor->wrap_next || cursor->column + 1 == terminal.columns);
    check(cursor->pen.foreground < 16 && cursor->pen.background < 16 && cursor->shift < 2);
}

static void check_state(void)
{
    check_cursor(&terminal.cursor);
    check_cursor(&terminal.saved[0]);
    check_cursor(&terminal.saved[1]);
    check(terminal.top < terminal.bottom && terminal.bottom <= terminal.rows);
    check(terminal.screen < 2 && terminal.param_count <= TERMINAL_MAX_PARAMS);
    check_lines(terminal.line[0]);
    check_lines(terminal.line[1]);
}

/* A row that isn't marked shows what it showed before. */
static void check_marks(const uint16_t (*before)[TERMINAL_MAX_COLUMNS])
{
    for (unsigned row = 0; row < terminal.rows; row++) {
        const struct terminal_span span = terminal.dirty[row];
        check(span.from <= span.to && span.to <= terminal.columns);
        for (unsigned column = 0; column < terminal.columns; column++)
            check((column >= span.from && column < span.to) ||
                  before[row][column] == terminal_row(&terminal, row)[column]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint16_t before[TERMINAL_MAX_ROWS][TERMINAL_MAX_COLUMNS];
    struct input in = {data, size};

    unsigned columns = 1 + take8(&in) % TERMINAL_MAX_COLUMNS;
    unsigned rows = 1 + take8(&in) % 30;
    terminal_init(&terminal, columns, rows);
    terminal.answers.put = count_answer;
    terminal.line_out = count_line;
    check_state();
    while (in.size) {
        answered = lines_lost = 0;
        memset(terminal.dirty, 0, sizeof(terminal.dirty));
        for (unsigned row = 0; row < rows; row++)
            memcpy(before[row], terminal_row(&terminal, row), sizeof(before[row]));
        terminal_put(&terminal, take8(&in));
        check_state();
        check_marks(before);
        check(answered <= 16);
        check(lines_lost <= rows * columns + 1); /* one byte may end a broken character, too */
    }
    return 0;
}
