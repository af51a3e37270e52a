/* Text for a byte sink: what an answer of the monitor is made of. */
#ifndef LIB_TEXT_H
#define LIB_TEXT_H

#include "lib/types.h"

#define TEXT_MAX 255 /* bytes that one call writes at the most; the rest is dropped */

/* A line ends in "\n", as everywhere inside of pxHV. */
void text_printf(struct byte_sink sink, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
