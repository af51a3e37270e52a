/* printf-style formatting into a buffer, without a libc and without 64-bit division. */
#include "lib/fmt.h"

#include "lib/mem.h"

struct output {
    char *dst;
    size_t size;
    size_t len; /* of the whole text, also where it no longer fits */
};

struct spec {
    bool left, zero;
    int width;
    int precision; /* -1: none */
    int longs;     /* 0 int, 1 long, 2 long long, 3 size_t */
};

static void put(struct output *out, char c)
{
    if (out->len + 1 < out->size)
        out->dst[out->len] = c;
    out->len++;
}

static void pad(struct output *out, char c, int count)
{
    while (count-- > 0)
        put(out, c);
}

static void put_string(struct output *out, const struct spec *spec, const char *s)
{
    int len = 0;

    if (!s)
        s = "(null)";
    while ((spec->precision < 0 || len < spec->precision) && s[len])
        len++;
    if (!spec->left)
        pad(out, ' ', spec->width - len);
    for (int i = 0; i < len; i++)
        put(out, s[i]);
    if (spec->left)
        pad(out, ' ', spec->width - len);
}

/* Divides *value by 10 and gives the remainder. In 16-bit digits, so that a 32-bit build needs no
 * division helper from a compiler library. */
static unsigned divide_by_10(uint64_t *value)
{
    uint64_t quotient = 0;
    uint32_t rest = 0;

    for (int shift = 48; shift >= 0; shift -= 16) {
        uint32_t part = rest << 16 | (uint16_t)(*value >> shift);
        quotient |= (uint64_t)(part / 10) << shift;
        rest = part % 10;
    }
    *value = quotient;
    return rest;
}

static void put_number(struct output *out, const struct spec *spec, uint64_t value, bool negative,
                       const char *digits, bool hex)
{
    char text[20]; /* 2^64 has 20 decimal digits */
    int len = 0;

    do {
        unsigned digit;
        if (hex) {
            digit = value & 15;
            value >>= 4;
        } else {
            digit = divide_by_10(&value);
        }
        text[len++] = digits[digit];
    } while (value);

    int fill = spec->width - len - negative;
    if (!spec->left && !spec->zero)
        pad(out, ' ', fill);
    if (negative)
        put(out, '-');
    if (!spec->left && spec->zero)
        pad(out, '0', fill);
    while (len)
        put(out, text[--len]);
    if (spec->left)
        pad(out, ' ', fill);
}

static uint64_t take_unsigned(const struct spec *spec, va_list *args)
{
    switch (spec->longs) {
    case 0:
        return va_arg(*args, unsigned);
    case 1:
        return va_arg(*args, unsigned long);
    case 2:
        return va_arg(*args, unsigned long long);
    default:
        return va_arg(*args, size_t);
    }
}

static int64_t take_signed(const struct spec *spec, va_list *args)
{
    switch (spec->longs) {
    case 0:
        return va_arg(*args, int);
    case 1:
        return va_arg(*args, long);
    case 2:
        return va_arg(*args, long long);
    default:
        return (ptrdiff_t)va_arg(*args, size_t);
    }
}

static void put_signed(struct output *out, const struct spec *spec, va_list *args)
{
    int64_t value = take_signed(spec, args);
    uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

    put_number(out, spec, magnitude, value < 0, "0123456789", false);
}

static void put_pointer(struct output *out, struct spec *spec, const void *pointer)
{
    spec->zero = true;
    spec->width = 2 * sizeof(void *);
    put_number(out, spec, (uintptr_t)pointer, false, "0123456789abcdef", true);
}

/* A number in the format itself, or '*': the next int argument. */
static int take_count(const char **format, va_list *args)
{
    int n = 0;

    if (**format == '*') {
        (*format)++;
        return va_arg(*args, int);
    }
    while (**format >= '0' && **format <= '9')
        n = n * 10 + *(*format)++ - '0';
    return n;
}

static struct spec take_spec(const char **format, va_list *args)
{
    struct spec spec = {.precision = -1};

    for (;; (*format)++) {
        if (**format == '-')
            spec.left = true;
        else if (**format == '0')
            spec.zero = true;
        else
            break;
    }
    spec.width = take_count(format, args);
    if (**format == '.') {
        (*format)++;
        spec.precision = take_count(format, args);
    }
    for (; **format == 'l'; (*format)++)
        spec.longs++;
    if (**format == 'z') {
        (*format)++;
        spec.longs = 3;
    }
    return spec;
}

static void put_conversion(struct output *out, struct spec *spec, char conversion, va_list *args)
{
    switch (conversion) {
    case 'd':
    case 'i':
        put_signed(out, spec, args);
        break;
    case 'u':
        put_number(out, spec, take_unsigned(spec, args), false, "0123456789", false);
        break;
    case 'x':
        put_number(out, spec, take_unsigned(spec, args), false, "0123456789abcdef", true);
        break;
    case 'X':
        put_number(out, spec, take_unsigned(spec, args), false, "0123456789ABCDEF", true);
        break;
    case 'p':
        put_pointer(out, spec, va_arg(*args, const void *));
        break;
    case 's':
        put_string(out, spec, va_arg(*args, const char *));
        break;
    case 'c': {
        char text[2] = {(char)va_arg(*args, int), 0};
        put_string(out, spec, text);
        break;
    }
    default: /* "%%", and a conversion nobody knows shows itself */
        put(out, conversion);
    }
}

int fmt_vsnprintf(char *dst, size_t size_bytes, const char *format, va_list args)
{
    struct output out = {.dst = dst, .size = size_bytes};
    va_list copy; /* where va_list is an array, only a local one has an address to pass on */

    va_copy(copy, args);
    while (*format) {
        if (*format != '%') {
            put(&out, *format++);
            continue;
        }
        format++;
        struct spec spec = take_spec(&format, &copy);
        if (!*format)
            break;
        put_conversion(&out, &spec, *format++, &copy);
    }
    va_end(copy);
    if (size_bytes)
        dst[out.len < size_bytes ? out.len : size_bytes - 1] = 0;
    return (int)out.len;
}

int fmt_snprintf(char *dst, size_t size_bytes, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int len = fmt_vsnprintf(dst, size_bytes, format, args);
    va_end(args);
    return len;
}
