/* The log: sinks, levels, and the newest bytes kept in memory. */
#include "lib/log.h"

#include "lib/fmt.h"

#define LINE_SIZE 512

static struct byte_sink sinks[LOG_MAX_SINKS];
static unsigned sink_count;
static enum log_level max_level = LOG_INFO;
static char kept[LOG_KEPT_SIZE];
static uint64_t kept_total; /* bytes ever kept; the newest LOG_KEPT_SIZE of them are there */

bool log_add_sink(struct byte_sink sink)
{
    if (sink_count == LOG_MAX_SINKS)
        return false;
    sinks[sink_count++] = sink;
    return true;
}

void log_set_level(enum log_level level)
{
    max_level = level;
}

enum log_level log_get_level(void)
{
    return max_level;
}

static void sink_char(const struct byte_sink *sink, char c)
{
    if (c == '\n')
        sink->put(sink->ctx, '\r');
    sink->put(sink->ctx, (uint8_t)c);
}

void log_keep(char c)
{
    kept[kept_total++ % LOG_KEPT_SIZE] = c;
}

uint64_t log_begin(void)
{
    return kept_total > LOG_KEPT_SIZE ? kept_total - LOG_KEPT_SIZE : 0;
}

uint64_t log_end(void)
{
    return kept_total;
}

uint8_t log_at(uint64_t position)
{
    return (uint8_t)kept[position % LOG_KEPT_SIZE];
}

static void emit(const char *text)
{
    for (; *text; text++) {
        log_keep(*text);
        for (unsigned i = 0; i < sink_count; i++)
            sink_char(&sinks[i], *text);
    }
}

/* Names out of files and images end up in the log: no control character of theirs reaches a
 * terminal. */
static void make_printable(char *text)
{
    for (; *text; text++)
        if ((*text > 0 && *text < ' ' && *text != '\t') || *text == 0x7F)
            *text = '?';
}

static const char *level_mark(enum log_level level)
{
    switch (level) {
    case LOG_ERROR:
        return "error: ";
    case LOG_WARN:
        return "warning: ";
    default:
        return "";
    }
}

void log_write(enum log_level level, const char *module, const char *format, ...)
{
    char line[LINE_SIZE];
    va_list args;

    if (level > max_level)
        return;
    va_start(args, format);
    int len = fmt_vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    make_printable(line);

    emit(module);
    emit(": ");
    emit(level_mark(level));
    emit(line);
    emit((size_t)len < sizeof(line) ? "\n" : "...\n");
}

void log_raw(const char *format, ...)
{
    char text[LINE_SIZE];
    va_list args;

    va_start(args, format);
    int len = fmt_vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    emit(text);
    if ((size_t)len >= sizeof(text))
        emit("...\n");
}
