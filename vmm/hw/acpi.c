/*
 * As much ACPI as it takes to switch the machine off and to find timers and I/O APICs.
 * ACPI specification "Root System Description Pointer (RSDP)", "Fixed ACPI Description Table
 * (FADT)", "PM1 Control Registers". Every address and length comes from firmware: nothing is
 * followed that doesn't add up.
 */
#define LOG_MODULE "acpi"
#include "hw/parts.h"

#include "hw/aml.h"
#include "hw/cpu.h"
#include "hw/madt.h"
#include "lib/log.h"
#include "lib/mem.h"

#define HEADER_BYTES    36u
#define MAX_TABLE_BYTES MIB(16)

#define RSDP_V1_BYTES  20u
#define RSDP_MAX_BYTES 64u

#define GAS_MEMORY 0
#define GAS_IO     1

#define PM1_SCI_EN        BIT(0)
#define PM1_SLP_TYP_SHIFT 10
#define PM1_SLP_TYP_MASK  (7u << PM1_SLP_TYP_SHIFT)
#define PM1_SLP_EN        BIT(13)
#define POLLS_FOR_SCI_EN  300000u

static struct {
    uint16_t pm1a_cnt, pm1b_cnt, pm_timer, smi_cmd;
    uint8_t acpi_enable;
    bool has_s5;
    uint8_t s5_type_a, s5_type_b;
    uint64_t hpet_address;
    const uint8_t *madt; /* NULL: none */
} acpi;

static bool sums_to_zero(const uint8_t *bytes, size_t size)
{
    uint8_t sum = 0;
    for (size_t i = 0; i < size; i++)
        sum = (uint8_t)(sum + bytes[i]);
    return sum == 0;
}

static bool is_rsdp(const uint8_t *p)
{
    return memcmp(p, "RSD PTR ", 8) == 0 && sums_to_zero(p, RSDP_V1_BYTES);
}

static const uint8_t *scan_for_rsdp(hpa_t base, hpa_t end)
{
    for (hpa_t at = base; at + RSDP_MAX_BYTES <= end; at += 16)
        if (is_rsdp((const uint8_t *)at))
            return (const uint8_t *)at;
    return NULL;
}

/* The address of page 0 is unmapped on purpose; the EBDA's segment was below it. Its usual place,
 * the last KiB blocks below 640 KiB, is searched instead. */
static const uint8_t *find_rsdp(const struct boot_info *info)
{
    if (info->rsdp && paging_map_table(info->rsdp, RSDP_MAX_BYTES) &&
        is_rsdp((const uint8_t *)info->rsdp))
        return (const uint8_t *)info->rsdp;
    const uint8_t *found = scan_for_rsdp(0xE0000, 0x100000);
    return found ? found : scan_for_rsdp(0x80000, 0xA0000);
}

/* The table at hpa, mapped whole and with a right checksum; NULL otherwise. */
static const uint8_t *open_table(hpa_t hpa)
{
    if (hpa == 0 || !paging_map_table(hpa, HEADER_BYTES))
        return NULL;
    const uint8_t *table = (const uint8_t *)hpa;
    uint32_t length = load_le32(table + 4);
    if (length < HEADER_BYTES || length > MAX_TABLE_BYTES || !paging_map_table(hpa, length))
        return NULL;
    return sums_to_zero(table, length) ? table : NULL;
}

/* The table named `wanted` that the RSDT or XSDT (`signature`) points to. */
static const uint8_t *find_in_root(hpa_t root_hpa, const char *signature, unsigned pointer_bytes,
                                   const char *wanted)
{
    const uint8_t *root = open_table(root_hpa);
    if (!root || memcmp(root, signature, 4) != 0)
        return NULL;
    uint32_t length = load_le32(root + 4);
    for (uint32_t at = HEADER_BYTES; at + pointer_bytes <= length; at += pointer_bytes) {
        hpa_t hpa = pointer_bytes == 8 ? load_le64(root + at) : load_le32(root + at);
        const uint8_t *table = open_table(hpa);
        if (table && memcmp(table, wanted, 4) == 0)
            return table;
    }
    return NULL;
}

static const uint8_t *find_table(const uint8_t *rsdp, const char *wanted)
{
    const uint8_t *table = NULL;
    bool version_2 = rsdp[15] >= 2;

    if (version_2)
        table = find_in_root(load_le64(rsdp + 24), "XSDT", 8, wanted);
    return table ? table : find_in_root(load_le32(rsdp + 16), "RSDT", 4, wanted);
}

/* IA-PC HPET specification "The ACPI 2.0 HPET Description Table (HPET)". */
static void read_hpet(const uint8_t *table)
{
    if (table && load_le32(table + 4) >= 52 && table[40] == GAS_MEMORY)
        acpi.hpet_address = load_le64(table + 44);
}

/* A register block of the FADT: its old 32-bit field, or the generic address that may replace it.
 * 0: none, or not in I/O space. */
static uint16_t io_block(const uint8_t *fadt, uint32_t length, unsigned field, unsigned gas)
{
    uint32_t port = field + 4 <= length ? load_le32(fadt + field) : 0;
    if (port == 0 && gas + 12 <= length && fadt[gas] == GAS_IO)
        port = load_le32(fadt + gas + 4);
    return port <= UINT16_MAX ? (uint16_t)port : 0;
}

static void read_dsdt(const uint8_t *fadt, uint32_t length)
{
    const uint8_t *dsdt = NULL;

    if (length >= 148)
        dsdt = open_table(load_le64(fadt + 140));
    if (!dsdt && length >= 44)
        dsdt = open_table(load_le32(fadt + 40));
    if (!dsdt || memcmp(dsdt, "DSDT", 4) != 0)
        return;
    acpi.has_s5 = aml_find_s5(dsdt + HEADER_BYTES, load_le32(dsdt + 4) - HEADER_BYTES,
                              &acpi.s5_type_a, &acpi.s5_type_b);
}

void acpi_init(const struct boot_info *info)
{
    const uint8_t *rsdp = find_rsdp(info);
    if (!rsdp) {
        log_info("no ACPI tables");
        return;
    }
    read_hpet(find_table(rsdp, "HPET"));
    acpi.madt = find_table(rsdp, "APIC");
    const uint8_t *fadt = find_table(rsdp, "FACP");
    if (!fadt) {
        log_warn("the ACPI tables are damaged: no FADT");
        return;
    }
    uint32_t length = load_le32(fadt + 4);
    acpi.pm1a_cnt = io_block(fadt, length, 64, 172);
    acpi.pm1b_cnt = io_block(fadt, length, 68, 184);
    acpi.pm_timer = io_block(fadt, length, 76, 208);
    acpi.smi_cmd = length >= 53 ? load_le16(fadt + 48) : 0;
    acpi.acpi_enable = length >= 53 ? fadt[52] : 0;
    read_dsdt(fadt, length);
    log_info("power-off %s", acpi.has_s5 && acpi.pm1a_cnt ? "by S5" : "unknown");
}

uint16_t acpi_pm_timer_port(void)
{
    return acpi.pm_timer;
}

hpa_t acpi_hpet_address(void)
{
    return acpi.hpet_address;
}

unsigned acpi_io_apics(uint32_t *address, unsigned most)
{
    return acpi.madt ? madt_io_apics(acpi.madt, load_le32(acpi.madt + 4), address, most) : 0;
}

static void wait_ms(unsigned ms)
{
    uint64_t start = rdtsc(), ticks = time_tsc_hz() / 1000 * ms;
    while (rdtsc() - start < ticks)
        cpu_pause();
}

/* PM1_CNT belongs to the operating system only after the firmware handed ACPI over. */
static void enable_acpi(void)
{
    if ((inw(acpi.pm1a_cnt) & PM1_SCI_EN) || !acpi.smi_cmd || !acpi.acpi_enable)
        return;
    outb(acpi.smi_cmd, acpi.acpi_enable);
    for (unsigned i = 0; i < POLLS_FOR_SCI_EN; i++)
        if (inw(acpi.pm1a_cnt) & PM1_SCI_EN)
            return;
}

static void sleep_s5(uint16_t port, uint8_t type)
{
    uint32_t control = inw(port) & ~(PM1_SLP_TYP_MASK | PM1_SLP_EN);
    control |= (uint32_t)type << PM1_SLP_TYP_SHIFT;
    outw(port, (uint16_t)control);
    outw(port, (uint16_t)(control | PM1_SLP_EN));
}

_Noreturn void host_halt(void)
{
    log_raw("The machine can be switched off now.\n");
    console_rest();
}

_Noreturn void host_power_off(void)
{
    serial_flush();
    screen_sync();
    if (acpi.has_s5 && acpi.pm1a_cnt) {
        enable_acpi();
        sleep_s5(acpi.pm1a_cnt, acpi.s5_type_a);
        if (acpi.pm1b_cnt)
            sleep_s5(acpi.pm1b_cnt, acpi.s5_type_b);
        wait_ms(500);
    }
    /* Emulators whose tables said nothing: QEMU's and Bochs' PM1a_CNT, Bochs' own port. */
    outw(0x604, PM1_SLP_EN);
    outw(0xB004, PM1_SLP_EN);
    for (const char *c = "Shutdown"; *c; c++)
        outb(0x8900, (uint8_t)*c);
    wait_ms(100);
    host_halt();
}
