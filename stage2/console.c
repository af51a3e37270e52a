/* VGA text mode 3, written directly; the 16550A at COM1, which the boot sector set up; and a copy
 * of the text for the VMM. */
#include "console.h"

#include "layout.h"
#include "lib/fmt.h"
#include "lib/mem.h"
#include "machine.h"

#define SCREEN         0xb8000u
#define SCREEN_COLUMNS 80u
#define SCREEN_ROWS    25u
#define BLANK          0x0720u /* a space, light grey on black */

#define CRTC_INDEX       0x3d4
#define CRTC_DATA        0x3d5
#define CRTC_CURSOR_HIGH 0x0e
#define CRTC_CURSOR_LOW  0x0f

#define UART          0x3f8
#define UART_LSR      0x3fd
#define UART_LSR_THRE 0x20
#define UART_SCRATCH  0x3ff
#define UART_PATIENCE 100000 /* port reads: far longer than a FIFO takes to drain at 115200 */

enum { TO_SCREEN = 1, TO_SERIAL = 2 };

static uint32_t row, column;
static bool uart_there, screen_left;
static uint32_t log_size;

static void show_cursor(void)
{
    uint32_t position = row * SCREEN_COLUMNS + column;

    out8(CRTC_INDEX, CRTC_CURSOR_HIGH);
    out8(CRTC_DATA, (uint8_t)(position >> 8));
    out8(CRTC_INDEX, CRTC_CURSOR_LOW);
    out8(CRTC_DATA, (uint8_t)position);
}

static void scroll(void)
{
    uint16_t *cells = at(SCREEN);
    uint32_t kept = SCREEN_COLUMNS * (SCREEN_ROWS - 1);

    memmove(cells, cells + SCREEN_COLUMNS, kept * sizeof(*cells));
    for (uint32_t i = 0; i < SCREEN_COLUMNS; i++)
        cells[kept + i] = BLANK;
    row = SCREEN_ROWS - 1;
}

static void screen_put(char c)
{
    if (c == '\r') {
        column = 0;
        return;
    }
    if (c != '\n') {
        volatile uint16_t *cells = at(SCREEN);
        cells[row * SCREEN_COLUMNS + column++] = 0x0700 | (uint8_t)c;
    }
    if (c == '\n' || column == SCREEN_COLUMNS) {
        column = 0;
        if (++row == SCREEN_ROWS)
            scroll();
    }
}

static void serial_put(char c)
{
    if (!uart_there)
        return;
    if (c == '\n')
        serial_put('\r');
    for (int i = 0; i < UART_PATIENCE && !(in8(UART_LSR) & UART_LSR_THRE); i++)
        ;
    out8(UART, (uint8_t)c);
}

/* What doesn't fit is left out: the beginning tells more than the end, which the screen shows. */
static void log_put(char c)
{
    char *log = at(LAYOUT_LOG);

    if (log_size < LAYOUT_LOG_SIZE)
        log[log_size++] = c;
}

static void print(int where, const char *format, va_list args)
{
    static char text[1024];

    if (screen_left)
        where &= ~TO_SCREEN;
    fmt_vsnprintf(text, sizeof(text), format, args);
    for (const char *c = text; *c; c++) {
        if (where & TO_SCREEN)
            screen_put(*c);
        if (where & TO_SERIAL) {
            serial_put(*c);
            log_put(*c);
        }
    }
    if (where & TO_SCREEN)
        show_cursor();
}

void console_take_screen(void)
{
    struct bios_regs mode = {.eax = 0x0f00};

    bios_call(0x10, &mode);
    if ((mode.eax & 0x7f) == 3 && (mode.ebx & 0xff00) == 0) {
        struct bios_regs cursor = {.eax = 0x0300};
        bios_call(0x10, &cursor);
        row = cursor.edx >> 8 & 0xff;
        if (row >= SCREEN_ROWS)
            row = SCREEN_ROWS - 1;
    } else {
        /* A BIOS that kept its logo's mode, or another text page: begin anew. */
        struct bios_regs set = {.eax = 0x0003};
        bios_call(0x10, &set);
        row = 0;
    }
    column = 0;
}

void console_init(void)
{
    static const char boot_sector_said[] =
        "pxHV: Pixel Hypervisor v" PXHV_VERSION "\nJumping to hypervisor...\n";

    for (const char *c = boot_sector_said; *c; c++)
        log_put(*c);
    out8(UART_SCRATCH, 0x5a);
    uart_there = in8(UART_SCRATCH) == 0x5a;
    console_take_screen();
}

void console_leave_screen(void)
{
    screen_left = true;
}

void console_print(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    print(TO_SCREEN | TO_SERIAL, format, args);
    va_end(args);
}

void console_print_screen(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    print(TO_SCREEN, format, args);
    va_end(args);
}

void console_print_serial(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    print(TO_SERIAL, format, args);
    va_end(args);
}

void die(const char *format, ...)
{
    va_list args;

    if (column)
        console_print_screen("\n");
    console_print("pxHV: error: ");
    va_start(args, format);
    print(TO_SCREEN | TO_SERIAL, format, args);
    va_end(args);
    console_print("\nThe machine rests now: switch it off or reset it by hand.\n");
    for (;;)
        __asm__ volatile("cli; hlt");
}

uint32_t console_serial_port(void)
{
    return uart_there ? UART : 0;
}

uint32_t console_row(void)
{
    return row;
}

uint32_t console_log_size(void)
{
    return log_size;
}
