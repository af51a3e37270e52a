/* needs: vmm/virt/apic.c tests/unit/fake_backend.c tests/unit/fake_script.c tests/unit/fake_virt.c vmm/virt/gwalk.c vmm/virt/vcpu.c vmm/virt/report.c vmm/lib/text.c vmm/virt/account.c vmm/virt/trace.c vmm/virt/timeline.c vmm/virt/run.c vmm/virt/exit.c vmm/virt/event.c vmm/virt/cpuid.c vmm/virt/msr.c vmm/virt/pvclock.c vmm/virt/pveoi.c vmm/virt/msr_amd.c vmm/virt/cr.c vmm/virt/pio.c vmm/lib/fmt.c */
/* The software walk of the guest's tables: numbers are those of SDM "Paging" and "Interrupt 14". */
#include "virt/virt.h"

#include "gwalk_guest.h"

static void assert_leads_to(gva_t linear, unsigned access, gpa_t gpa)
{
    struct gwalk_result result = gwalk(&fake.vcpu, linear, access);
    assert_int_equal(result.status, GVA_OK);
    assert_int_equal(result.gpa, gpa);
}

static void assert_faults(gva_t linear, unsigned access, uint32_t error)
{
    struct gwalk_result result = gwalk(&fake.vcpu, linear, access);
    assert_int_equal(result.status, GVA_FAULT);
    assert_int_equal(result.error, error);
}

/* --- Modes ------------------------------------------------------------------------------------ */

static void without_paging_linear_is_physical(void **state)
{
    (void)state;
    fake_init_bits(&fake, 32);
    assert_leads_to(0x12345678, READ, 0x12345678);
    assert_leads_to(0x112345678, WRITE, 0x12345678);
}

static void the_32_bit_format_maps_4_kib_pages(void **state)
{
    (void)state;
    init_32bit();
    assert_leads_to(0x00c05123, READ, 0xabcde123);
    assert_leads_to(0x500c05123, READ, 0xabcde123); /* wraps at 32 bits */
    assert_faults(0x00c06000, READ, 0);
    assert_faults(0x01005000, READ, 0);
}

static void the_32_bit_format_maps_4_mib_pages_with_pse(void **state)
{
    (void)state;
    init_32bit();
    put32(0x100c, 0x56c00087);
    fake.reg[VREG_CR4] = 0x10;
    assert_leads_to(0x00f21abc, READ, 0x56f21abc);
    put32(0x100c, 0x56c00087 | 0x5a << 13); /* PSE-36: address bits 39:32 in bits 20:13 */
    assert_leads_to(0x00f21abc, READ, 0x5a56f21abc);
    put32(0x100c, 0x56e00087); /* bit 21 is reserved */
    assert_faults(0x00f21abc, READ, 9);
    fake.facts.physical_address_mask = 0xfffffffff; /* 36 bits: bits 20:17 are reserved */
    put32(0x100c, 0x56c00087 | 0x10 << 13);
    assert_faults(0x00f21abc, READ, 9);
    put32(0x100c, 0x56c00087 | 0x0f << 13);
    assert_leads_to(0x00f21abc, READ, 0xf56f21abc);
}

static void without_pse_bit_7_of_a_directory_entry_is_ignored(void **state)
{
    (void)state;
    init_32bit();
    put32(0x100c, 0x2087);
    assert_leads_to(0x00c05123, READ, 0xabcde123);
}

static void pae_maps_4_kib_and_2_mib_pages(void **state)
{
    (void)state;
    init_pae();
    assert_leads_to(0x40605123, READ, 0x723456789123);
    assert_leads_to(0x140605123, READ, 0x723456789123); /* wraps at 32 bits */
    put64(0x2018, 0x000056600087);
    assert_leads_to(0x407edcba, READ, 0x567edcba);
    put64(0x2018, 0x000056602087); /* bit 13 is reserved */
    assert_faults(0x407edcba, READ, 9);
    put64(0x2018, 0x0010000000003007); /* bits 62:52 are reserved, unlike with 4 levels */
    assert_faults(0x40605123, READ, 9);
    put64(0x2018, 0x3007);
    put64(0x1028, 0);
    assert_faults(0x40605123, READ, 0);
}

static void pae_directory_pointers_hold_no_rights_and_no_accessed_bit(void **state)
{
    (void)state;
    init_pae();
    assert_leads_to(0x40605123, WRITE | USER, 0x723456789123);
    assert_int_equal(get64(0x1028), 0x2001);
    assert_int_equal(get64(0x2018), 0x3027);
    assert_int_equal(get64(0x3028), 0x723456789067);
}

static void four_levels_map_pages_of_three_sizes(void **state)
{
    (void)state;
    init_4level();
    fake.facts.physical_address_mask = 0xffffffffffff;
    assert_leads_to(LONG_ADDRESS + 0xabc, READ, 0x123456789abc);
    put64(0x3018, 0x123456600087);
    assert_leads_to(LONG_ADDRESS + 0xabc, READ, 0x123456604abc);
    put64(0x2010, 0x123440000087);
    assert_leads_to(LONG_ADDRESS + 0xabc, READ, 0x123440604abc);
    put64(0x2010, 0x123440002087);
    assert_faults(LONG_ADDRESS, READ, 9);
    put64(0x1008, 0x2087); /* no page is this large */
    assert_faults(LONG_ADDRESS, READ, 9);
}

static void gib_pages_are_reserved_where_the_cpu_has_none(void **state)
{
    (void)state;
    init_4level();
    put64(0x2010, 0x40000087);
    assert_leads_to(LONG_ADDRESS, READ, 0x40604000);
    fake.facts.gib_pages = false;
    assert_faults(LONG_ADDRESS, READ, 9);
}

static void bits_62_to_52_are_ignored_with_4_levels(void **state)
{
    (void)state;
    init_4level();
    put64(0x3018, 0x7ff0000000004007);
    assert_leads_to(LONG_ADDRESS, READ, 0x123456789000 & fake.facts.physical_address_mask);
}

static void address_bits_beyond_the_cpu_are_reserved(void **state)
{
    (void)state;
    init_4level();
    fake.facts.physical_address_mask = 0xffffffffff; /* 40 bits */
    assert_faults(LONG_ADDRESS, WRITE | USER, 0xf);
    put64(0x4020, 0xff56789007);
    assert_leads_to(LONG_ADDRESS, READ, 0xff56789000);
}

static void five_levels_use_57_bits(void **state)
{
    (void)state;
    init_4level();
    fake.reg[VREG_CR4] = 0x1020;
    fake.reg[VREG_CR3] = 0x5000;
    put64(0x5038, 0x1007);
    assert_leads_to(0x7000000000000 | LONG_ADDRESS, READ,
                    0x123456789000 & fake.facts.physical_address_mask);
    assert_faults(LONG_ADDRESS, READ, 0);
    assert_int_equal(get64(0x5038), 0x1027);
}

/* --- Rights ----------------------------------------------------------------------------------- */

enum { WP = 1, SMEP = 2, SMAP = 4, AC = 8, NO_NX = 16 };

/* A page whose directory entry and table entry grant `upper` and `lower` (raw low bits; bit 63 is
 * XD): -1 where the access succeeds, otherwise the page fault's error code. */
static const struct {
    uint64_t upper, lower;
    unsigned access, mode;
    int error;
} rights[] = {
    {7, 7, READ, WP, -1},
    {7, 7, WRITE | USER, WP, -1},
    {7, 7, FETCH | USER, WP, -1},
    {7, 5, READ | USER, WP, -1},
    {7, 5, WRITE | USER, WP, 7},
    {5, 7, WRITE | USER, WP, 7}, /* rights are the AND over the levels */
    {7, 5, WRITE, WP, 3},
    {5, 7, WRITE, WP, 3},
    {7, 5, WRITE, 0, -1}, /* CR0.WP clear: the supervisor writes anywhere */
    {7, 1, WRITE, 0, -1},
    {7, 5, WRITE | USER, 0, 7}, /* but a user doesn't */
    {7, 3, READ | USER, WP, 5},
    {3, 7, READ | USER, WP, 5},
    {7, 3, WRITE | USER, WP, 7},
    {7, 3, FETCH | USER, WP, 0x15},
    {7, 3, FETCH | USER, WP | NO_NX, 5}, /* bit 4 needs NXE or SMEP */
    {7, 3, FETCH | USER, WP | NO_NX | SMEP, 0x15},
    {7, 7 | 1ull << 63, READ | USER, WP, -1},
    {7, 7 | 1ull << 63, FETCH | USER, WP, 0x15},
    {7 | 1ull << 63, 7, FETCH, WP, 0x11}, /* XD is the OR over the levels */
    {7, 7 | 1ull << 63, READ, WP | NO_NX, 9},
    {7, 7, FETCH, WP, -1},
    {7, 7, FETCH, WP | SMEP, 0x11},
    {7, 3, FETCH, WP | SMEP, -1},
    {3, 7, FETCH, WP | SMEP, -1}, /* a supervisor page needs one level only */
    {7, 7, READ, WP | SMAP, 1},
    {7, 7, WRITE, WP | SMAP, 3},
    {7, 7, WRITE, SMAP, 3}, /* CR0.WP doesn't help */
    {7, 7, READ, WP | SMAP | AC, -1},
    {7, 5, WRITE, WP | SMAP | AC, 3},
    {7, 3, READ, WP | SMAP, -1},
    {7, 7, READ | USER, WP | SMAP, -1},
    {7, 7, FETCH, WP | SMAP, -1}, /* SMAP is about data */
    {7, 6, READ, WP, 0},
    {7, 6, WRITE | USER, WP, 6},
    {6, 7, FETCH | USER, WP, 0x14},
    {6, 7, FETCH | USER, WP | NO_NX, 4},
    {7, 4 | 1ull << 63, FETCH, WP, 0x10},
};

static void rights_and_error_codes_follow_the_manual(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rights) / sizeof(rights[0]); i++) {
        unsigned mode = rights[i].mode;
        init_4level();
        put64(0x3018, 0x4000 | rights[i].upper);
        put64(0x4020, 0x56789000 | rights[i].lower);
        fake.reg[VREG_CR0] = mode & WP ? 0x80010033 : 0x80000033;
        fake.reg[VREG_CR4] = 0x20 | (mode & SMEP ? 0x100000 : 0) | (mode & SMAP ? 0x200000 : 0);
        fake.reg[VREG_EFER] = mode & NO_NX ? 0x501 : 0xd01;
        fake.vcpu.rflags = mode & AC ? 0x40002 : 2;
        struct gwalk_result result = gwalk(&fake.vcpu, LONG_ADDRESS, rights[i].access);
        if (rights[i].error < 0 && result.status != GVA_OK)
            fail_msg("row %zu: fault %x", i, result.error);
        if (rights[i].error >= 0 && result.status != GVA_FAULT)
            fail_msg("row %zu: no fault", i);
        if (rights[i].error >= 0 && result.error != (uint32_t)rights[i].error)
            fail_msg("row %zu: error code %x, not %x", i, result.error, (unsigned)rights[i].error);
    }
}

static void rights_hold_in_the_32_bit_format_too(void **state)
{
    (void)state;
    init_32bit();
    put32(0x2014, 0xabcde005);
    assert_faults(0x00c05000, WRITE | USER, 7);
    assert_faults(0x00c05000, WRITE, 3);
    put32(0x2014, 0xabcde003);
    assert_faults(0x00c05000, FETCH | USER, 5); /* no XD here: bit 4 stays clear */
    fake.reg[VREG_CR4] = 0x100000;
    assert_faults(0x00c05000, FETCH | USER, 0x15);
}

/* --- Accessed and dirty ----------------------------------------------------------------------- */

static void a_read_sets_accessed_on_every_level(void **state)
{
    (void)state;
    init_4level();
    put64(0x4020, 0x56789007);
    gwalk(&fake.vcpu, LONG_ADDRESS, READ);
    assert_int_equal(get64(0x1008), 0x2027);
    assert_int_equal(get64(0x2010), 0x3027);
    assert_int_equal(get64(0x3018), 0x4027);
    assert_int_equal(get64(0x4020), 0x56789027);
}

static void a_write_sets_dirty_on_the_last_level(void **state)
{
    (void)state;
    init_4level();
    put64(0x4020, 0x56789007);
    gwalk(&fake.vcpu, LONG_ADDRESS, WRITE);
    assert_int_equal(get64(0x3018), 0x4027);
    assert_int_equal(get64(0x4020), 0x56789067);
    put64(0x3018, 0x56600087); /* the last level of a 2 MiB page */
    gwalk(&fake.vcpu, LONG_ADDRESS, WRITE);
    assert_int_equal(get64(0x3018), 0x566000e7);
    init_32bit();
    gwalk(&fake.vcpu, 0x00c05000, WRITE);
    assert_int_equal(get32(0x100c), 0x2027);
    assert_int_equal(get32(0x2014), 0xabcde067);
    assert_int_equal(get32(0x2018), 0);
}

static void a_fault_sets_neither(void **state)
{
    (void)state;
    init_4level();
    put64(0x4020, 0x56789005);
    assert_faults(LONG_ADDRESS, WRITE, 3);
    assert_int_equal(get64(0x1008), 0x2007);
    assert_int_equal(get64(0x4020), 0x56789005);
}

static unsigned table_writes;
static bool (*plain_mem_write)(void *ctx, gpa_t gpa, const void *src, uint64_t len);

static bool counting_mem_write(void *ctx, gpa_t gpa, const void *src, uint64_t len)
{
    table_writes++;
    return plain_mem_write(ctx, gpa, src, len);
}

static void bits_that_are_set_are_not_written_again(void **state)
{
    (void)state;
    init_4level();
    gwalk(&fake.vcpu, LONG_ADDRESS, WRITE);
    table_writes = 0;
    plain_mem_write = fake.vcpu.hooks.mem_write;
    fake.vcpu.hooks.mem_write = counting_mem_write;
    gwalk(&fake.vcpu, LONG_ADDRESS, WRITE);
    gwalk(&fake.vcpu, LONG_ADDRESS, READ);
    assert_int_equal(table_writes, 0);
}

static void a_table_outside_of_ram_is_told_apart(void **state)
{
    (void)state;
    init_4level();
    put64(0x2010, 0x7ff000007);
    struct gwalk_result result = gwalk(&fake.vcpu, LONG_ADDRESS, READ);
    assert_int_equal(result.status, GVA_NOT_RAM);
    assert_int_equal(result.gpa, 0x7ff000018);
    fake.reg[VREG_CR3] = 0x3ffffffff000;
    result = gwalk(&fake.vcpu, LONG_ADDRESS, READ);
    assert_int_equal(result.status, GVA_NOT_RAM);
    assert_int_equal(result.gpa, 0x3ffffffff008);
}

static void noise_in_every_table_never_leaves_the_hooks(void **state)
{
    (void)state;
    uint64_t random = 0x9e3779b97f4a7c15;
    for (unsigned round = 0; round < 20000; round++) {
        if (round % 1000 == 0)
            init_4level();
        for (unsigned i = 0; i < 4; i++) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            put64((random >> 20) % (FAKE_RAM_SIZE / 8) * 8, random & 0xffff8f07);
        }
        fake.reg[VREG_CR3] = random & 0xff000;
        fake.reg[VREG_CR4] = random & 0x301030;
        fake.reg[VREG_EFER] = random & 1 ? 0xd01 : 0;
        struct gwalk_result result = gwalk(&fake.vcpu, random, round & 7);
        assert_true(result.status <= GVA_NOT_RAM);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_paging_linear_is_physical),
        cmocka_unit_test(the_32_bit_format_maps_4_kib_pages),
        cmocka_unit_test(the_32_bit_format_maps_4_mib_pages_with_pse),
        cmocka_unit_test(without_pse_bit_7_of_a_directory_entry_is_ignored),
        cmocka_unit_test(pae_maps_4_kib_and_2_mib_pages),
        cmocka_unit_test(pae_directory_pointers_hold_no_rights_and_no_accessed_bit),
        cmocka_unit_test(four_levels_map_pages_of_three_sizes),
        cmocka_unit_test(gib_pages_are_reserved_where_the_cpu_has_none),
        cmocka_unit_test(bits_62_to_52_are_ignored_with_4_levels),
        cmocka_unit_test(address_bits_beyond_the_cpu_are_reserved),
        cmocka_unit_test(five_levels_use_57_bits),
        cmocka_unit_test(rights_and_error_codes_follow_the_manual),
        cmocka_unit_test(rights_hold_in_the_32_bit_format_too),
        cmocka_unit_test(a_read_sets_accessed_on_every_level),
        cmocka_unit_test(a_write_sets_dirty_on_the_last_level),
        cmocka_unit_test(a_fault_sets_neither),
        cmocka_unit_test(bits_that_are_set_are_not_written_again),
        cmocka_unit_test(a_table_outside_of_ram_is_told_apart),
        cmocka_unit_test(noise_in_every_table_never_leaves_the_hooks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
