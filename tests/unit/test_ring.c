/* needs: */
#include "lib/ring.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void gives_bytes_in_order_and_says_when_full_or_empty(void **state)
{
    (void)state;
    uint8_t bytes[4], byte;
    struct ring ring;
    ring_init(&ring, bytes, 4);
    assert_false(ring_get(&ring, &byte));
    for (uint8_t i = 0; i < 4; i++)
        assert_true(ring_put(&ring, i));
    assert_false(ring_put(&ring, 99));
    assert_int_equal(ring_count(&ring), 4);
    for (uint8_t i = 0; i < 4; i++) {
        assert_true(ring_get(&ring, &byte));
        assert_int_equal(byte, i);
    }
    assert_false(ring_get(&ring, &byte));
}

static void counters_wrap_without_loss(void **state)
{
    (void)state;
    uint8_t bytes[8], byte;
    struct ring ring;
    ring_init(&ring, bytes, 8);
    ring.head = ring.tail = 0xFFFFFFFCu;
    for (uint8_t i = 0; i < 8; i++)
        assert_true(ring_put(&ring, i));
    assert_false(ring_put(&ring, 99));
    assert_int_equal(ring_count(&ring), 8);
    for (uint8_t i = 0; i < 8; i++) {
        assert_true(ring_get(&ring, &byte));
        assert_int_equal(byte, i);
    }
    assert_int_equal(ring_count(&ring), 0);
}

static void gives_a_piece_up_to_the_end_of_its_memory(void **state)
{
    (void)state;
    uint8_t bytes[8], byte;
    uint32_t count;
    struct ring ring;
    ring_init(&ring, bytes, 8);
    ring.head = ring.tail = 0xFFFFFFFDu;
    ring_piece(&ring, &count);
    assert_int_equal(count, 0);
    for (uint8_t i = 0; i < 7; i++)
        assert_true(ring_put(&ring, i));
    assert_ptr_equal(ring_piece(&ring, &count), bytes + 5);
    assert_int_equal(count, 3);
    ring_drop(&ring, 2);
    assert_true(ring_get(&ring, &byte));
    assert_int_equal(byte, 2);
    assert_ptr_equal(ring_piece(&ring, &count), bytes);
    assert_int_equal(count, 4);
    ring_drop(&ring, 4);
    assert_int_equal(ring_count(&ring), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_bytes_in_order_and_says_when_full_or_empty),
        cmocka_unit_test(counters_wrap_without_loss),
        cmocka_unit_test(gives_a_piece_up_to_the_end_of_its_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
