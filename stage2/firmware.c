/* A20, the memory map and the ACPI root pointer. */
#include "firmware.h"

#include "console.h"
#include "layout.h"
#include "lib/bits.h"
#include "lib/mem.h"
#include "machine.h"

#define PORT_92      0x92
#define PORT_92_A20  0x02
#define PORT_92_INIT 0x01 /* writing 1 resets the machine */

#define KBC_DATA          0x60
#define KBC_STATUS        0x64
#define KBC_OUTPUT_FULL   0x01
#define KBC_INPUT_FULL    0x02
#define KBC_READ_PORT     0xd0
#define KBC_WRITE_PORT    0xd1
#define KBC_PORT_A20      0x02
#define KBC_PATIENCE      100000 /* port reads: about 100 ms */
#define A20_SETTLE_CHECKS 1000

#define LOW_MEMORY_NEEDED LAYOUT_END
#define E820_CALLS        256u /* a BIOS whose continuation value never ends must not hang us */
#define SMAP              0x534d4150u

/* ---- A20 ---- */

/* With A20 off, addresses 1 MiB apart are the same memory. */
static bool a20_is_on(void)
{
    volatile uint32_t *low = at(LAYOUT_BIOS_BUFFER), *high = at(LAYOUT_BIOS_BUFFER + 0x100000);
    uint32_t low_was = *low, high_was = *high;

    *low = 0x12345678;
    *high = ~0x12345678u;
    bool on = *low == 0x12345678;
    *high = high_was;
    *low = low_was;
    return on;
}

/* Slow chipsets need a while until the line has changed. */
static bool a20_came_on(void)
{
    for (int i = 0; i < A20_SETTLE_CHECKS; i++) {
        if (a20_is_on())
            return true;
        in8(KBC_STATUS);
    }
    return false;
}

static void a20_by_bios(void)
{
    struct bios_regs regs = {.eax = 0x2401};

    bios_call(0x15, &regs);
}

static void a20_by_port_92(void)
{
    uint8_t value = in8(PORT_92);

    if (value != 0xff) /* nobody there */
        out8(PORT_92, (uint8_t)((value | PORT_92_A20) & ~PORT_92_INIT));
}

static bool kbc_wait(uint8_t bit, bool set)
{
    for (int i = 0; i < KBC_PATIENCE; i++)
        if (!!(in8(KBC_STATUS) & bit) == set)
            return true;
    return false;
}

static void a20_by_keyboard_controller(void)
{
    if (in8(KBC_STATUS) == 0xff || !kbc_wait(KBC_INPUT_FULL, false))
        return;
    /* A key that waits there would be taken for the output port's value. */
    for (int i = 0; i < 16 && (in8(KBC_STATUS) & KBC_OUTPUT_FULL); i++)
        in8(KBC_DATA);
    out8(KBC_STATUS, KBC_READ_PORT);
    if (!kbc_wait(KBC_OUTPUT_FULL, true))
        return;
    uint8_t port = in8(KBC_DATA);
    if (!kbc_wait(KBC_INPUT_FULL, false))
        return;
    out8(KBC_STATUS, KBC_WRITE_PORT);
    if (!kbc_wait(KBC_INPUT_FULL, false))
        return;
    out8(KBC_DATA, port | KBC_PORT_A20);
    kbc_wait(KBC_INPUT_FULL, false);
}

void firmware_enable_a20(void)
{
    static void (*const ways[])(void) = {a20_by_bios, a20_by_port_92, a20_by_keyboard_controller};

    if (a20_is_on())
        return;
    for (unsigned i = 0; i < ARRAY_SIZE(ways); i++) {
        ways[i]();
        if (a20_came_on())
            return;
    }
    die("the A20 address line stays off by BIOS, port 92h and keyboard controller: "
        "look for \"A20\" in the firmware's setup");
}

/* ---- memory ---- */

/* INT 15h, AX=E820h (ACPI "INT 15H, E820H - Query System Address Map"). */
static uint32_t read_e820(struct boot_memory raw[E820_CALLS])
{
    struct e820_entry {
        uint64_t base;
        uint64_t size_bytes;
        uint32_t type;
        uint32_t attributes; /* ACPI 3: bit 0 clear means ignore the entry */
    } *entry = at(LAYOUT_BIOS_BUFFER);
    uint32_t count = 0, next = 0;

    for (unsigned call = 0; call < E820_CALLS; call++) {
        /* A BIOS older than ACPI 3 fills 20 bytes and may claim to have filled 24. */
        *entry = (struct e820_entry){.attributes = 1};
        struct bios_regs regs = {.eax = 0xe820,
                                 .ebx = next,
                                 .ecx = sizeof(*entry),
                                 .edx = SMAP,
                                 .es = LAYOUT_BIOS_BUFFER / 16};
        bios_call(0x15, &regs);
        /* Carry on a later call is another way to say that the list has ended. */
        if ((regs.flags & BIOS_CARRY) || regs.eax != SMAP)
            break;
        bool ignore = regs.ecx >= 24 && !(entry->attributes & 1);
        if (!ignore && entry->size_bytes)
            raw[count++] = (struct boot_memory){
                .base = entry->base, .size_bytes = entry->size_bytes, .type = entry->type};
        next = regs.ebx;
        if (!next)
            break;
    }
    return count;
}

/* The calls before E820h: sizes only, nothing reserved. */
static uint32_t read_old_sizes(struct boot_memory *raw)
{
    struct bios_regs low = {0}, e801 = {.eax = 0xe801}, old = {.eax = 0x8800};
    uint32_t count = 0;

    bios_call(0x12, &low);
    raw[count++] = (struct boot_memory){.size_bytes = (uint64_t)(low.eax & 0xffff) << 10,
                                        .type = BOOT_MEMORY_USABLE};
    bios_call(0x15, &e801);
    /* Some fill in AX and BX, some CX and DX. */
    uint32_t below_16m = e801.ecx & 0xffff ? e801.ecx & 0xffff : e801.eax & 0xffff;
    uint32_t above_16m = e801.ecx & 0xffff ? e801.edx & 0xffff : e801.ebx & 0xffff;
    if (!(e801.flags & BIOS_CARRY) && below_16m) {
        raw[count++] = (struct boot_memory){
            .base = MIB(1), .size_bytes = (uint64_t)below_16m << 10, .type = BOOT_MEMORY_USABLE};
        if (above_16m)
            raw[count++] = (struct boot_memory){.base = MIB(16),
                                                .size_bytes = (uint64_t)above_16m << 16,
                                                .type = BOOT_MEMORY_USABLE};
        return count;
    }
    bios_call(0x15, &old);
    if (!(old.flags & BIOS_CARRY))
        raw[count++] = (struct boot_memory){.base = MIB(1),
                                            .size_bytes = (uint64_t)(old.eax & 0xffff) << 10,
                                            .type = BOOT_MEMORY_USABLE};
    return count;
}

void firmware_read_memory_map(struct memmap *map)
{
    static struct boot_memory raw[E820_CALLS];
    uint32_t count = read_e820(raw);

    if (!count)
        count = read_old_sizes(raw);
    if (!memmap_build(map, raw, count))
        die("the BIOS's memory map has more than %d entries: look for a firmware update",
            BOOT_INFO_MAX_MEMORY);
    if (!memmap_is_usable(map, PAGE_SIZE, LOW_MEMORY_NEEDED - PAGE_SIZE))
        die("the BIOS leaves less than %u KiB of memory below 1 MiB: pxHV's loader needs them",
            LOW_MEMORY_NEEDED >> 10);
    if (!memmap_reserve(map, 0, LAYOUT_END))
        die("the BIOS's memory map is too long: look for a firmware update");
}

/* ---- ACPI ---- */

static uint32_t find_rsdp_in(uint32_t base, uint32_t size_bytes)
{
    for (uint32_t address = base; address + 20 <= base + size_bytes; address += 16) {
        const uint8_t *candidate = at(address);
        uint8_t sum = 0;
        if (memcmp(candidate, "RSD PTR ", 8) != 0)
            continue;
        for (int i = 0; i < 20; i++)
            sum = (uint8_t)(sum + candidate[i]);
        if (sum == 0)
            return address;
    }
    return 0;
}

/* ACPI "Finding the RSDP on IA-PC Systems". */
uint32_t firmware_find_rsdp(void)
{
    uint32_t ebda = (uint32_t)load_le16(at(0x40e)) << 4, rsdp = 0;

    if (ebda >= LAYOUT_END && ebda < 0xa0000)
        rsdp = find_rsdp_in(ebda, 1024);
    return rsdp ? rsdp : find_rsdp_in(0xe0000, 0x20000);
}
