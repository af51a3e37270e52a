/* See manifest.h. The text is read anew for each question: there are few, and nothing to keep. */
#include "lib/manifest.h"

#include "lib/mem.h"

#define DATE_WORD "#date "
#define DATE_SIZE 19u /* of "2026-01-01 00:00:00" */

/* What is left of the text, or of a line of it. */
struct text {
    const char *next;
    const char *end;
};

struct entry {
    uint32_t sum;
    uint64_t size_bytes;
    struct text name;
};

/* Cuts the next line off, without its end. False at the end of the text. */
static bool take_line(struct text *text, struct text *line)
{
    if (text->next == text->end)
        return false;
    line->next = text->next;
    while (text->next < text->end && *text->next != '\n')
        text->next++;
    line->end = text->next;
    if (text->next < text->end)
        text->next++;
    /* An editor may have made CR LF of it. */
    if (line->end > line->next && line->end[-1] == '\r')
        line->end--;
    return true;
}

/* Cuts a decimal number of at most `most` off, and the one character behind it. */
static bool take_number(struct text *line, uint64_t most, char behind, uint64_t *number)
{
    const char *start = line->next;

    *number = 0;
    for (; line->next < line->end && *line->next >= '0' && *line->next <= '9'; line->next++) {
        *number = *number * 10 + (uint64_t)(*line->next - '0');
        if (*number > most)
            return false;
    }
    return line->next > start && line->next < line->end && *line->next++ == behind;
}

static bool take_entry(struct text line, struct entry *entry)
{
    uint64_t sum;

    if (!take_number(&line, UINT32_MAX, ' ', &sum) ||
        !take_number(&line, UINT32_MAX, ' ', &entry->size_bytes) || line.next == line.end)
        return false;
    entry->sum = (uint32_t)sum;
    entry->name = line;
    return true;
}

static bool is_comment(struct text line)
{
    return line.next == line.end || *line.next == '#';
}

static bool is_date(struct text line)
{
    size_t length = str_len(DATE_WORD);
    return (size_t)(line.end - line.next) >= length && memcmp(line.next, DATE_WORD, length) == 0;
}

/* Two or four digits at `at` of a date. */
static bool take_digits(const char *at, unsigned count, unsigned *number)
{
    *number = 0;
    for (unsigned i = 0; i < count; i++) {
        if (at[i] < '0' || at[i] > '9')
            return false;
        *number = *number * 10 + (unsigned)(at[i] - '0');
    }
    return true;
}

static bool take_date(struct text line, uint32_t *date)
{
    const char *at = line.next + str_len(DATE_WORD);
    unsigned year, month, day, hour, minute, second;

    if (line.end - at != DATE_SIZE || !take_digits(at, 4, &year) ||
        !take_digits(at + 5, 2, &month) || !take_digits(at + 8, 2, &day) ||
        !take_digits(at + 11, 2, &hour) || !take_digits(at + 14, 2, &minute) ||
        !take_digits(at + 17, 2, &second))
        return false;
    if (year < 1980 || year > 2107 || month > 12 || day > 31 || hour > 23 || minute > 59 ||
        second > 59)
        return false;
    *date = manifest_date(year, month, day, hour, minute, second);
    return true;
}

bool manifest_open(struct manifest *manifest, const char *text, size_t size, unsigned *line_number)
{
    struct text rest = {text, text + size}, line;
    struct entry entry;
    bool dated = false;

    *manifest = (struct manifest){.text = text, .size = size};
    for (*line_number = 1; take_line(&rest, &line); ++*line_number) {
        if (is_date(line)) {
            dated = take_date(line, &manifest->date);
            if (!dated)
                return false;
        } else if (!is_comment(line) && !take_entry(line, &entry)) {
            return false;
        }
    }
    *line_number = 0;
    return dated;
}

static char to_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c;
}

static bool is_path(struct text name, const char *path)
{
    while (*path == '/')
        path++;
    for (; name.next < name.end; name.next++, path++) {
        if (to_lower(*name.next) != to_lower(*path))
            return false;
        while (*path == '/' && path[1] == '/')
            path++;
    }
    return !*path;
}

static bool find(const struct manifest *manifest, const char *path, struct entry *entry)
{
    struct text rest, line;

    if (!manifest->text)
        return false;
    rest = (struct text){manifest->text, manifest->text + manifest->size};
    while (take_line(&rest, &line))
        if (!is_comment(line) && take_entry(line, entry) && is_path(entry->name, path))
            return true;
    return false;
}

enum manifest_verdict manifest_judge(const struct manifest *manifest, const char *path,
                                     uint64_t size_bytes, uint32_t date, uint32_t sum)
{
    struct entry entry;

    if (!find(manifest, path, &entry))
        return MANIFEST_UNKNOWN;
    if (entry.sum == sum && entry.size_bytes == size_bytes)
        return MANIFEST_OK;
    return entry.size_bytes == size_bytes && manifest->date == date ? MANIFEST_DAMAGED
                                                                    : MANIFEST_CHANGED;
}

const char *manifest_word(enum manifest_verdict verdict)
{
    switch (verdict) {
    case MANIFEST_OK:
        return "ok";
    case MANIFEST_CHANGED:
        return "ok, changed by hand";
    case MANIFEST_UNKNOWN:
        return "ok, added by hand";
    default:
        return "DAMAGED";
    }
}
