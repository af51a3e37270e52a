/* What the user sees of a file that is being read: a bar and the speed on the screen, and in the
 * end one line on the screen, the serial line and in the log. */
#ifndef STAGE2_PROGRESS_H
#define STAGE2_PROGRESS_H

#include "lib/types.h"

#define PROGRESS_SIZE_TEXT 16

/* "7.9 MiB", "10.3 KiB", "513 B". */
const char *progress_size(char text[PROGRESS_SIZE_TEXT], uint64_t size_bytes);

/* Measures the TSC, 2 ms, for the speed. Without a PIT none is shown. */
void progress_init(void);

void progress_begin(const char *name, uint32_t size_bytes);
void progress_step(uint32_t done_bytes);
/* `word`: how it ended. */
void progress_end(const char *word);
/* All files since progress_init(). */
void progress_total(void);

#endif
