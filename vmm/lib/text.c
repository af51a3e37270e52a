#include "lib/text.h"

#include "lib/fmt.h"

void text_printf(struct byte_sink sink, const char *format, ...)
{
    char text[TEXT_MAX + 1];
    va_list args;

    va_start(args, format);
    fmt_vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    for (const char *c = text; *c; c++)
        sink.put(sink.ctx, (uint8_t)*c);
}
