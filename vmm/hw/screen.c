/* The VGA text screen. terminal.c keeps the text in RAM, since reading VGA memory is slow; what
 * changed is copied out. */
#include "hw/parts.h"

#include "hw/cpu.h"
#include "hw/terminal.h"
#include "lib/mem.h"

#define VGA_MEMORY     0xA0000u
#define VGA_MEMORY_END 0xC0000u

#define CRTC_INDEX       0x3D4
#define CRTC_DATA        0x3D5
#define CRTC_CURSOR_HIGH 0x0E
#define CRTC_CURSOR_LOW  0x0F

static struct terminal terminal;
static uint16_t *vga; /* NULL: no text screen */
static unsigned cursor_shown;

static void show_cursor(unsigned position)
{
    outb(CRTC_INDEX, CRTC_CURSOR_HIGH);
    outb(CRTC_DATA, (uint8_t)(position >> 8));
    outb(CRTC_INDEX, CRTC_CURSOR_LOW);
    outb(CRTC_DATA, (uint8_t)position);
    cursor_shown = position;
}

void screen_init(const struct boot_screen *screen)
{
    uint64_t bytes = (uint64_t)screen->width * screen->height * sizeof(*vga);

    if (screen->type != BOOT_SCREEN_VGA_TEXT || screen->width == 0 || screen->height == 0 ||
        screen->width > TERMINAL_MAX_COLUMNS || screen->height > TERMINAL_MAX_ROWS ||
        screen->address < VGA_MEMORY || screen->address > VGA_MEMORY_END - bytes)
        return;
    terminal_init(&terminal, screen->width, screen->height,
                  (unsigned)min_u64(screen->cursor_row, screen->height - 1));
    vga = (uint16_t *)screen->address;
    memcpy(terminal.cell, vga, bytes); /* the loader's lines stay */
    show_cursor(terminal.row * terminal.columns);
}

void screen_sync(void)
{
    unsigned position = terminal.row * terminal.columns + terminal.column;
    if (vga && position != cursor_shown)
        show_cursor(position);
}

static void screen_put(void *ctx, uint8_t byte)
{
    (void)ctx;
    if (!vga)
        return;
    terminal_put(&terminal, byte);
    unsigned from = terminal.dirty_from, to = terminal.dirty_to;
    memcpy(vga + from, terminal.cell + from, (to - from) * sizeof(*vga));
    terminal.dirty_from = terminal.dirty_to = 0;
}

const struct byte_sink screen_sink = {.put = screen_put};
