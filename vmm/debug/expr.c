#include "debug/expr.h"

static bool is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* 16 and more: no digit of any number. */
static unsigned digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0');
    if (c >= 'a' && c <= 'f')
        return (unsigned)(c - 'a') + 10;
    if (c >= 'A' && c <= 'F')
        return (unsigned)(c - 'A') + 10;
    return 16;
}

static const char *take_number(const char **text, uint64_t *value)
{
    const char *at = *text;
    unsigned base = 10;

    if (at[0] == '0' && (at[1] == 'x' || at[1] == 'X')) {
        base = 16;
        at += 2;
    }
    const char *first = at;
    uint64_t sum = 0;
    for (unsigned digit; (digit = digit_value(*at)) < base; at++) {
        if (sum > (UINT64_MAX - digit) / base)
            return "the number has more than 64 bits";
        sum = sum * base + digit;
    }
    if (at == first || is_name(*at))
        return "that is no number: write 0x1f or 31, or a register as $rip";
    *text = at;
    *value = sum;
    return NULL;
}

static const char *take_term(const char **text, const struct expr_names *names, uint64_t *value)
{
    if (**text != '$')
        return take_number(text, value);
    const char *name = ++*text;
    while (is_name(**text))
        ++*text;
    if (!names->value(names->ctx, name, (unsigned)(*text - name), value))
        return "there is no such register: write $rax, $rip, $cr3, $fs_base";
    return NULL;
}

const char *expr_take(const char **text, const struct expr_names *names, uint64_t *value)
{
    bool minus = false;
    uint64_t sum = 0, term;

    for (;;) {
        const char *wrong = take_term(text, names, &term);
        if (wrong)
            return wrong;
        sum = minus ? sum - term : sum + term;
        if (**text != '+' && **text != '-')
            break;
        minus = *(*text)++ == '-';
    }
    if (**text && **text != ' ')
        return "terms are joined by + or -, without blanks";
    *value = sum;
    return NULL;
}
