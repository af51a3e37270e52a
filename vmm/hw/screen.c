/*
 * The screen: a VGA's text memory or a framebuffer, showing the terminal's rows (or the lines that
 * scrolled off, or a page put over them) and a status line below. What is written only changes
 * cells in ordinary memory; pixels are drawn in portions when there is time.
 */
#define LOG_MODULE "screen"
#include "hw/parts.h"

#include "hw/cpu.h"
#include "hw/framebuffer.h"
#include "lib/bits.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "lib/ring.h"
#include "term/charset.h"
#include "term/history.h"

#define VGA_MEMORY     0xA0000u
#define VGA_MEMORY_END 0xC0000u
#define VGA_ATTRIBUTE  0x7F00u /* without the bit that makes a VGA's character blink */

#define CRTC_INDEX       0x3D4
#define CRTC_DATA        0x3D5
#define CRTC_CURSOR_HIGH 0x0E
#define CRTC_CURSOR_LOW  0x0F

#define STATUS_ATTRIBUTE 0x3000u /* black on cyan */

/* Cells drawn at a time: a part of a millisecond for a framebuffer. */
#define PORTION_CELLS 512u
#define EVERY_CELL    (SURFACE_MAX_ROWS * TERMINAL_MAX_COLUMNS)

#define HISTORY_BYTES KIB(80)

#define ESC 0x1Bu

extern const uint8_t screen_font[];

static enum { NO_SCREEN, TEXT_SCREEN, PIXEL_SCREEN } kind;
static bool drawable; /* the framebuffer is mapped, or was by the loader */
static uint16_t *vga;
static unsigned vga_cursor;
static struct framebuffer framebuffer;

static uint8_t unread_bytes[KIB(4)];
static struct ring unread = {.bytes = unread_bytes, .size = sizeof(unread_bytes)};
static struct terminal terminal;
static struct history history;
static uint16_t history_row[TERMINAL_MAX_COLUMNS];
static struct surface surface;
static unsigned back;          /* lines that the view is scrolled up */
static struct row_source page; /* shows instead of the terminal where .row isn't NULL */
static uint16_t status[TERMINAL_MAX_COLUMNS];

/* --- the two kinds ---------------------------------------------------------------------------- */

/* ASCII is the same everywhere. */
static inline uint8_t vga_character(uint8_t glyph)
{
    return glyph >= ' ' && glyph < 0x7F ? glyph : charset_cp437(glyph);
}

static void paint_text(void *ctx, unsigned row, unsigned column, const uint16_t *cells,
                       unsigned count)
{
    volatile uint16_t *to = vga + row * surface.columns + column;

    (void)ctx;
    for (unsigned i = 0; i < count; i++)
        to[i] = (uint16_t)(vga_character((uint8_t)cells[i]) | (cells[i] & VGA_ATTRIBUTE));
}

static void paint_pixels(void *ctx, unsigned row, unsigned column, const uint16_t *cells,
                         unsigned count)
{
    (void)ctx;
    framebuffer_draw(&framebuffer, row, column, cells, count);
}

static void move_vga_cursor(unsigned position)
{
    if (position == vga_cursor)
        return;
    outb(CRTC_INDEX, CRTC_CURSOR_HIGH);
    outb(CRTC_DATA, (uint8_t)(position >> 8));
    outb(CRTC_INDEX, CRTC_CURSOR_LOW);
    outb(CRTC_DATA, (uint8_t)position);
    vga_cursor = position;
}

/* --- what shows ------------------------------------------------------------------------------- */

static void keep_line(void *ctx, const uint16_t *cells)
{
    (void)ctx;
    history_add(&history, cells);
    if (back) /* what is being read stays where it is */
        back = (unsigned)min_u64(back + 1, history.count);
}

static const uint16_t *shown_row(void *ctx, unsigned row)
{
    (void)ctx;
    if (row == terminal.rows)
        return status;
    if (page.row)
        return page.row(page.ctx, row);
    if (row < back) {
        history_line(&history, back - row, history_row);
        return history_row;
    }
    return terminal_row(&terminal, row - back);
}

static void show_cursor(void)
{
    bool visible =
        terminal.cursor_visible && !page.row && terminal.cursor.row + back < terminal.rows;
    unsigned row = visible ? terminal.cursor.row + back : surface.rows;

    if (kind == TEXT_SCREEN)
        move_vga_cursor(row * surface.columns + (visible ? terminal.cursor.column : 0));
    else
        surface_move_cursor(&surface, row, terminal.cursor.column);
}

/* Plain text is kept until somebody looks: whoever says a byte doesn't wait for lines to scroll. */
static void read_text(void)
{
    const uint8_t *bytes;
    uint32_t count;

    while (bytes = ring_piece(&unread, &count), count) {
        terminal_text(&terminal, bytes, count);
        ring_drop(&unread, count);
    }
}

/* The terminal's changes become the surface's, one row at a time or, for a view that moves with
 * them, all. */
static void take_changes(void)
{
    for (unsigned row = 0; row < terminal.rows; row++) {
        struct terminal_span *span = &terminal.dirty[row];
        if (span->from == span->to)
            continue;
        if (back)
            surface_mark_all(&surface);
        else if (!page.row)
            surface_mark(&surface, row, span->from, span->to);
        *span = (struct terminal_span){0, 0};
    }
}

static bool draw(unsigned cells)
{
    if (!drawable)
        return true;
    read_text();
    take_changes();
    show_cursor();
    return surface_draw(&surface, (struct row_source){shown_row, NULL}, cells);
}

/* --- starting --------------------------------------------------------------------------------- */

static void start(unsigned columns, unsigned rows, struct painter painter)
{
    terminal_init(&terminal, columns, rows - 1);
    terminal.line_out = keep_line;
    surface_init(&surface, columns, rows, painter);
    screen_set_status("pxHV " PXHV_VERSION);
}

/* The loader's lines stay; what would lie under the status line moves up. */
static void take_over_text(unsigned cursor_row)
{
    unsigned skipped = cursor_row < terminal.rows ? 0 : cursor_row + 1 - terminal.rows;

    for (unsigned row = 0; row + skipped <= cursor_row; row++) {
        const uint16_t *from = vga + (row + skipped) * surface.columns;
        for (unsigned column = 0; column < surface.columns; column++) {
            uint16_t cell = from[column];
            if ((cell & 0xFF) >= ' ' && (cell & 0xFF) < 0x7F)
                terminal_row(&terminal, row)[column] = cell;
        }
    }
    terminal.cursor.row = cursor_row - skipped;
}

static bool start_text(const struct boot_screen *screen)
{
    uint64_t bytes = (uint64_t)screen->width * screen->height * sizeof(*vga);

    if (screen->width == 0 || screen->height < 2 || screen->width > TERMINAL_MAX_COLUMNS ||
        screen->height > SURFACE_MAX_ROWS || screen->address < VGA_MEMORY ||
        screen->address > VGA_MEMORY_END - bytes)
        return false;
    start(screen->width, screen->height, (struct painter){paint_text, NULL});
    vga = (uint16_t *)screen->address;
    vga_cursor = UINT32_MAX;
    take_over_text((unsigned)min_u64(screen->cursor_row, screen->height - 1));
    drawable = true;
    return true;
}

/* Before the VMM's own page tables the framebuffer is the loader's to map, which maps 4 GiB;
 * drawing waits for write-combining unless there is something to say at once. */
static bool start_pixels(const struct boot_screen *screen)
{
    if (!framebuffer_init(&framebuffer, screen, screen_font, TERMINAL_MAX_COLUMNS,
                          SURFACE_MAX_ROWS))
        return false;
    start(framebuffer.columns, framebuffer.rows, (struct painter){paint_pixels, NULL});
    return true;
}

void screen_init(const struct boot_screen *screen)
{
    if (screen->type == BOOT_SCREEN_VGA_TEXT && start_text(screen))
        kind = TEXT_SCREEN;
    else if (screen->type == BOOT_SCREEN_FRAMEBUFFER && start_pixels(screen))
        kind = PIXEL_SCREEN;
}

/* Whether the range has nothing to do with memory that somebody uses. */
static bool is_apart(const struct boot_info *info, hpa_t base, uint64_t size_bytes)
{
    for (uint32_t i = 0; i < info->memory_count; i++) {
        const struct boot_memory *memory = &info->memory[i];
        bool used = memory->type == BOOT_MEMORY_USABLE || memory->type == BOOT_MEMORY_LOADER;
        if (used && base < memory->base + memory->size_bytes && memory->base < base + size_bytes)
            return false;
    }
    return true;
}

static void map_pixels(const struct boot_info *info)
{
    hpa_t base = (hpa_t)framebuffer.base;
    uint64_t bytes = framebuffer_size_bytes(&framebuffer);

    if (!is_apart(info, base, bytes) || !paging_map_wc(base, bytes)) {
        kind = NO_SCREEN;
        log_warn("the framebuffer at %llx can't be mapped: the screen stays as it is",
                 (unsigned long long)base);
        return;
    }
    framebuffer_clear(&framebuffer);
    drawable = true;
    log_info("%u x %u pixels, %u x %u characters", framebuffer.width, framebuffer.height,
             surface.columns, surface.rows);
}

void screen_map(const struct boot_info *info)
{
    if (kind == PIXEL_SCREEN)
        map_pixels(info);
    if (kind == NO_SCREEN)
        return;
    void *memory = (void *)frames_alloc(HISTORY_BYTES / PAGE_SIZE, PAGE_SIZE);
    history_init(&history, memory, HISTORY_BYTES, terminal.columns);
}

bool screen_present(void)
{
    return kind != NO_SCREEN;
}

struct terminal *screen_terminal(void)
{
    return &terminal;
}

/* --- writing and drawing ---------------------------------------------------------------------- */

/* A sequence, which may ask for an answer, goes to the terminal at once. No unread byte begins one.
 */
void screen_put(uint8_t byte)
{
    if (kind == NO_SCREEN)
        return;
    if (byte != ESC && terminal.state == TERMINAL_GROUND && ring_put(&unread, byte))
        return;
    read_text();
    terminal_put(&terminal, byte);
}

bool screen_draw(void)
{
    return kind == NO_SCREEN || draw(PORTION_CELLS);
}

void screen_sync(void)
{
    if (kind == PIXEL_SCREEN && !drawable && (hpa_t)framebuffer.base < GIB(4)) {
        framebuffer_clear(&framebuffer);
        drawable = true;
    }
    if (kind != NO_SCREEN)
        draw(EVERY_CELL);
}

static void put_log(void *ctx, uint8_t byte)
{
    (void)ctx;
    screen_put(byte);
    if (byte == '\n')
        screen_draw();
}

const struct byte_sink screen_sink = {.put = put_log};

/* --- the view --------------------------------------------------------------------------------- */

void screen_set_status(const char *text)
{
    for (unsigned column = 0; column < surface.columns; column++) {
        uint8_t glyph = *text ? (uint8_t)*text++ : ' ';
        status[column] = STATUS_ATTRIBUTE | glyph;
    }
    surface_mark(&surface, terminal.rows, 0, surface.columns);
}

void screen_show_page(struct row_source source)
{
    page = source;
    surface_mark_all(&surface);
}

unsigned screen_rows(void)
{
    return terminal.rows;
}

void screen_scroll(int lines)
{
    int64_t wanted = (int64_t)back + lines;

    read_text();
    back = wanted < 0 ? 0 : (unsigned)min_u64((uint64_t)wanted, history.count);
    page.row = NULL;
    surface_mark_all(&surface);
}

void screen_live(void)
{
    if (back || page.row)
        screen_scroll(INT32_MIN);
}
