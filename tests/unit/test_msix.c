/* needs: vmm/dev/msix.c vmm/dev/virtio_pci.c vmm/dev/virtio_common.c vmm/dev/virtqueue.c vmm/dev/pci.c vmm/dev/iobus.c vmm/dev/gmem.c vmm/dev/virtio_blk.c vmm/dev/ramdisk.c */
/* MSI-X of the virtio disk: PCI 3.0, "MSI-X Capability and Table Structures". */
#include "dev/msix.h"

#include "virtio_pci_bench.h"

#define TABLE (BAR0 + 0x4000) /* BAR 1 */
#define PBA   (TABLE + 0x800)

static unsigned capability(struct machine *m)
{
    unsigned at = cfg_read(m, 1, 0x34, 1);
    while (at && cfg_read(m, 1, at, 1) != 0x11)
        at = cfg_read(m, 1, at + 1, 1);
    assert_true(at != 0);
    return at;
}

static void set_control(struct machine *m, uint16_t value)
{
    cfg_write(m, 1, capability(m) + 2, 2, value);
}

/* Vector 1 for the queue, 0 for the configuration; unmasked, to APIC 0 as vector 41h and 40h. */
static struct machine *machine_with_msix(void)
{
    struct machine *m = machine_new(false);
    driver_start(m, 0x100000000);
    for (unsigned i = 0; i < 2; i++) {
        mmio_write(m, TABLE + 16 * i, 8, 0xFEE00000);
        mmio_write(m, TABLE + 16 * i + 8, 4, 0x4040 + i);
        mmio_write(m, TABLE + 16 * i + 12, 4, 0);
    }
    mmio_write(m, BAR0 + 0x10, 2, 0);
    mmio_write(m, BAR0 + 0x1A, 2, 1);
    set_control(m, 0x8000);
    return m;
}

static void serve(struct machine *m)
{
    offer_read(m, 5);
    notify(m);
}

static void the_capability_tells_of_two_vectors_in_bar_1(void **state)
{
    struct machine *m = machine_new(false);
    unsigned at = capability(m);
    (void)state;
    assert_int_equal(cfg_read(m, 1, at + 2, 2), 0x0001);
    assert_int_equal(cfg_read(m, 1, at + 4, 4), 0x001);
    assert_int_equal(cfg_read(m, 1, at + 8, 4), 0x801);
    cfg_write(m, 1, at + 2, 2, 0xFFFF);
    assert_int_equal(cfg_read(m, 1, at + 2, 2), 0xC001);
    cfg_write(m, 1, at + 4, 4, 0xFFFFFFFF);
    assert_int_equal(cfg_read(m, 1, at + 4, 4), 0x001);
    cfg_write(m, 1, 0x14, 4, 0xFFFFFFFF);
    assert_true(cfg_read(m, 1, 0x14, 4) == 0xFFFFF000);
    set_control(m, 0);
    machine_check_and_free(m);
}

static void the_table_after_reset_and_its_bits(void **state)
{
    struct machine *m = machine_new(false);
    (void)state;
    cfg_write(m, 1, 0x04, 2, 0x0002);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(mmio_read(m, TABLE + 16 * i, 8), 0);
        assert_int_equal(mmio_read(m, TABLE + 16 * i + 8, 4), 0);
        assert_int_equal(mmio_read(m, TABLE + 16 * i + 12, 4), 1);
        mmio_write(m, TABLE + 16 * i, 8, 0xA1A2A3A4B1B2B3B7);
        mmio_write(m, TABLE + 16 * i + 8, 8, UINT64_MAX);
        assert_true(mmio_read(m, TABLE + 16 * i, 8) == 0xA1A2A3A4B1B2B3B4);
        assert_true(mmio_read(m, TABLE + 16 * i + 4, 4) == 0xA1A2A3A4);
        assert_true(mmio_read(m, TABLE + 16 * i + 8, 4) == 0xFFFFFFFF);
        assert_int_equal(mmio_read(m, TABLE + 16 * i + 12, 4), 1);
    }
    assert_true(mmio_read(m, TABLE + 32, 4) == 0xFFFFFFFF);
    mmio_write(m, TABLE + 32, 4, 0);
    assert_int_equal(mmio_read(m, PBA, 8), 0);
    mmio_write(m, PBA, 8, UINT64_MAX);
    assert_int_equal(mmio_read(m, PBA, 4), 0);
    assert_true(mmio_read(m, TABLE, 2) == 0xFFFF); /* no such width */
    assert_true(mmio_read(m, TABLE + 4, 8) == UINT64_MAX);
    pci_ops.reset(&m->pci);
    cfg_write(m, 1, 0x04, 2, 0x0002);
    assert_int_equal(mmio_read(m, TABLE, 8), 0);
    assert_int_equal(mmio_read(m, TABLE + 12, 4), 1);
    machine_check_and_free(m);
}

static void a_used_buffer_is_a_message(void **state)
{
    struct machine *m = machine_with_msix();
    (void)state;
    serve(m);
    assert_int_equal(m->messages, 1);
    assert_int_equal(m->message.vector, 0x41);
    assert_int_equal(m->message.destination, 0);
    assert_false(m->message.level);
    assert_false(m->intx[1]);
    assert_int_equal(read_isr(m), 0); /* the ISR is INTx's */
    serve(m);
    assert_int_equal(m->messages, 2);
    machine_check_and_free(m);
}

static void a_masked_vector_waits_in_the_pending_bits(void **state)
{
    struct machine *m = machine_with_msix();
    (void)state;
    mmio_write(m, TABLE + 16 + 12, 4, 1);
    serve(m);
    serve(m);
    assert_int_equal(m->messages, 0);
    assert_int_equal(mmio_read(m, PBA, 8), 2);
    mmio_write(m, TABLE + 16 + 8, 4, 0x4055); /* what is sent is what is there then */
    mmio_write(m, TABLE + 16 + 12, 4, 0);
    assert_int_equal(m->messages, 1);
    assert_int_equal(m->message.vector, 0x55);
    assert_int_equal(mmio_read(m, PBA, 8), 0);
    machine_check_and_free(m);
}

static void the_function_mask_holds_all_of_them(void **state)
{
    struct machine *m = machine_with_msix();
    (void)state;
    set_control(m, 0xC000);
    serve(m);
    assert_int_equal(m->messages, 0);
    assert_int_equal(mmio_read(m, PBA, 4), 2);
    set_control(m, 0x8000);
    assert_int_equal(m->messages, 1);
    machine_check_and_free(m);
}

static void a_function_that_is_no_bus_master_keeps_its_message(void **state)
{
    struct machine *m = machine_with_msix();
    (void)state;
    mmio_write(m, TABLE + 16 + 12, 4, 1);
    serve(m);
    cfg_write(m, 1, 0x04, 2, 0x0002);
    mmio_write(m, TABLE + 16 + 12, 4, 0);
    assert_int_equal(m->messages, 0);
    assert_int_equal(mmio_read(m, PBA, 8), 2);
    cfg_write(m, 1, 0x04, 2, 0x0006);
    assert_int_equal(m->messages, 1);
    machine_check_and_free(m);
}

static void a_vector_may_change_while_it_runs(void **state)
{
    struct machine *m = machine_with_msix();
    (void)state;
    mmio_write(m, BAR0 + 0x1A, 2, 0);
    serve(m);
    assert_int_equal(m->message.vector, 0x40);
    mmio_write(m, BAR0 + 0x1A, 2, 0xFFFF);
    serve(m);
    assert_int_equal(m->messages, 1);
    assert_int_equal(used_index(&m->guest), 2);
    machine_check_and_free(m);
}

static void a_broken_queue_tells_the_configuration_vector(void **state)
{
    struct machine *m = machine_with_msix();
    (void)state;
    desc_set(&m->guest, 0, 0x10, 16, 0, 0); /* not RAM */
    make_available(&m->guest, 0);
    notify(m);
    assert_int_equal(status(m) & 0x40, 0x40);
    assert_int_equal(m->message.vector, 0x40);
    assert_false(m->intx[1]);
    assert_int_equal(read_isr(m), 2);
    machine_check_and_free(m);
}

static void switched_off_intx_is_back(void **state)
{
    struct machine *m = machine_with_msix();
    (void)state;
    set_control(m, 0);
    serve(m);
    assert_int_equal(m->messages, 0);
    assert_true(m->intx[1]);
    set_control(m, 0x8000); /* "the function must not use INTx" */
    assert_false(m->intx[1]);
    set_control(m, 0);
    assert_true(m->intx[1]);
    machine_check_and_free(m);
}

static void messages_that_arent_an_apics_go_nowhere(void **state)
{
    struct machine *m = machine_with_msix();
    (void)state;
    mmio_write(m, TABLE + 16, 8, RAM_BASE);
    serve(m);
    mmio_write(m, TABLE + 16, 8, 0xFFFFFFFFFFFFFFFC);
    serve(m);
    assert_int_equal(m->messages, 0);
    assert_int_equal(m->vp.msix.lost, 2);
    machine_check_and_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_capability_tells_of_two_vectors_in_bar_1),
        cmocka_unit_test(the_table_after_reset_and_its_bits),
        cmocka_unit_test(a_used_buffer_is_a_message),
        cmocka_unit_test(a_masked_vector_waits_in_the_pending_bits),
        cmocka_unit_test(the_function_mask_holds_all_of_them),
        cmocka_unit_test(a_function_that_is_no_bus_master_keeps_its_message),
        cmocka_unit_test(a_vector_may_change_while_it_runs),
        cmocka_unit_test(a_broken_queue_tells_the_configuration_vector),
        cmocka_unit_test(switched_off_intx_is_back),
        cmocka_unit_test(messages_that_arent_an_apics_go_nowhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
