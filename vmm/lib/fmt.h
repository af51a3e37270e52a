/* printf-style formatting: %d %i %u %x %X %c %s %p %%, flags 0 and -, width, .precision for %s,
 * length modifiers l, ll, z. No floating point. */
#ifndef LIB_FMT_H
#define LIB_FMT_H

#include "lib/types.h"
#include <stdarg.h>

/* Both always end dst with a NUL (size_bytes >= 1) and return the length the whole text needs. */
int fmt_vsnprintf(char *dst, size_t size_bytes, const char *format, va_list args);
int fmt_snprintf(char *dst, size_t size_bytes, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
