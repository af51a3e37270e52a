/* needs: vmm/hw/aml.c vmm/lib/mem.c */
/* A DSDT as broken firmware may hand it over: the scan stays inside it, and what it finds can be
 * written into PM1_CNT. */
#include "hw/aml.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t type_a = 0xEE, type_b = 0xEE;
    if (aml_find_s5(data, size, &type_a, &type_b) && (type_a > 7 || type_b > 7))
        abort();
    return 0;
}
