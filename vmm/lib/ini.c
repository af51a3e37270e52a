/* See ini.h: a line at a time through one buffer, so the text itself stays as it is. */
#include "lib/ini.h"

#include "lib/fmt.h"
#include "lib/mem.h"

#define SECTION_SIZE 128

struct reader {
    const char *next;
    const char *end;
    char section[SECTION_SIZE]; /* "" before the first one */
    struct ini_handler handler;
    struct ini_error *error;
};

static bool fail(struct reader *r, const char *reason)
{
    str_copy(r->error->reason, sizeof(r->error->reason), reason);
    return false;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Cuts white space at both ends, in place. */
static char *trim(char *s)
{
    size_t len;

    while (is_blank(*s))
        s++;
    len = str_len(s);
    while (len && is_blank(s[len - 1]))
        len--;
    s[len] = 0;
    return s;
}

/* Ends s at a ';' behind white space or at its start. */
static void cut_comment(char *s)
{
    for (size_t i = 0; s[i]; i++) {
        if (s[i] == ';' && (i == 0 || is_blank(s[i - 1]))) {
            s[i] = 0;
            return;
        }
    }
}

/* Copies the next line, without its end, into line. */
static bool take_line(struct reader *r, char *line)
{
    size_t len = 0;

    r->error->line++;
    while (r->next < r->end && *r->next != '\n') {
        if (len == INI_MAX_LINE)
            return fail(r, "the line is too long: 4096 bytes are the most");
        line[len++] = *r->next++;
    }
    if (r->next < r->end)
        r->next++;
    if (len && line[len - 1] == '\r')
        len--;
    line[len] = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)line[i];
        if ((c < ' ' && c != '\t') || c == 0x7f)
            return fail(r, "the line has a control character: save the file as plain text");
    }
    return true;
}

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
}

static bool take_section(struct reader *r, char *line)
{
    size_t len = 0;
    char *rest;

    while (line[len] && line[len] != ']')
        len++;
    if (!line[len])
        return fail(r, "a section ends with \"]\", as in \"[vm linux]\"");
    line[len] = 0;
    rest = line + len + 1;
    cut_comment(rest);
    if (*trim(rest))
        return fail(r, "there is text behind the section's \"]\": begin a new line");
    line = trim(line);
    if (!*line)
        return fail(r, "the section has no name: write it as in \"[vm linux]\"");
    if (!str_copy(r->section, sizeof(r->section), line))
        return fail(r, "the section's name is too long");
    return r->handler.entry(r->handler.ctx, r->section, NULL, "", r->error);
}

static bool take_key(struct reader *r, char *line)
{
    size_t len = 0;
    char *value;

    while (line[len] && line[len] != '=')
        len++;
    if (!line[len])
        return fail(r, "expected \"key = value\", \"[section]\" or a comment");
    line[len] = 0;
    value = line + len + 1;
    line = trim(line);
    if (!*line)
        return fail(r, "there is no key before \"=\"");
    for (const char *c = line; *c; c++)
        if (!is_name_char(*c))
            return fail(r, "a key is one word of letters, digits, \"-\", \"_\" and \".\"");
    if (!r->section[0])
        return fail(r, "the first line must begin a section, as in \"[vm linux]\"");
    cut_comment(value);
    return r->handler.entry(r->handler.ctx, r->section, line, trim(value), r->error);
}

static bool take_entry(struct reader *r)
{
    char line[INI_MAX_LINE + 1];
    char *text;

    if (!take_line(r, line))
        return false;
    text = trim(line);
    if (!*text || *text == '#' || *text == ';')
        return true;
    return *text == '[' ? take_section(r, text + 1) : take_key(r, text);
}

bool ini_parse(const char *text, size_t size, struct ini_handler handler, struct ini_error *error)
{
    struct reader r = {.next = text, .end = text + size, .handler = handler, .error = error};

    *error = (struct ini_error){0};
    if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        r.next += 3;
    while (r.next < r.end)
        if (!take_entry(&r))
            return false;
    return true;
}
