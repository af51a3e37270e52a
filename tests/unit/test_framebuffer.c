/* needs: vmm/hw/framebuffer.c vmm/lib/mem.c */
#include "hw/framebuffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

/* Glyph 41h has one pixel: the third of its second line. Glyph 42h is full. */
static uint8_t font[256 * 16];
static uint8_t memory[2000 * 1300 * 4];
static struct framebuffer framebuffer;

static struct boot_screen screen(unsigned width, unsigned height, unsigned bits)
{
    struct boot_screen screen = {
        .type = BOOT_SCREEN_FRAMEBUFFER,
        .width = width,
        .height = height,
        .bits_per_pixel = bits,
        .pitch_bytes = width * ((bits + 7) / 8) + 12,
        .address = (uint64_t)memory,
        .red_shift = 16,
        .red_bits = 8,
        .green_shift = 8,
        .green_bits = 8,
        .blue_bits = 8,
    };
    if (bits <= 16) {
        screen.red_shift = bits - 5;
        screen.green_shift = 5;
        screen.green_bits = bits - 10;
        screen.red_bits = screen.blue_bits = 5;
    }
    return screen;
}

static int set_up(void **state)
{
    (void)state;
    font[0x41 * 16 + 1] = 0x20;
    memset(font + 0x42 * 16, 0xFF, 16);
    memset(memory, 0xEE, sizeof(memory));
    return 0;
}

static uint32_t pixel(const struct boot_screen *screen, unsigned x, unsigned y)
{
    unsigned bytes = (screen->bits_per_pixel + 7) / 8;
    uint32_t value = 0;
    memcpy(&value, memory + y * screen->pitch_bytes + x * bytes, bytes);
    return value;
}

static void draw(const struct boot_screen *screen, unsigned row, unsigned column, uint16_t cell)
{
    assert_true(framebuffer_init(&framebuffer, screen, font, 200, 76));
    framebuffer_draw(&framebuffer, row, column, &cell, 1);
}

static void a_glyph_of_32_bits(void **state)
{
    (void)state;
    struct boot_screen s = screen(800, 600, 32);
    draw(&s, 2, 3, 0x1C41);
    assert_int_equal(framebuffer.columns, 100);
    assert_int_equal(framebuffer.rows, 37);
    assert_int_equal(pixel(&s, 26, 33), 0xFF5555);
    assert_int_equal(pixel(&s, 25, 33), 0x0000AA);
    assert_int_equal(pixel(&s, 24, 32), 0x0000AA);
    assert_int_equal(pixel(&s, 31, 47), 0x0000AA);
    assert_int_equal(pixel(&s, 32, 33), 0xEEEEEEEE);
    assert_int_equal(pixel(&s, 23, 33), 0xEEEEEEEE);
    assert_int_equal(pixel(&s, 26, 31), 0xEEEEEEEE);
    assert_int_equal(pixel(&s, 26, 48), 0xEEEEEEEE);
}

static void other_depths_and_orders_of_colours(void **state)
{
    (void)state;
    struct boot_screen s = screen(640, 480, 24);
    draw(&s, 0, 1, 0x0642);
    assert_int_equal(pixel(&s, 8, 0), 0xAA5500);
    assert_int_equal(pixel(&s, 15, 15), 0xAA5500);
    assert_int_equal(pixel(&s, 16, 0), 0xEEEEEE);
    s = screen(640, 480, 16);
    draw(&s, 0, 0, 0x0F42);
    assert_int_equal(pixel(&s, 0, 0), 0xFFFF);
    draw(&s, 0, 0, 0x0442);
    assert_int_equal(pixel(&s, 7, 0), 0xA800);
    s = screen(640, 480, 15);
    draw(&s, 0, 0, 0x0A42);
    assert_int_equal(pixel(&s, 0, 0), 0x2BEA);
    s = screen(640, 480, 32);
    s.red_shift = 0;
    s.blue_shift = 16;
    draw(&s, 0, 0, 0x0442);
    assert_int_equal(pixel(&s, 0, 0), 0x0000AA);
    s = screen(640, 480, 32);
    s.red_bits = s.green_bits = s.blue_bits = 10;
    s.red_shift = 20;
    s.green_shift = 10;
    draw(&s, 0, 0, 0x0442);
    assert_int_equal(pixel(&s, 0, 0), 0xAA << 22);
}

static void wide_screens_have_larger_pixels(void **state)
{
    (void)state;
    struct boot_screen s = screen(1920, 1080, 32);
    draw(&s, 1, 1, 0x0741);
    assert_int_equal(framebuffer.scale, 2);
    assert_int_equal(framebuffer.columns, 120);
    assert_int_equal(framebuffer.rows, 33);
    for (unsigned y = 0; y < 32; y++)
        for (unsigned x = 0; x < 16; x++)
            assert_int_equal(pixel(&s, 16 + x, 32 + y),
                             (x == 4 || x == 5) && (y == 2 || y == 3) ? 0xAAAAAA : 0);
    s = screen(3840, 2160, 32);
    assert_true(framebuffer_init(&framebuffer, &s, font, 200, 76));
    assert_int_equal(framebuffer.columns, 160);
    assert_int_equal(framebuffer.rows, 45);
}

static void several_cells_are_neighbours(void **state)
{
    (void)state;
    struct boot_screen s = screen(800, 600, 32);
    uint16_t cells[20];
    for (unsigned i = 0; i < 20; i++)
        cells[i] = (uint16_t)(0x0042 | (i % 16) << 8);
    assert_true(framebuffer_init(&framebuffer, &s, font, 200, 76));
    framebuffer_draw(&framebuffer, 36, 80, cells, 20);
    assert_int_equal(pixel(&s, 640 + 8 * 7, 36 * 16), 0xAAAAAA);
    assert_int_equal(pixel(&s, 640 + 8 * 19, 36 * 16 + 15), 0x00AAAA);
    assert_int_equal(pixel(&s, 639, 36 * 16), 0xEEEEEEEE);
}

static void clearing_leaves_what_lies_behind_the_lines(void **state)
{
    (void)state;
    struct boot_screen s = screen(640, 400, 32);
    assert_true(framebuffer_init(&framebuffer, &s, font, 200, 76));
    framebuffer_clear(&framebuffer);
    assert_int_equal(pixel(&s, 639, 399), 0);
    assert_int_equal(pixel(&s, 640, 399), 0xEEEEEEEE);
    assert_int_equal(pixel(&s, 640, 0), 0xEEEEEEEE);
    assert_int_equal(framebuffer_size_bytes(&framebuffer), 2572 * 400);
}

static bool accepted(struct boot_screen s)
{
    return framebuffer_init(&framebuffer, &s, font, 200, 76);
}

static void nonsense_is_refused(void **state)
{
    (void)state;
    struct boot_screen good = screen(1024, 768, 32), s = good;
    assert_true(accepted(good));
    s.bits_per_pixel = 8;
    assert_false(accepted(s));
    s.bits_per_pixel = 0;
    assert_false(accepted(s));
    s = good, s.pitch_bytes = 4095;
    assert_false(accepted(s));
    s = good, s.red_bits = 0;
    assert_false(accepted(s));
    s = good, s.green_shift = 25;
    assert_false(accepted(s));
    s = good, s.blue_bits = 255;
    assert_false(accepted(s));
    s = good, s.width = 319;
    assert_false(accepted(s));
    s = good, s.height = 159;
    assert_false(accepted(s));
    s = good, s.width = 0xFFFFFFFF, s.pitch_bytes = 0xFFFFFFFF;
    assert_false(accepted(s));
    /* A grid that is smaller than the screen. */
    assert_true(framebuffer_init(&framebuffer, &good, font, 100, 30));
    assert_int_equal(framebuffer.columns, 100);
    assert_int_equal(framebuffer.rows, 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_glyph_of_32_bits, set_up),
        cmocka_unit_test_setup(other_depths_and_orders_of_colours, set_up),
        cmocka_unit_test_setup(wide_screens_have_larger_pixels, set_up),
        cmocka_unit_test_setup(several_cells_are_neighbours, set_up),
        cmocka_unit_test_setup(clearing_leaves_what_lies_behind_the_lines, set_up),
        cmocka_unit_test_setup(nonsense_is_refused, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
