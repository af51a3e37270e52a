/* needs: vmm/dev/virtio_rng.c vmm/dev/msix.c vmm/dev/virtio_pci.c vmm/dev/virtio_common.c vmm/dev/virtqueue.c vmm/dev/pci.c vmm/dev/iobus.c vmm/dev/gmem.c */
#include "dev/virtio_rng.h"

#include "virtio_guest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* VIRTIO 1.2, "Entropy Device". */

#define DATA (RAM_BASE + 0x10000)

static struct machine *m;
static struct virtio_rng rng;
static uint32_t left; /* bytes that the source still has */
static uint8_t next;

static uint32_t count_up(void *ctx, uint8_t *bytes, uint32_t size)
{
    uint32_t done = 0;
    assert_ptr_equal(ctx, &next);
    for (; done < size && left > 0; left--)
        bytes[done++] = ++next;
    return done;
}

static int setup(void **state)
{
    (void)state;
    left = 100000;
    next = 0;
    m = calloc(1, sizeof(*m));
    machine_pci(m);
    guest_init(&m->guest, 16);
    virtio_rng_init(&rng, count_up, &next);
    virtio_pci_init(&m->vp, &virtio_rng_ops, &rng, &m->guest.gmem,
                    (struct virtio_fault_sink){machine_fault, m});
    pci_attach(&m->pci, &m->vp.pci, 1);
    driver_start(m, FEATURE_VERSION_1);
    assert_int_equal(status(m), 0x0F);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    assert_true(guest_guards_intact(&m->guest));
    machine_free(m);
    return 0;
}

static void it_is_an_entropy_device_without_configuration(void **state)
{
    (void)state;
    assert_int_equal(cfg_read(m, 1, 0x00, 4), 0x10441AF4);
    assert_int_equal(mmio_read(m, BAR0 + 0x12, 2), 1);
    assert_int_equal(device_features(m), 0x130000000);
    assert_int_equal(mmio_read(m, BAR0 + 0x2000, 1), 0xFF);
    mmio_write(m, BAR0 + 0x2000, 1, 1);
    /* No capability of type 4, device configuration. */
    for (unsigned at = cfg_read(m, 1, 0x34, 1); at; at = cfg_read(m, 1, at + 1, 1))
        assert_int_not_equal(cfg_read(m, 1, at + 3, 1), 4);
}

static void buffers_are_filled_up_to_64_bytes(void **state)
{
    (void)state;
    desc_set(&m->guest, 0, DATA, 8, 2, 0);
    desc_set(&m->guest, 1, DATA + 0x100, 60, 3, 2);
    desc_set(&m->guest, 2, DATA + 0x200, 4096, 2, 0);
    make_available(&m->guest, 0);
    make_available(&m->guest, 1);
    notify(m);
    assert_int_equal(used_index(&m->guest), 2);
    assert_int_equal(used_len(&m->guest, 0), 8);
    assert_int_equal(used_len(&m->guest, 1), 64);
    assert_int_equal(*guest_ram(&m->guest, DATA), 1);
    assert_int_equal(*guest_ram(&m->guest, DATA + 7), 8);
    assert_int_equal(*guest_ram(&m->guest, DATA + 8), 0);
    assert_int_equal(*guest_ram(&m->guest, DATA + 0x100), 9);
    assert_int_equal(*guest_ram(&m->guest, DATA + 0x203), 72);
    assert_int_equal(*guest_ram(&m->guest, DATA + 0x204), 0);
    assert_int_equal(rng.bytes, 72);
    assert_int_equal(read_isr(m), 1);
}

static void a_source_that_ends_gives_less_and_then_breaks_the_queue(void **state)
{
    (void)state;
    left = 3;
    desc_set(&m->guest, 0, DATA, 8, 2, 0);
    make_available(&m->guest, 0);
    notify(m);
    assert_int_equal(used_len(&m->guest, 0), 3);
    make_available(&m->guest, 0);
    notify(m);
    assert_int_equal(used_index(&m->guest), 1);
    assert_int_equal(status(m), 0x4F);
    assert_string_equal(m->fault_reason, "the host's CPU gives no random numbers any more");
}

static void a_buffer_that_cannot_be_written_breaks_the_queue(void **state)
{
    (void)state;
    desc_set(&m->guest, 0, DATA, 8, 0, 0);
    make_available(&m->guest, 0);
    notify(m);
    assert_int_equal(status(m), 0x4F);
    assert_int_equal(rng.bytes, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(it_is_an_entropy_device_without_configuration),
        T(buffers_are_filled_up_to_64_bytes),
        T(a_source_that_ends_gives_less_and_then_breaks_the_queue),
        T(a_buffer_that_cannot_be_written_breaks_the_queue),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
