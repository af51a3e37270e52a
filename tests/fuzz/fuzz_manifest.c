/* needs: vmm/lib/manifest.c vmm/lib/mem.c */
#include "lib/manifest.h"

#include <stdlib.h>
#include <string.h>

/* Input: the path that is asked for, a NUL, and the text of a pxhv.sum. */

static void check(bool ok)
{
    if (!ok)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size ? memchr(data, 0, size) : NULL;
    struct manifest manifest;
    unsigned line;

    if (!end)
        return 0;
    const char *path = (const char *)data, *text = (const char *)end + 1;
    size_t text_size = size - (size_t)(text - path);
    bool good = manifest_open(&manifest, text, text_size, &line);
    check(line <= text_size + 1 && (!good || line == 0));

    /* The sum and the size of a listed file can't both be right and wrong. */
    enum manifest_verdict one = manifest_judge(&manifest, path, 6, 0x5c210000, 5);
    enum manifest_verdict other = manifest_judge(&manifest, path, 6, 0x5c210000, 4);
    check(!(one == MANIFEST_OK && other == MANIFEST_OK));
    check((one == MANIFEST_UNKNOWN) == (other == MANIFEST_UNKNOWN));
    manifest.text = NULL;
    check(manifest_judge(&manifest, path, 6, 0, 5) == MANIFEST_UNKNOWN);
    return 0;
}
