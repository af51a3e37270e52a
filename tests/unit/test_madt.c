/* needs: vmm/hw/madt.c vmm/lib/mem.c */
#include "hw/madt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint8_t *table;
static uint32_t used;

static int begin(void **state)
{
    (void)state;
    free(table);
    table = calloc(1, 44);
    used = 44;
    return 0;
}

static int end(void **state)
{
    (void)state;
    free(table);
    table = NULL;
    return 0;
}

/* Exactly as large as what it holds: ASan sees a step too far. */
static void add(const char *bytes, size_t size)
{
    table = realloc(table, used + size);
    memcpy(table + used, bytes, size);
    used += (uint32_t)size;
}

static unsigned find(uint32_t address[4])
{
    return madt_io_apics(table, used, address, 4);
}

static void io_apics_are_found_between_other_entries(void **state)
{
    (void)state;
    uint32_t address[4];
    add("\x00\x08\x00\x00\x01\x00\x00\x00", 8);                  /* a CPU's local APIC */
    add("\x01\x0c\x00\x00\x00\x00\xc0\xfe\x00\x00\x00\x00", 12); /* FEC00000 */
    add("\x02\x0a\x00\x00\x02\x00\x00\x00\x00\x00", 10);         /* an override */
    add("\x01\x0c\x01\x00\x00\x10\xc0\xfe\x18\x00\x00\x00", 12);
    assert_int_equal(find(address), 2);
    assert_int_equal(address[0], 0xfec00000);
    assert_int_equal(address[1], 0xfec01000);
}

static void no_more_are_given_than_asked_for(void **state)
{
    (void)state;
    uint32_t address[4] = {0};
    for (int i = 0; i < 6; i++)
        add("\x01\x0c\x00\x00\x00\x00\xc0\xfe\x00\x00\x00\x00", 12);
    assert_int_equal(find(address), 4);
}

static void an_impossible_entry_ends_the_list(void **state)
{
    (void)state;
    uint32_t address[4];
    add("\x01\x00\x00\x00\x00\x00\xc0\xfe", 8); /* a length that would never end it */
    assert_int_equal(find(address), 0);
    begin(state);
    add("\x01\x0c\x00\x00\x00\x00\xc0", 7); /* cut off */
    assert_int_equal(find(address), 0);
    begin(state);
    add("\x01", 1);
    assert_int_equal(find(address), 0);
    begin(state);
    add("\x01\x04\x00\x00", 4); /* too short for what it is: skipped */
    add("\x01\x0c\x00\x00\x00\x00\xc0\xfe\x00\x00\x00\x00", 12);
    assert_int_equal(find(address), 1);
    assert_int_equal(madt_io_apics(table, 36, address, 4), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(io_apics_are_found_between_other_entries, begin, end),
        cmocka_unit_test_setup_teardown(no_more_are_given_than_asked_for, begin, end),
        cmocka_unit_test_setup_teardown(an_impossible_entry_ends_the_list, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
