/*
 * The loader's output on UEFI. The screen is the firmware's text console on a graphics device; COM1
 * is driven directly. ConOut would be both at once on a firmware that redirects it to the serial
 * line, with a progress bar's every step on the line.
 */
#include "console.h"

#include "efi.h"
#include "lib/bits.h"
#include "lib/fmt.h"
#include "lib/mem.h"
#include "stage2/cpu.h"

#define UART          0x3f8
#define UART_LCR      0x3fb
#define UART_MCR      0x3fc
#define UART_LSR      0x3fd
#define UART_SCRATCH  0x3ff
#define UART_LCR_DLAB 0x80
#define UART_LCR_8N1  0x03
#define UART_MCR_ON   0x03 /* DTR, RTS */
#define UART_LSR_THRE 0x20
#define UART_PATIENCE 100000 /* port reads: far longer than a FIFO takes to drain at 115200 */

enum { TO_SCREEN = 1, TO_SERIAL = 2 };

static const struct efi_guid text_output_guid = {
    0x387477c2, 0x69c7, 0x11d2, {0x8e, 0x39, 0x00, 0xa0, 0xc9, 0x69, 0x72, 0x3b}};
static const struct efi_guid graphics_output_guid = {
    0x9042a9de, 0x23dc, 0x4a38, {0x96, 0xfb, 0x7a, 0xde, 0xd0, 0x80, 0x51, 0x6a}};

static struct efi_text_output *screen; /* NULL: none, or the firmware is gone */
static struct efi_graphics_output *graphics;
static bool uart_there, in_line;
static char log[CONSOLE_LOG_SIZE];
static uint32_t log_size;

/* ---- one character ---- */

uint16_t console_next_unit(const char **text)
{
    uint8_t first = (uint8_t) * (*text)++;
    unsigned more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : first >= 0xc0 ? 1 : 0;
    uint32_t unit = more ? first & (0x3fu >> more) : first;

    for (; more && (**text & 0xc0) == 0x80; more--)
        unit = unit << 6 | ((uint8_t) * (*text)++ & 0x3f);
    bool wrong = more || unit > 0xffff || (first >= 0x80 && unit < 0x80);
    return wrong ? '?' : (uint16_t)unit;
}

static void screen_print(const char *text)
{
    uint16_t units[64];
    unsigned count = 0;

    while (screen && *text) {
        uint16_t unit = console_next_unit(&text);
        if (unit == '\n')
            units[count++] = '\r';
        units[count++] = unit;
        if (count < ARRAY_SIZE(units) - 2 && *text)
            continue;
        units[count] = 0;
        screen->OutputString(screen, units);
        count = 0;
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

static void print(int where, const char *format, va_list args)
{
    static char text[1024];

    fmt_vsnprintf(text, sizeof(text), format, args);
    if (where & TO_SCREEN)
        screen_print(text);
    if (!(where & TO_SERIAL))
        return;
    for (const char *c = text; *c; c++) {
        serial_put(*c);
        if (log_size < sizeof(log))
            log[log_size++] = *c;
    }
}

/* ---- beginning ---- */

/* Through the scratch register; many machines have no UART there. */
static void find_uart(void)
{
    out8(UART_SCRATCH, 0x5a);
    uart_there = in8(UART_SCRATCH) == 0x5a;
    if (!uart_there)
        return;
    out8(UART_LCR, UART_LCR_DLAB | UART_LCR_8N1);
    out8(UART, 1); /* divisor 1: 115200 baud */
    out8(UART + 1, 0);
    out8(UART_LCR, UART_LCR_8N1);
    out8(UART_MCR, UART_MCR_ON);
}

static bool can_draw(const struct efi_graphics_output *candidate)
{
    return candidate && candidate->Mode && candidate->Mode->Info &&
           candidate->Mode->FrameBufferBase && candidate->Mode->Info->PixelFormat <= PixelBitMask;
}

static void take_handle(efi_handle handle)
{
    struct efi_graphics_output *candidate = NULL;
    struct efi_text_output *text = NULL;
    struct efi_boot_services *boot = efi->BootServices;

    if (boot->HandleProtocol(handle, &graphics_output_guid, &candidate) != EFI_SUCCESS)
        return;
    boot->HandleProtocol(handle, &text_output_guid, &text);
    if (text && !screen) {
        screen = text;
        graphics = can_draw(candidate) ? candidate : graphics;
    }
    if (!graphics && can_draw(candidate))
        graphics = candidate;
}

void console_init(void)
{
    efi_handle *handles = NULL;
    uint64_t count = 0;

    find_uart();
    efi->BootServices->LocateHandleBuffer(ByProtocol, &graphics_output_guid, NULL, &count,
                                          &handles);
    for (uint64_t i = 0; handles && i < count; i++)
        take_handle(handles[i]);
    /* A machine with serial redirection and no screen has it in ConOut. */
    if (!screen && !(graphics == NULL && uart_there))
        screen = efi->ConOut;
    if (screen)
        screen->ClearScreen(screen);
}

/* ---- printing ---- */

void console_print(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    print(TO_SCREEN | TO_SERIAL, format, args);
    va_end(args);
    in_line = false;
}

void console_print_screen(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    print(TO_SCREEN, format, args);
    va_end(args);
    in_line = format[str_len(format) - 1] != '\n';
}

void console_print_serial(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    print(TO_SERIAL, format, args);
    va_end(args);
}

/* ---- the end ---- */

void console_leave_screen(void)
{
    screen = NULL;
}

static void wait_for_key(void)
{
    struct efi_input_key key;
    uint64_t index;

    while (efi->ConIn->ReadKeyStroke(efi->ConIn, &key) != EFI_SUCCESS)
        efi->BootServices->WaitForEvent(1, &efi->ConIn->WaitForKey, &index);
}

void die(const char *format, ...)
{
    va_list args;
    bool firmware = screen && efi->ConIn;

    if (in_line)
        console_print_screen("\n");
    console_print("pxHV: error: ");
    va_start(args, format);
    print(TO_SCREEN | TO_SERIAL, format, args);
    va_end(args);
    if (firmware) {
        /* Forgets what was typed before; a key pressed at sight of the line must not be lost. */
        efi->ConIn->Reset(efi->ConIn, false);
        console_print("\nPress any key to go back to the firmware.\n");
        wait_for_key();
        efi->BootServices->Exit(efi_image, EFI_ABORTED, 0, NULL);
    }
    console_print("\nThe machine rests now: switch it off or reset it by hand.\n");
    for (;;)
        __asm__ volatile("cli; hlt");
}

/* ---- for the VMM ---- */

struct efi_graphics_output *console_graphics(void)
{
    return graphics;
}

uint32_t console_serial_port(void)
{
    return uart_there ? UART : 0;
}

uint32_t console_log(char copy[CONSOLE_LOG_SIZE])
{
    memcpy(copy, log, log_size);
    return log_size;
}
