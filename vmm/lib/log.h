/*
 * The log: one line a call, to every sink that was added and to a ring in memory that can be
 * paged through after a stop. A source file defines LOG_MODULE before it includes this header.
 */
#ifndef LIB_LOG_H
#define LIB_LOG_H

#include "lib/types.h"
#include <stdarg.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

#define LOG_MAX_SINKS 4
#define LOG_KEPT_SIZE 65536u /* a power of two */

/* Adds a console; false when LOG_MAX_SINKS are in use. A line feed reaches a sink as CR LF. */
bool log_add_sink(struct byte_sink sink);
void log_set_level(enum log_level level); /* lines above the level are dropped; default LOG_INFO */
enum log_level log_get_level(void);

/* Writes "module: text\n" (with an "error: " or "warning: " mark where the level asks for it). */
void log_write(enum log_level level, const char *module, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Writes the text as it is, at LOG_ERROR's visibility: reports, banners. */
void log_raw(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Keeps a character that no sink gets: what a loader said before there was a log. */
void log_keep(char c);
/* The newest LOG_KEPT_SIZE bytes are kept: positions log_begin() to log_end(), which count from the
 * first byte ever. */
uint64_t log_begin(void);
uint64_t log_end(void);
uint8_t log_at(uint64_t position);

/*
 * For what a guest can trigger: true for the first `burst` calls and then once for each doubling,
 * so that a hostile guest can't flood the console. `counter` belongs to the call site.
 */
static inline bool log_ratelimit(uint64_t *counter, uint64_t burst)
{
    uint64_t n = ++*counter;
    return n <= burst || (n & (n - 1)) == 0;
}

#ifndef LOG_MODULE
#define LOG_MODULE "pxHV"
#endif
#define log_err(...)  log_write(LOG_ERROR, LOG_MODULE, __VA_ARGS__)
#define log_warn(...) log_write(LOG_WARN, LOG_MODULE, __VA_ARGS__)
#define log_info(...) log_write(LOG_INFO, LOG_MODULE, __VA_ARGS__)
#define log_dbg(...)  log_write(LOG_DEBUG, LOG_MODULE, __VA_ARGS__)

#endif
