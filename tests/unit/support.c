/* What the pure-C parts call besides their injected collaborators: the log and panic. Linked into
 * every unit test and fuzzer. A panic is a failure: no input may reach one. */
#include "lib/assert.h"
#include "lib/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

_Noreturn void panic_at(const char *file, int line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "panic at %s:%d: ", file, line);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    abort();
}

__attribute__((weak)) void log_write(enum log_level level, const char *module, const char *format,
                                     ...)
{
    (void)level;
    (void)module;
    (void)format;
}

__attribute__((weak)) void log_raw(const char *format, ...)
{
    (void)format;
}
