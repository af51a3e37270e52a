/* The order in which the host is brought up. */
#include "hw/hw.h"
#include "hw/parts.h"

#include "hw/cpu.h"
#include "lib/assert.h"
#include "lib/bits.h"
#include "lib/log.h"

static void check_boot_info(const struct boot_info *info)
{
    if (info->magic != BOOT_INFO_MAGIC || info->version != BOOT_INFO_VERSION ||
        info->size_bytes != sizeof(*info))
        panic("the boot loader and the VMM are of different versions (boot_info %x, version %u, "
              "%u bytes)",
              (unsigned)info->magic, (unsigned)info->version, (unsigned)info->size_bytes);
    if (info->memory_count == 0)
        panic("the boot loader gave no memory map, or one with more than %d entries: look for a "
              "firmware update",
              BOOT_INFO_MAX_MEMORY);
    if (info->memory_count > BOOT_INFO_MAX_MEMORY || info->file_count > BOOT_INFO_MAX_FILES)
        panic("boot_info counts %u memory ranges and %u files: more than it can hold",
              (unsigned)info->memory_count, (unsigned)info->file_count);
}

/* A framebuffer begins empty: what the loader has said is said again. */
static void keep_loader_log(const struct boot_info *info)
{
    const char *text = (const char *)info->log_address;

    if (!text)
        return;
    for (uint32_t i = 0; i < min_u64(info->log_size_bytes, LOG_KEPT_SIZE); i++) {
        log_keep(text[i]);
        if (info->screen.type == BOOT_SCREEN_FRAMEBUFFER) {
            if (text[i] == '\n')
                screen_put('\r');
            screen_put((uint8_t)text[i]);
        }
    }
}

/* XSETBV needs OSXSAVE in the host too; without MCE a machine check resets the machine in silence.
 * Checksums need SSE, as long as there is no guest whose registers they would use. */
static void init_cr4(void)
{
    uint64_t cr4 = read_cr4() | CR4_MCE | CR4_OSFXSR;
    if (hw_facts.xsave)
        cr4 |= CR4_OSXSAVE;
    write_cr4(cr4 & hw_facts.cr4_supported);
}

static const char *trimmed(const char *brand)
{
    while (*brand == ' ')
        brand++;
    return brand;
}

void hw_init(const struct boot_info *info)
{
    cli();
    serial_init(info->magic == BOOT_INFO_MAGIC ? (uint16_t)info->serial_port : 0);
    if (serial_present())
        log_add_sink(serial_sink);
    screen_init(&info->screen);
    log_add_sink(screen_sink);
    check_boot_info(info);
    keep_loader_log(info);

    gdt_init();
    idt_init();
    facts_init();
    log_info("CPU: %s, %s, %u address bits", hw_facts.vendor, trimmed(hw_facts.brand),
             hw_facts.physical_bits);
    init_cr4();
    mtrr_init();

    frames_init(info);
    paging_init(info);
    screen_map(info);
    log_info("memory: %llu MiB usable", (unsigned long long)(frames_stats().total_bytes >> 20));

    acpi_init(info);
    time_init();
    pic_init();
    ioapic_mask();
    hw_lapic_init();
    serial_irq_init();
    keyboard_init();
    console_init();
}
