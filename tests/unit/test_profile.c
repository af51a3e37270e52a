/* needs: vmm/virt/apic.c tests/unit/fake_backend.c tests/unit/fake_script.c tests/unit/fake_virt.c vmm/debug/profile.c vmm/dev/iobus.c vmm/virt/vcpu.c vmm/virt/report.c vmm/lib/text.c vmm/virt/account.c vmm/virt/trace.c vmm/virt/timeline.c vmm/virt/run.c vmm/virt/exit.c vmm/virt/event.c vmm/virt/cpuid.c vmm/virt/msr.c vmm/virt/pvclock.c vmm/virt/pveoi.c vmm/virt/msr_amd.c vmm/virt/cr.c vmm/virt/pio.c vmm/lib/fmt.c */
#include "debug/profile.h"

#include "fake_backend.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

/* The kinds, and a zero that makes them even. */
#define ROW_COUNTS ((VEXIT_KIND_COUNT + 1) / 2 * 2)

static struct fake fake;
static struct iobus ports, mmio;
static struct profile_source source;
static struct account snapshot;
static uint8_t file[128 * 1024], again[128 * 1024];

static enum io_result no_register(void *dev, uint32_t offset, unsigned size, uint64_t *value)
{
    (void)dev;
    (void)offset;
    (void)size;
    (void)value;
    return IO_NO_REGISTER;
}

static const struct dev_ops uart = {.name = "uart16550", .read = no_register};

static void run_ten_ticks(struct fake *machine, unsigned entry)
{
    (void)entry;
    machine->tsc += 10;
}

static void take_three_ticks(struct fake *machine, const struct fake_pio *access)
{
    (void)access;
    machine->tsc += 3;
}

static int setup(void **state)
{
    (void)state;
    fake_init(&fake);
    fake.tsc_step = 1;
    fake.on_entry = run_ten_ticks;
    fake.on_pio = take_three_ticks;
    iobus_init(&ports, NULL, NULL);
    iobus_init(&mmio, NULL, NULL);
    assert_true(iobus_add(&ports, 0x3f8, 8, &uart, NULL, 0));
    source = (struct profile_source){.vcpu = &fake.vcpu,
                                     .snapshot = &snapshot,
                                     .ports = &ports,
                                     .mmio = &mmio,
                                     .guest = "linux",
                                     .memory_bytes = 0x10000000,
                                     .stage2_tsc = 11,
                                     .loaded_tsc = 22,
                                     .enabled_tsc = 33,
                                     .launch_tsc = 44};
    return 0;
}

/* Forty reads of COM1's line status, one of a port without a device, one MSR. */
static void run_a_guest(void)
{
    for (unsigned i = 0; i < 41; i++) {
        struct vexit *in = fake_script(&fake, VEXIT_PIO);
        in->insn_len = 1;
        in->pio.port = i < 40 ? 0x3fd : 0x80;
        in->pio.size = 1;
        in->pio.in = true;
    }
    fake_script(&fake, VEXIT_RDMSR)->insn_len = 1;
    fake.vcpu.gpr[1] = 0x1b;
    vcpu_run(&fake.vcpu);
}

static uint64_t le(const uint8_t *at, unsigned bytes)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; i++)
        value |= (uint64_t)at[i] << 8 * i;
    return value;
}

/* The records of a section; their number and size as raw numbers. */
static const uint8_t *section(const char *tag, uint64_t record_bytes, uint64_t *records)
{
    const uint8_t *at = file + le(file + 12, 4);
    for (uint64_t i = 0; i < le(file + 24, 4); i++) {
        uint64_t size = le(at + 4, 4), count = le(at + 8, 8);
        if (memcmp(at, tag, 4) == 0) {
            assert_int_equal(size, record_bytes);
            *records = count;
            return at + 16;
        }
        at += 16 + size * count;
    }
    fail_msg("no section %s", tag);
    return NULL;
}

static void the_file_has_its_head_and_its_sections(void **state)
{
    (void)state;
    run_a_guest();
    uint64_t bytes = profile_read(&source, 0, file, sizeof(file));
    assert_memory_equal(file, "PXHVPROF\1\0\0\0\40\0\0\0", 16);
    assert_int_equal(le(file + 16, 8), bytes);
    const uint8_t *at = file + 32;
    static const char tags[6][5] = {"INFO", "KIND", "DETL", "RIPS", "TIME", "EXIT"};
    assert_int_equal(le(file + 24, 4), 6);
    for (unsigned i = 0; i < 6; i++) {
        assert_memory_equal(at, tags[i], 4);
        at += 16 + le(at + 4, 4) * le(at + 8, 8);
    }
    assert_ptr_equal(at, file + bytes);
}

static void its_sums_agree(void **state)
{
    (void)state;
    run_a_guest();
    profile_read(&source, 0, file, sizeof(file));
    uint64_t count;
    const uint8_t *info = section("INFO", 200, &count);
    assert_int_equal(le(info, 8), 1000000000);
    assert_int_equal(le(info + 8, 8), 11);
    assert_int_equal(le(info + 32, 8), 44);
    uint64_t exits = le(info + 56, 8), wall = le(info + 64, 8), guest = le(info + 72, 8);
    uint64_t vmm = le(info + 80, 8), start = le(info + 104, 8);
    assert_int_equal(exits, 43);
    assert_int_equal(guest, 430);
    assert_true(wall == guest + vmm + le(info + 88, 8) + le(info + 96, 8));
    assert_string_equal((const char *)info + 136, "fake");
    assert_string_equal((const char *)info + 168, "linux");

    const uint8_t *kind = section("KIND", 80, &count);
    assert_int_equal(count, VEXIT_KIND_COUNT);
    uint64_t exit_sum = 0, tick_sum = start;
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(le(kind + 80 * i, 4), i);
        exit_sum += le(kind + 80 * i + 8, 8);
        tick_sum += le(kind + 80 * i + 16, 8);
    }
    assert_int_equal(exit_sum, exits);
    assert_int_equal(tick_sum, vmm);
    assert_int_equal(le(kind + 80 * 7 + 8, 8), 41); /* port I/O */
    assert_int_equal(le(kind + 80 * 7 + 32, 8), 0);
    assert_string_equal((const char *)kind + 80 * 7 + 40, "port I/O");
}

static void its_ports_have_their_devices_names(void **state)
{
    (void)state;
    run_a_guest();
    profile_read(&source, 0, file, sizeof(file));
    uint64_t count;
    const uint8_t *detail = section("DETL", 64, &count);
    assert_int_equal(count, 3);
    assert_int_equal(le(detail, 4), 7);
    assert_int_equal(le(detail + 8, 8), 0x3fd);
    assert_int_equal(le(detail + 16, 8), 40);
    assert_int_equal(le(detail + 24, 8), 120);
    assert_int_equal(le(detail + 32, 8), 3);
    assert_string_equal((const char *)detail + 40, "uart16550");
    for (unsigned i = 1; i < 3; i++) {
        const uint8_t *other = detail + 64 * i;
        assert_true(le(other + 8, 8) == 0x80 || le(other + 8, 8) == 0x1b);
        assert_int_equal(le(other + 16, 8), 1);
        assert_string_equal((const char *)other + 40, "");
    }
}

static void its_trace_goes_from_the_oldest_to_the_newest(void **state)
{
    (void)state;
    run_a_guest();
    profile_read(&source, 0, file, sizeof(file));
    uint64_t count;
    const uint8_t *record = section("EXIT", 40, &count);
    assert_int_equal(count, 31);
    for (unsigned i = 0; i < 31; i++, record += 40) {
        assert_int_equal(le(record + 8, 8) - le(record, 8), 10);
        assert_int_equal(le(record + 16, 8), 0x1000 + 12 + i);
        if (i > 0)
            assert_true(le(record, 8) >= le(record - 40 + 8, 8));
    }
    assert_int_equal(le(record - 40 + 32, 4), VEXIT_TRIPLE_FAULT);
    assert_int_equal(le(record - 3 * 40 + 24, 8), 0x80);
}

static void the_last_row_is_the_snapshot_s(void **state)
{
    (void)state;
    run_a_guest();
    profile_read(&source, 0, file, sizeof(file));
    uint64_t count;
    const uint8_t *row = section("TIME", 32 + 4 * ROW_COUNTS, &count);
    assert_int_equal(count, 2);
    row += 32 + 4 * ROW_COUNTS;
    assert_int_equal(le(row + 8, 8), 430);
    assert_int_equal(le(row + 32 + 4 * 7, 4), 41);
}

static void pieces_of_any_size_make_the_same_file(void **state)
{
    (void)state;
    run_a_guest();
    uint64_t bytes = profile_read(&source, 0, file, sizeof(file));
    static const unsigned sizes[] = {1, 7, 100, 511, 4096};
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        /* The clock goes on at each snapshot: what is compared is one of them. */
        bytes = profile_read(&source, 0, file, sizeof(file));
        memset(again, 0xee, sizeof(again));
        memcpy(again, file, sizes[i]);
        uint64_t at = sizes[i];
        for (uint64_t got; (got = profile_read(&source, at, again + at, sizes[i])) > 0; at += got)
            assert_true(got == sizes[i] || at + got == bytes);
        assert_int_equal(at, bytes);
        assert_memory_equal(again, file, bytes);
        assert_int_equal(again[bytes], 0xee);
    }
    assert_int_equal(profile_read(&source, UINT64_MAX, again, 100), 0);
    assert_int_equal(profile_read(&source, bytes, again, 100), 0);
    assert_int_equal(profile_read(&source, bytes - 1, again, UINT64_MAX), 1);
}

static void a_guest_that_never_ran_has_a_profile(void **state)
{
    (void)state;
    uint64_t count, bytes = profile_read(&source, 0, file, sizeof(file));
    assert_int_equal(le(file + 16, 8), bytes);
    section("EXIT", 40, &count);
    assert_int_equal(count, 0);
    section("DETL", 64, &count);
    assert_int_equal(count, 0);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_file_has_its_head_and_its_sections),
        TEST(its_sums_agree),
        TEST(its_ports_have_their_devices_names),
        TEST(its_trace_goes_from_the_oldest_to_the_newest),
        TEST(the_last_row_is_the_snapshot_s),
        TEST(pieces_of_any_size_make_the_same_file),
        TEST(a_guest_that_never_ran_has_a_profile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
