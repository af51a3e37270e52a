/* needs: vmm/pc/acpi.c vmm/dev/gmem.c vmm/lib/mem.c */
#include "pc/acpi.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* Offsets are those of the ACPI Specification 5.0, as numbers. */

static uint8_t *ram;
static struct gmem gmem;
static uint8_t dsdt[40];

static uint16_t get16(gpa_t at)
{
    return (uint16_t)(ram[at] | ram[at + 1] << 8);
}

static uint32_t get32(gpa_t at)
{
    return get16(at) | (uint32_t)get16(at + 2) << 16;
}

static uint64_t get64(gpa_t at)
{
    return get32(at) | (uint64_t)get32(at + 4) << 32;
}

static uint8_t sum(gpa_t at, unsigned size)
{
    uint8_t total = 0;

    while (size--)
        total = (uint8_t)(total + ram[at++]);
    return total;
}

static int setup(void **state)
{
    (void)state;
    ram = malloc(2 << 20);
    memset(ram, 0xA5, 2 << 20);
    gmem = (struct gmem){1, {{0, 2 << 20, ram}}};
    memset(dsdt, 0, sizeof(dsdt));
    memcpy(dsdt, "DSDT", 4);
    dsdt[4] = sizeof(dsdt);
    dsdt[39] = 0x77;
    assert_int_equal(acpi_write(&gmem, dsdt, sizeof(dsdt)), 0xE0000);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    free(ram);
    return 0;
}

/* The search of "Finding the RSDP on IA-PC Systems". */
static gpa_t find_rsdp(void)
{
    for (gpa_t at = 0xE0000; at < 0x100000; at += 16)
        if (memcmp(ram + at, "RSD PTR ", 8) == 0 && sum(at, 20) == 0)
            return at;
    fail_msg("no RSDP");
    return 0;
}

static gpa_t fadt(void)
{
    gpa_t at = get32(get32(find_rsdp() + 16) + 36);

    assert_memory_equal(ram + at, "FACP", 4);
    return at;
}

static gpa_t hpet(void)
{
    gpa_t at = get32(get32(find_rsdp() + 16) + 44);

    assert_memory_equal(ram + at, "HPET", 4);
    return at;
}

static gpa_t mcfg(void)
{
    gpa_t at = get32(get32(find_rsdp() + 16) + 48);

    assert_memory_equal(ram + at, "MCFG", 4);
    return at;
}

static void the_rsdp_is_found_and_points_to_both_root_tables(void **state)
{
    gpa_t rsdp = find_rsdp();
    gpa_t rsdt = get32(rsdp + 16);
    gpa_t xsdt = get64(rsdp + 24);

    (void)state;
    assert_int_equal(ram[rsdp + 15], 2);
    assert_int_equal(get32(rsdp + 20), 36);
    assert_int_equal(sum(rsdp, 36), 0);
    assert_memory_equal(ram + rsdt, "RSDT", 4);
    assert_int_equal(get32(rsdt + 4), 52);
    assert_memory_equal(ram + xsdt, "XSDT", 4);
    assert_int_equal(get32(xsdt + 4), 68);
    assert_true(get32(rsdt + 36) == get64(xsdt + 36));
    assert_true(get32(rsdt + 40) == get64(xsdt + 44));
    assert_true(get32(rsdt + 44) == get64(xsdt + 52));
    assert_true(get32(rsdt + 48) == get64(xsdt + 60));
}

static gpa_t madt(void)
{
    gpa_t at = get32(get32(find_rsdp() + 16) + 40);

    assert_memory_equal(ram + at, "APIC", 4);
    return at;
}

static void all_checksums_are_right(void **state)
{
    gpa_t rsdp = find_rsdp();
    gpa_t tables[] = {get32(rsdp + 16), get64(rsdp + 24), fadt(), madt(), hpet(), mcfg()};

    (void)state;
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(sum(tables[i], get32(tables[i] + 4)), 0);
}

static void tables_dont_overlap(void **state)
{
    gpa_t rsdp = find_rsdp();
    gpa_t start[] = {
        rsdp,   get32(rsdp + 16), get64(rsdp + 24),  fadt(), get32(fadt() + 36), madt(),
        hpet(), mcfg(),           get32(fadt() + 40)};

    (void)state;
    for (unsigned i = 0; i + 1 < 9; i++)
        assert_true(start[i] + (i == 0 ? 36 : get32(start[i] + 4)) <= start[i + 1]);
}

static void the_fadt_describes_the_pm_ports(void **state)
{
    gpa_t f = fadt();

    (void)state;
    assert_int_equal(get32(f + 4), 268);
    assert_int_equal(ram[f + 8], 5);
    assert_int_equal(get16(f + 46), 9); /* SCI_INT */
    assert_int_equal(get32(f + 48), 0); /* SMI_CMD: ACPI mode is always on */
    assert_int_equal(get32(f + 56), 0x600);
    assert_int_equal(get32(f + 64), 0x604);
    assert_int_equal(get32(f + 76), 0x608);
    assert_int_equal(get32(f + 60) | get32(f + 68) | get32(f + 72), 0);
    assert_int_equal(get32(f + 80) | get32(f + 84), 0); /* no GPE blocks */
    assert_int_equal(ram[f + 88], 4);
    assert_int_equal(ram[f + 89], 2);
    assert_int_equal(ram[f + 91], 4);
    assert_true(get16(f + 96) > 100);  /* no C2 */
    assert_true(get16(f + 98) > 1000); /* no C3 */
    assert_int_equal(ram[f + 108], 0x32);
}

static void gas_is(gpa_t at, unsigned bits, unsigned access, uint64_t port)
{
    assert_int_equal(ram[at], 1); /* system I/O */
    assert_int_equal(ram[at + 1], bits);
    assert_int_equal(ram[at + 2], 0);
    assert_int_equal(ram[at + 3], access);
    assert_true(get64(at + 4) == port);
}

static void the_fadts_addresses_of_64_bits_agree(void **state)
{
    gpa_t f = fadt();

    (void)state;
    gas_is(f + 148, 32, 2, 0x600);
    gas_is(f + 172, 16, 2, 0x604);
    gas_is(f + 208, 32, 3, 0x608);
    assert_true(get64(f + 132) == 0);
    assert_true(get64(f + 140) == get32(f + 40));
}

static void the_fadt_describes_a_pc_with_reset_register(void **state)
{
    gpa_t f = fadt();

    (void)state;
    assert_int_equal(get16(f + 109), 0x07); /* legacy devices, 8042, no VGA */
    assert_int_equal(get32(f + 112), 0x565);
    gas_is(f + 116, 8, 1, 0xCF9);
    assert_int_equal(ram[f + 128], 0x06);
}

static void the_madt_describes_both_apics(void **state)
{
    static const uint8_t entries[] = {
        0, 8,  0,    0, 1, 0, 0,    0, /* local APIC: processor 0, ID 0, enabled */
        1, 12, 0,    0, 0, 0, 0xC0, 0xFE, 0,    0, 0, 0, /* I/O APIC: ID 0, FEC00000h, from GSI 0 */
        2, 10, 0,    0, 2, 0, 0,    0,    0,    0,       /* IRQ 0 is GSI 2 */
        2, 10, 0,    9, 9, 0, 0,    0,    0x0D, 0,       /* IRQ 9: level, active high */
        4, 6,  0xFF, 5, 0, 1,                            /* NMI: all processors, edge, LINT1 */
    };
    gpa_t m = madt();

    (void)state;
    assert_int_equal(get32(m + 4), 36 + 8 + sizeof(entries));
    assert_int_equal(ram[m + 8], 3);
    assert_true(get32(m + 36) == 0xFEE00000);
    assert_int_equal(get32(m + 40), 1); /* 8259As as well */
    assert_memory_equal(ram + m + 44, entries, sizeof(entries));
}

static void the_hpet_table_says_what_the_chip_says(void **state)
{
    gpa_t h = hpet();

    (void)state;
    assert_int_equal(get32(h + 4), 56);
    assert_int_equal(ram[h + 8], 1);
    assert_true(get32(h + 36) == 0x8086A201); /* the low half of its capabilities */
    assert_int_equal(ram[h + 40], 0);         /* system memory */
    assert_int_equal(ram[h + 41], 64);
    assert_true(get64(h + 44) == 0xFED00000);
    assert_int_equal(ram[h + 52], 0);
    assert_int_equal(get16(h + 53), 2000);
}

static void the_mcfg_announces_bus_0(void **state)
{
    static const uint8_t allocation[] = {0, 0, 0xB0, 0xFE, 0, 0, 0, 0, /* FEB00000h */
                                         0, 0,                         /* segment group 0 */
                                         0, 0,                         /* buses 0 to 0 */
                                         0, 0, 0,    0};
    gpa_t m = mcfg();

    (void)state;
    assert_int_equal(get32(m + 4), 60);
    assert_int_equal(ram[m + 8], 1);
    assert_true(get64(m + 36) == 0);
    assert_memory_equal(ram + m + 44, allocation, sizeof(allocation));
}

static void the_facs_is_aligned_and_the_dsdt_is_copied(void **state)
{
    gpa_t facs = get32(fadt() + 36);

    (void)state;
    assert_int_equal(facs % 64, 0);
    assert_memory_equal(ram + facs, "FACS", 4);
    assert_int_equal(get32(facs + 4), 64);
    assert_int_equal(ram[facs + 32], 2);
    assert_memory_equal(ram + get32(fadt() + 40), dsdt, sizeof(dsdt));
}

static void nothing_is_written_outside_of_the_firmware_area(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2 << 20; i++)
        if (i < 0xE0000 || i >= 0x100000)
            assert_int_equal(ram[i], 0xA5);
}

static void a_wrong_dsdt_is_refused(void **state)
{
    uint8_t *big = calloc(1, 0x20000);

    (void)state;
    dsdt[4]++;
    assert_int_equal(acpi_write(&gmem, dsdt, sizeof(dsdt)), 0);
    dsdt[4]--;
    dsdt[0] = 'S';
    assert_int_equal(acpi_write(&gmem, dsdt, sizeof(dsdt)), 0);
    assert_int_equal(acpi_write(&gmem, dsdt, 35), 0);
    memcpy(big, "DSDT", 4);
    big[4] = 0x80; /* 1FC80h: the area less the other tables */
    big[5] = 0xFC;
    big[6] = 0x01;
    assert_int_equal(acpi_write(&gmem, big, 0x1FC80), 0xE0000);
    big[4] = 0x81;
    assert_int_equal(acpi_write(&gmem, big, 0x1FC81), 0);
    gmem.region[0].size_bytes = 0xFFFFF;
    assert_int_equal(acpi_write(&gmem, dsdt, sizeof(dsdt)), 0);
    free(big);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_rsdp_is_found_and_points_to_both_root_tables),
        T(all_checksums_are_right),
        T(tables_dont_overlap),
        T(the_fadt_describes_the_pm_ports),
        T(the_fadts_addresses_of_64_bits_agree),
        T(the_fadt_describes_a_pc_with_reset_register),
        T(the_madt_describes_both_apics),
        T(the_hpet_table_says_what_the_chip_says),
        T(the_mcfg_announces_bus_0),
        T(the_facs_is_aligned_and_the_dsdt_is_copied),
        T(nothing_is_written_outside_of_the_firmware_area),
        T(a_wrong_dsdt_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
