/* A whole machine for test_pc.c and test_pc_irq.c. Ports, vectors and register values are those of
 * a PC, as numbers. */
#ifndef PC_FIXTURE_H
#define PC_FIXTURE_H

#include "pc/pc.h"

#include "dev/ramdisk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define RAM_SIZE (8u << 20)

static struct pc pc;
static struct vcpu vcpu;
static uint8_t *ram;
static struct gmem gmem;
static uint8_t kernel[1024 + 4096];
static uint8_t dsdt[36] = {'D', 'S', 'D', 'T', 36};
static uint8_t medium[2][1024];
static struct ramdisk ramdisk[2];
static struct blk_backend disk[2];
static _Alignas(4096) uint32_t apic_page[1024], apic_posted[16];
static enum vapic_help apic_help; /* of the next setup() */
static vtime_t time_ns;
static unsigned host_events_calls;
static uint8_t sent[64];
static unsigned sent_count;

static inline vtime_t now(void *ctx)
{
    (void)ctx;
    return time_ns;
}

static inline void count_host_events(void *ctx)
{
    (void)ctx;
    host_events_calls++;
}

static inline void keep_byte(void *ctx, uint8_t byte)
{
    (void)ctx;
    assert_true(sent_count < sizeof(sent));
    sent[sent_count++] = byte;
}

/* The virtio console's other end: keeps bytes beside those of COM1, while it has room. */
static uint8_t hvc_sent[64];
static unsigned hvc_count, hvc_room;

static inline uint32_t keep_block(void *ctx, const uint8_t *bytes, uint32_t size)
{
    uint32_t taken = size < hvc_room ? size : hvc_room;

    (void)ctx;
    assert_true(hvc_count + taken <= sizeof(hvc_sent));
    memcpy(hvc_sent + hvc_count, bytes, taken);
    hvc_count += taken;
    hvc_room -= taken;
    return taken;
}

static inline uint32_t draw_fives(void *ctx, uint8_t *bytes, uint32_t size)
{
    (void)ctx;
    memset(bytes, 5, size);
    return size;
}

static inline void make_kernel(void)
{
    memset(kernel, 0, sizeof(kernel));
    memset(kernel + 1024, 0x90, 4096);
    kernel[0x1F1] = 1;
    kernel[0x1F4] = 0;
    kernel[0x1F5] = 1; /* 100h paragraphs */
    kernel[0x1FE] = 0x55;
    kernel[0x1FF] = 0xAA;
    kernel[0x200] = 0xEB;
    kernel[0x201] = 0x6A;
    memcpy(kernel + 0x202, "HdrS\x0F\x02", 6);
    kernel[0x211] = 1;
    memset(kernel + 0x22C, 0x7F, 4);
    kernel[0x236] = 1;
    kernel[0x239] = 2;
    kernel[0x262] = 1; /* init_size 10000h */
}

static inline int setup(void **state)
{
    (void)state;
    memset(&vcpu, 0, sizeof(vcpu));
    ram = calloc(1, RAM_SIZE);
    gmem = (struct gmem){1, {{0, RAM_SIZE, ram}}};
    make_kernel();
    for (unsigned i = 0; i < 2; i++) {
        ramdisk_init(&ramdisk[i], medium[i], sizeof(medium[i]), false, "disk");
        disk[i] = ramdisk[i].backend;
    }
    time_ns = 1000;
    host_events_calls = sent_count = hvc_count = 0;
    hvc_room = sizeof(hvc_sent);
    struct pc_config config = {
        .gmem = &gmem,
        .memory_bytes = RAM_SIZE,
        .kernel = {"vmlinuz", kernel, sizeof(kernel)},
        .cmdline = "quiet",
        .dsdt = dsdt,
        .dsdt_size_bytes = sizeof(dsdt),
        .disk = disk,
        .disk_count = 2,
        .com1 = {keep_byte, NULL},
        .hvc = {keep_block, NULL, NULL},
        .entropy = draw_fives,
        .rtc_epoch_s = 1767225600, /* 2026-01-01 00:00:00 */
        .now = now,
        .apic_page = apic_page,
        .apic_posted = apic_posted,
        .apic_help = apic_help,
        .apic_timer_hz = 1000000000,
        .physical_address_mask = (1ull << 40) - 1,
        .host_events = count_host_events,
    };
    char error[BZIMAGE_ERROR_SIZE];
    pc_init(&pc, &config);
    pc_connect(&pc, &vcpu);
    if (!pc_reset(&pc, error))
        fail_msg("%s", error);
    return 0;
}

static inline int teardown(void **state)
{
    (void)state;
    free(ram);
    return 0;
}

static inline uint32_t in(uint16_t port, unsigned size)
{
    return vcpu.hooks.pio_read(vcpu.hooks.ctx, port, size);
}

static inline void out(uint16_t port, unsigned size, uint32_t value)
{
    vcpu.hooks.pio_write(vcpu.hooks.ctx, port, size, value);
}

static inline vtime_t deadline(void)
{
    return vcpu.hooks.next_deadline(vcpu.hooks.ctx);
}

static inline void pass_time(vtime_t ns)
{
    time_ns += ns;
    vcpu.hooks.advance(vcpu.hooks.ctx, time_ns);
}

/* ICW1 to ICW4 as Linux writes them: vectors 30h and 38h; everything unmasked. */
static inline void init_pics(void)
{
    static const uint16_t port[] = {0x20, 0x21, 0x21, 0x21, 0xA0, 0xA1, 0xA1, 0xA1};
    static const uint8_t value[] = {0x11, 0x30, 0x04, 0x01, 0x11, 0x38, 0x02, 0x01};

    for (unsigned i = 0; i < 8; i++)
        out(port[i], 1, value[i]);
    out(0x21, 1, 0);
    out(0xA1, 1, 0);
}

static inline uint32_t config_read(unsigned slot, unsigned reg)
{
    out(0xCF8, 4, 0x80000000 | slot << 11 | (reg & 0xFC));
    return in(0xCFC, 4);
}

static inline void config_write(unsigned slot, unsigned reg, uint32_t value)
{
    out(0xCF8, 4, 0x80000000 | slot << 11 | (reg & 0xFC));
    out(0xCFC, 4, value);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
