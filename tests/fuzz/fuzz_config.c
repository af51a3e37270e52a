/* needs: vmm/lib/config.c vmm/lib/ini.c vmm/lib/fmt.c vmm/lib/mem.c */
#include "lib/config.h"

#include <stdlib.h>
#include <string.h>

/* Input: a pxhv.cfg. */

static void check(bool ok)
{
    if (!ok)
        abort();
}

static bool ends_within(const char *text, size_t size)
{
    return memchr(text, 0, size) != NULL;
}

static void check_vm(const struct vm_config *vm)
{
    check(ends_within(vm->name, sizeof(vm->name)) && vm->name[0]);
    check(ends_within(vm->kernel, sizeof(vm->kernel)) && vm->kernel[0]);
    check(ends_within(vm->initrd, sizeof(vm->initrd)));
    check(ends_within(vm->cmdline, sizeof(vm->cmdline)));
    check(vm->memory_bytes >= 0x200000 && vm->memory_bytes <= 0x8000000000);
    check((vm->memory_bytes & 4095) == 0);
    check(vm->disk_count <= CONFIG_MAX_DISKS);
    for (unsigned i = 0; i < vm->disk_count; i++)
        check(ends_within(vm->disk[i], sizeof(vm->disk[i])) && vm->disk[i][0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct config config;
    struct ini_error error;

    if (config_parse((const char *)data, size, &config, &error)) {
        check_vm(&config.vm);
        check(config.log_level >= 0 && config.log_level <= 3);
    } else {
        check(ends_within(error.reason, sizeof(error.reason)) && error.reason[0]);
        check(error.line <= size + 1);
    }
    return 0;
}
