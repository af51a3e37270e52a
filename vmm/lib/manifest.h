/*
 * pxhv.sum: what `make image` wrote onto the stick, to tell a damaged file from one that the user
 * put there. Pure C, shared by the boot loaders; its text is untrusted.
 *
 * A line is what cksum prints, "CHECKSUM SIZE NAME", or begins with '#'. The line "#date YYYY-MM-DD
 * HH:MM:SS" says which date all these files have in their folders: a file with its size and this
 * date has not been written to since.
 */
#ifndef LIB_MANIFEST_H
#define LIB_MANIFEST_H

#include "lib/types.h"

#define MANIFEST_FILE     "pxhv.sum"
#define MANIFEST_MAX_SIZE 0x5000u /* bytes: some hundred files */

struct manifest {
    const char *text; /* NULL: there is none, every file is MANIFEST_UNKNOWN */
    size_t size;
    uint32_t date; /* as manifest_date() packs it */
};

enum manifest_verdict {
    MANIFEST_OK,      /* the bytes that `make image` wrote */
    MANIFEST_CHANGED, /* other bytes, and the folder's entry shows that somebody wrote them */
    MANIFEST_UNKNOWN, /* not listed: a file that the user added */
    MANIFEST_DAMAGED, /* other bytes in a file that nobody has written to */
};

/* A date as a FAT folder keeps it: the date's 16 bits above the time's, in steps of 2 seconds. */
static inline uint32_t manifest_date(unsigned year, unsigned month, unsigned day, unsigned hour,
                                     unsigned minute, unsigned second)
{
    return (uint32_t)((year - 1980) << 9 | month << 5 | day) << 16 |
           (hour << 11 | minute << 5 | second / 2);
}

/* Takes text[0, size), which must stay. False when a line is damaged; *line says which, 0 when the
 * date is missing. */
bool manifest_open(struct manifest *manifest, const char *text, size_t size, unsigned *line);

/* Judges a file by its path on the stick (case and doubled slashes don't matter), its folder
 * entry's size and date of last write, and cksum_value() of its bytes. */
enum manifest_verdict manifest_judge(const struct manifest *manifest, const char *path,
                                     uint64_t size_bytes, uint32_t date, uint32_t sum);

/* The sentence about a damaged file, with its name. */
#define MANIFEST_DAMAGED_TEXT                                                                      \
    "the file \"%s\" is damaged on the stick: its checksum is not that in " MANIFEST_FILE          \
    ": copy it to the stick again, or write the whole stick again"

/* One or two words for the loader's line about the file: "ok", "ok, changed by hand", ... */
const char *manifest_word(enum manifest_verdict verdict);

#endif
