/* See progress.h. */
#include "progress.h"

#include "console.h"
#include "cpu.h"
#include "lib/bits.h"
#include "lib/fmt.h"

#define PIT_CHANNEL_2 0x42
#define PIT_COMMAND   0x43
#define PIT_2_MODE_0  0xb0 /* channel 2, low then high byte, mode 0, binary */
#define PIT_2_LATCH   0x80
#define PIT_KHZ       1193u
#define PORT_B        0x61
#define PORT_B_GATE_2 0x01
#define PORT_B_SPEAK  0x02

#define WINDOW_MS    2u
#define SAMPLE_READS 4
#define PATIENCE     100000 /* samples: they take at least a few seconds */
#define STILL        1000   /* a counter that hasn't moved by then is none */

#define BAR_WIDTH   24u
#define LINE_FORMAT "  %-24.24s %10s  "
#define RATE_TEXT   24
#define NOT_DRAWN   UINT32_MAX

static uint32_t tsc_khz; /* 0: unknown */

static struct {
    const char *name;
    char size[PROGRESS_SIZE_TEXT];
    uint32_t total_bytes;
    uint32_t done_bytes;
    uint32_t drawn; /* cells of the bar */
    uint64_t begin_tsc;
} now;

static struct {
    uint64_t bytes;
    uint64_t tsc;
    uint32_t files;
} all;

/* dividend / divisor, UINT32_MAX where that doesn't fit. The compiler would call libgcc. */
static uint32_t divide(uint64_t dividend, uint32_t divisor)
{
    uint32_t low = (uint32_t)dividend, high = (uint32_t)(dividend >> 32);

    if (high >= divisor)
        return UINT32_MAX;
    __asm__("divl %2" : "+a"(low), "+d"(high) : "rm"(divisor) : "cc");
    return low;
}

const char *progress_size(char text[PROGRESS_SIZE_TEXT], uint64_t size_bytes)
{
    unsigned shift = size_bytes >= MIB(1) ? 20 : 10;
    uint32_t tenths = (uint32_t)((size_bytes * 10 + (1u << (shift - 1))) >> shift);

    if (size_bytes < KIB(1))
        fmt_snprintf(text, PROGRESS_SIZE_TEXT, "%u B", (unsigned)size_bytes);
    else
        fmt_snprintf(text, PROGRESS_SIZE_TEXT, "%u.%u %s", tenths / 10, tenths % 10,
                     shift == 20 ? "MiB" : "KiB");
    return text;
}

struct sample {
    uint64_t tsc;
    uint16_t count; /* counts down from 0 */
};

/* Both clocks at one moment: a pause of the machine between the reads shows as a long one. */
static struct sample take_sample(void)
{
    struct sample best = {0};
    uint64_t shortest = UINT64_MAX;

    for (int i = 0; i < SAMPLE_READS; i++) {
        uint64_t before = rdtsc();
        out8(PIT_COMMAND, PIT_2_LATCH);
        uint16_t count = in8(PIT_CHANNEL_2);
        count |= (uint16_t)(in8(PIT_CHANNEL_2) << 8);
        uint64_t took = rdtsc() - before;
        if (took < shortest) {
            shortest = took;
            best = (struct sample){before, count};
        }
    }
    return best;
}

/* How long the wait really took is read from the counter, so it may take up to its 55 ms. */
static uint32_t measure_tsc(void)
{
    struct sample first = take_sample();

    for (int i = 0; i < PATIENCE; i++) {
        struct sample last = take_sample();
        uint16_t counts = (uint16_t)(first.count - last.count);
        if (counts >= WINDOW_MS * PIT_KHZ)
            return divide((last.tsc - first.tsc) * PIT_KHZ, counts);
        if (!counts && i == STILL)
            break;
    }
    return 0;
}

void progress_init(void)
{
    uint8_t port_b = in8(PORT_B) & (uint8_t)~PORT_B_SPEAK;

    out8(PORT_B, port_b | PORT_B_GATE_2);
    out8(PIT_COMMAND, PIT_2_MODE_0);
    out8(PIT_CHANNEL_2, 0);
    out8(PIT_CHANNEL_2, 0);
    tsc_khz = measure_tsc();
    out8(PORT_B, port_b & (uint8_t)~PORT_B_GATE_2);
}

/* "24.7 MiB/s"; "" where it can't be told, or the time is too short to. */
static const char *rate(char text[RATE_TEXT], uint64_t bytes, uint64_t tsc)
{
    uint32_t ms = tsc_khz ? divide(tsc, tsc_khz) : 0;

    text[0] = 0;
    if (ms) {
        uint32_t tenths = divide(bytes * 10000 >> 20, ms);
        fmt_snprintf(text, RATE_TEXT, "%u.%u MiB/s", tenths / 10, tenths % 10);
    }
    return text;
}

/* done * BAR_WIDTH / total without 64-bit division. */
static uint32_t bar_cells(uint32_t done, uint32_t total)
{
    uint32_t cell = total / BAR_WIDTH + 1;
    return done >= total ? BAR_WIDTH : done / cell;
}

void progress_begin(const char *name, uint32_t size_bytes)
{
    now.name = name;
    now.total_bytes = size_bytes;
    now.drawn = NOT_DRAWN;
    now.begin_tsc = rdtsc();
    progress_size(now.size, size_bytes);
    progress_step(0);
}

void progress_step(uint32_t done_bytes)
{
    static const char full[] = "########################";
    uint32_t cells = bar_cells(done_bytes, now.total_bytes);
    char speed[RATE_TEXT];

    now.done_bytes = done_bytes;
    if (cells == now.drawn)
        return;
    now.drawn = cells;
    console_print_screen("\r" LINE_FORMAT "[%-24.*s] %-13s", now.name, now.size, (int)cells, full,
                         rate(speed, done_bytes, rdtsc() - now.begin_tsc));
}

void progress_end(const char *word)
{
    all.bytes += now.done_bytes;
    all.tsc += rdtsc() - now.begin_tsc;
    all.files++;
    /* Over the bar, and blanks over what the words leave of it. */
    console_print_screen("\r" LINE_FORMAT "%-40s\n", now.name, now.size, word);
    console_print_serial(LINE_FORMAT "%s\n", now.name, now.size, word);
}

void progress_total(void)
{
    char name[24], size[PROGRESS_SIZE_TEXT], speed[RATE_TEXT];

    fmt_snprintf(name, sizeof(name), "%u files", (unsigned)all.files);
    console_print(LINE_FORMAT "%s\n", name, progress_size(size, all.bytes),
                  rate(speed, all.bytes, all.tsc));
}
