/* See verify.h. */
#include "boot/verify.h"

#include "lib/cksum.h"
#include "lib/mem.h"

bool verify_open(struct manifest *manifest, const struct boot_info *boot, unsigned *line)
{
    *manifest = (struct manifest){0};
    for (uint32_t i = 0; i < boot->file_count; i++) {
        const struct boot_file *file = &boot->files[i];
        if (str_eq(file->name, MANIFEST_FILE))
            return manifest_open(manifest, (const char *)(uintptr_t)file->address, file->size_bytes,
                                 line);
    }
    return true;
}

enum manifest_verdict verify_file(const struct manifest *manifest, const char *name,
                                  const void *bytes, uint64_t size_bytes)
{
    struct cksum sum = {0};

    cksum_add(&sum, bytes, size_bytes);
    return manifest_judge(manifest, name, size_bytes, manifest->date, cksum_value(&sum));
}
