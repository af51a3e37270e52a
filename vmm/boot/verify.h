/* pxhv.sum after a multiboot2 loader, which reads files but compares none. Pure C. */
#ifndef BOOT_VERIFY_H
#define BOOT_VERIFY_H

#include "lib/boot_info.h"
#include "lib/manifest.h"

/* Finds pxhv.sum among the files that were handed over; without one manifest->text is NULL. False
 * where it is damaged; *line as manifest_open() gives it. */
bool verify_open(struct manifest *manifest, const struct boot_info *boot, unsigned *line);

/* Reads bytes[0, size_bytes) and judges the file by its name. The loader tells no dates: a file
 * with the size that is listed counts as one that nobody has written to. */
enum manifest_verdict verify_file(const struct manifest *manifest, const char *name,
                                  const void *bytes, uint64_t size_bytes);

#endif
