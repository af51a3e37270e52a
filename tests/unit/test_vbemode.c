/* needs: stage2/vbemode.c vmm/lib/mem.c */
#include "../../stage2/vbemode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MEMORY 0x1000000 /* 16 MiB on the card */

static uint8_t info[256];
static struct boot_screen screen;

static void put16(unsigned at, unsigned value)
{
    info[at] = (uint8_t)value;
    info[at + 1] = (uint8_t)(value >> 8);
}

/* What QEMU's card says of 1024x768 with 32 bits: blue, green, red, unused. */
static void fill(void)
{
    static const uint8_t colors[6] = {8, 16, 8, 8, 8, 0};

    memset(info, 0, sizeof(info));
    put16(0, 0x00bb);
    put16(16, 4096);
    put16(18, 1024);
    put16(20, 768);
    info[25] = 32;
    info[27] = 6;
    memcpy(info + 31, colors, 6);
    put16(40, 0);
    put16(42, 0xfd00);
    put16(50, 4096);
    memcpy(info + 54, colors, 6);
}

static bool accepted(void)
{
    return vbemode_read(info, 0x0300, MEMORY, &screen);
}

static void a_mode_becomes_a_screen(void **state)
{
    (void)state;
    fill();
    assert_true(accepted());
    assert_int_equal(screen.type, BOOT_SCREEN_FRAMEBUFFER);
    assert_int_equal(screen.width, 1024);
    assert_int_equal(screen.height, 768);
    assert_int_equal(screen.pitch_bytes, 4096);
    assert_int_equal(screen.bits_per_pixel, 32);
    assert_int_equal(screen.address, 0xfd000000);
    assert_int_equal(screen.red_shift, 16);
    assert_int_equal(screen.green_shift, 8);
    assert_int_equal(screen.blue_shift, 0);
    assert_int_equal(screen.red_bits + screen.green_bits + screen.blue_bits, 24);
}

static void vbe_3_has_fields_of_its_own_for_linear_modes(void **state)
{
    (void)state;
    fill();
    put16(50, 8192);
    info[55] = 0; /* red below, blue above */
    info[59] = 16;
    assert_true(accepted());
    assert_int_equal(screen.pitch_bytes, 8192);
    assert_int_equal(screen.red_shift, 0);
    assert_true(vbemode_read(info, 0x0200, MEMORY, &screen));
    assert_int_equal(screen.pitch_bytes, 4096);
    assert_int_equal(screen.red_shift, 16);
    put16(50, 0); /* some cards say 3.0 and leave them empty */
    assert_true(accepted());
    assert_int_equal(screen.pitch_bytes, 4096);
}

static void modes_without_a_linear_framebuffer_are_refused(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 8; bit++) {
        fill();
        put16(0, 0x00bb & ~(1u << bit));
        assert_int_equal(accepted(), bit != 0 && bit != 4 && bit != 7);
    }
    fill();
    info[27] = 4; /* packed pixels: a palette */
    assert_false(accepted());
}

static void modes_that_contradict_themselves_are_refused(void **state)
{
    (void)state;
    static const struct {
        uint8_t at;
        uint16_t value;
    } lies[] = {{18, 0},      {20, 0},      {18, 1025},   {50, 4095},   {20, 4097},   {42, 0},
                {42, 0xffff}, {54, 0x1000}, {54, 0x1009}, {54, 0x1908}, {56, 0x1008}, {58, 0x0900}};
    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        fill();
        put16(lies[i].at, lies[i].value);
        assert_false(accepted());
    }
    static const uint8_t depths[] = {0, 1, 4, 8, 12, 31, 33, 64, 255};
    for (size_t i = 0; i < sizeof(depths); i++) {
        fill();
        info[25] = depths[i];
        assert_false(accepted());
    }
    fill();
    assert_false(vbemode_read(info, 0x0300, 768 * 4096 - 1, &screen));
    assert_true(vbemode_read(info, 0x0300, 768 * 4096, &screen));
}

static void sixteen_bits_are_fine(void **state)
{
    (void)state;
    static const uint8_t colors[6] = {5, 11, 6, 5, 5, 0};
    fill();
    info[25] = 16;
    memcpy(info + 54, colors, 6);
    put16(50, 2048);
    assert_true(accepted());
    assert_int_equal(screen.green_bits, 6);
    assert_int_equal(screen.green_shift, 5);
    put16(50, 2047);
    assert_false(accepted());
}

static void the_largest_that_is_not_larger_is_best(void **state)
{
    (void)state;
    const struct boot_screen none = {0};
    const struct boot_screen vga = {.width = 640, .height = 480, .bits_per_pixel = 32};
    const struct boot_screen xga16 = {.width = 1024, .height = 768, .bits_per_pixel = 16};
    const struct boot_screen xga32 = {.width = 1024, .height = 768, .bits_per_pixel = 32};
    assert_true(vbemode_is_better(&vga, &none, 1024, 768));
    assert_true(vbemode_is_better(&xga16, &vga, 1024, 768));
    assert_true(vbemode_is_better(&xga32, &xga16, 1024, 768));
    assert_false(vbemode_is_better(&xga16, &xga32, 1024, 768));
    assert_false(vbemode_is_better(&xga32, &xga32, 1024, 768));
    assert_false(vbemode_is_better(&xga32, &vga, 1023, 768));
    assert_false(vbemode_is_better(&xga32, &vga, 1024, 767));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mode_becomes_a_screen),
        cmocka_unit_test(vbe_3_has_fields_of_its_own_for_linear_modes),
        cmocka_unit_test(modes_without_a_linear_framebuffer_are_refused),
        cmocka_unit_test(modes_that_contradict_themselves_are_refused),
        cmocka_unit_test(sixteen_bits_are_fine),
        cmocka_unit_test(the_largest_that_is_not_larger_is_best),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
