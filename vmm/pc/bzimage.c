/*
 * "The Linux/x86 Boot Protocol": the setup header is read here, and decided where things go.
 * zero_page.c writes what the kernel reads at entry.
 *
 * The file is untrusted. Each header field is loaded once, into struct bzimage_info, and range
 * checked there; the kernel's own code may be as broken as it likes, it runs in the guest.
 *
 * Not supported, on purpose: zImage and protocols before 2.06 (Linux 2.6.22), loading above
 * 4 GiB, the EFI hand-over entry, min_alignment (the preferred alignment is always met).
 */
#include "pc/bzimage.h"

#include "lib/fmt.h"
#include "lib/mem.h"
#include "pc/layout.h"
#include "pc/zero_page.h"

#define SECTOR_SIZE 512u
#define PARAGRAPH   16u

/* "The Real-Mode Kernel Header": offsets in the file, and in the zero page. */
#define HDR_SETUP_SECTS        0x1F1u
#define HDR_SYSSIZE            0x1F4u
#define HDR_BOOT_FLAG          0x1FEu
#define HDR_JUMP               0x200u
#define HDR_MAGIC              0x202u
#define HDR_VERSION            0x206u
#define HDR_LOADFLAGS          0x211u
#define HDR_INITRD_ADDR_MAX    0x22Cu
#define HDR_KERNEL_ALIGNMENT   0x230u
#define HDR_RELOCATABLE_KERNEL 0x234u
#define HDR_XLOADFLAGS         0x236u
#define HDR_CMDLINE_SIZE       0x238u
#define HDR_PREF_ADDRESS       0x258u
#define HDR_INIT_SIZE          0x260u

#define MAGIC_HDRS          0x53726448u
#define BOOT_FLAG           0xAA55u
#define JUMP_SHORT          0xEBu
#define LOADFLAGS_HIGH      BIT(0)
#define XLF_KERNEL_64       BIT(0)
#define ENTRY64_OFFSET      0x200u
#define DEFAULT_LOAD        0x100000u
#define DEFAULT_SETUP_SECTS 4u

/* Without init_size (before 2.10) nothing says how much a kernel unpacks to. gzip and bzip2
 * kernels of that time grew to about three times their size, .bss included. */
#define INIT_SIZE_FACTOR 4u

#define MIB_UP(bytes) (((bytes) + MIB(1) - 1) >> 20)

/* Names longer than this are cut, so that a message always fits BZIMAGE_ERROR_SIZE. */
#define NAME "\"%.100s\""

#define FAIL(...) (fmt_snprintf(error, BZIMAGE_ERROR_SIZE, __VA_ARGS__), false)

/* Where the setup header of a protocol ends at the earliest. */
static uint32_t header_end_min(uint16_t version)
{
    if (version >= 0x20F)
        return 0x26C;
    if (version >= 0x20B)
        return 0x268;
    if (version >= 0x20A)
        return 0x264;
    if (version >= 0x209)
        return 0x258;
    if (version >= 0x208)
        return 0x250;
    if (version >= 0x207)
        return 0x248;
    return 0x23C;
}

static bool check_marks(const struct guest_file *file, char *error)
{
    const uint8_t *data = file->data;
    uint16_t version;

    if (file->size_bytes < HDR_VERSION + 2 || load_le32(data + HDR_MAGIC) != MAGIC_HDRS)
        return FAIL(NAME " is not a Linux bzImage: no \"HdrS\" mark at offset 202h; give the file "
                         "arch/x86/boot/bzImage or a distribution's vmlinuz",
                    file->name);
    if (load_le16(data + HDR_BOOT_FLAG) != BOOT_FLAG)
        return FAIL(NAME " is damaged: offset 1FEh holds %04Xh instead of AA55h; copy the file "
                         "again",
                    file->name, load_le16(data + HDR_BOOT_FLAG));
    version = load_le16(data + HDR_VERSION);
    if (version < 0x206)
        return FAIL(NAME " speaks Linux boot protocol %u.%02u, pxHV needs 2.06 or later: use "
                         "Linux 2.6.22 or a newer kernel",
                    file->name, version >> 8, version & 0xFF);
    return true;
}

static bool check_extent(const struct guest_file *file, struct bzimage_info *info, char *error)
{
    const uint8_t *data = file->data;
    unsigned setup_sects = data[HDR_SETUP_SECTS];
    uint64_t code_size = (uint64_t)load_le32(data + HDR_SYSSIZE) * PARAGRAPH;

    if (setup_sects == 0)
        setup_sects = DEFAULT_SETUP_SECTS;
    info->code_offset = (setup_sects + 1) * SECTOR_SIZE;
    if (code_size == 0)
        return FAIL(NAME " is damaged: its header says that it holds no code; copy the file again",
                    file->name);
    /* syssize is rounded up; not every build pads the file to it. */
    if (file->size_bytes + PARAGRAPH - 1 < info->code_offset + code_size)
        return FAIL(NAME " is truncated: its header asks for %lu bytes, the file has %lu; copy the "
                         "file again",
                    file->name, info->code_offset + code_size, file->size_bytes);
    info->code_size_bytes = file->size_bytes - info->code_offset;

    /* The jump at 200h skips the header, so its distance tells the header's end. */
    info->header_end = HDR_MAGIC + data[HDR_JUMP + 1];
    if (data[HDR_JUMP] != JUMP_SHORT || info->header_end > ZERO_PAGE_HEADER_END ||
        info->header_end < header_end_min(info->version))
        return FAIL(NAME " is damaged: the setup header of boot protocol %u.%02u can't end at "
                         "offset %Xh; copy the file again",
                    file->name, info->version >> 8, info->version & 0xFF, info->header_end);
    return true;
}

static void read_fields(const uint8_t *data, struct bzimage_info *info)
{
    info->initrd_end_max = (gpa_t)load_le32(data + HDR_INITRD_ADDR_MAX) + 1;
    info->relocatable = data[HDR_RELOCATABLE_KERNEL] != 0;
    info->alignment = load_le32(data + HDR_KERNEL_ALIGNMENT);
    info->cmdline_max = min_u64(load_le32(data + HDR_CMDLINE_SIZE), PC_CMDLINE_SIZE - 1);
    info->pref_address = 0;
    info->init_size_bytes = 0;
    info->entry64 = false;
    if (info->version >= 0x20A) {
        info->pref_address = load_le64(data + HDR_PREF_ADDRESS);
        info->init_size_bytes = load_le32(data + HDR_INIT_SIZE);
    }
    if (info->version >= 0x20C)
        info->entry64 = load_le16(data + HDR_XLOADFLAGS) & XLF_KERNEL_64;
    if (info->init_size_bytes == 0)
        info->init_size_bytes = info->code_size_bytes * INIT_SIZE_FACTOR;
}

bool bzimage_check(const struct guest_file *file, struct bzimage_info *info, char *error)
{
    if (!check_marks(file, error))
        return false;
    info->version = load_le16(file->data + HDR_VERSION);
    if (!check_extent(file, info, error))
        return false;
    if (!(file->data[HDR_LOADFLAGS] & LOADFLAGS_HIGH))
        return FAIL(NAME " is a zImage, made for memory below 640 KiB: give the kernel's bzImage",
                    file->name);

    read_fields(file->data, info);
    if (info->entry64 && info->code_size_bytes <= ENTRY64_OFFSET)
        return FAIL(NAME " is damaged: %lu bytes of code end before the 64-bit entry at 200h; copy "
                         "the file again",
                    file->name, info->code_size_bytes);
    if (info->relocatable && (info->alignment == 0 || info->alignment & (info->alignment - 1)))
        return FAIL(NAME " is damaged: its kernel_alignment is %Xh, not a power of two; copy the "
                         "file again",
                    file->name, info->alignment);
    if (info->pref_address >= PC_LOW_RAM_MAX)
        return FAIL(NAME " wants to run at %lXh, where the guest has no memory: build it with a "
                         "lower CONFIG_PHYSICAL_START",
                    file->name, info->pref_address);
    return true;
}

/* Memory from address 0 up to the first gap. */
static uint64_t low_ram_bytes(const struct gmem *gmem)
{
    return gmem->region_count && gmem->region[0].base == 0 ? gmem->region[0].size_bytes : 0;
}

/*
 * Chooses the kernel's address and how far up it may write before it knows its memory map. A
 * kernel that is loaded below pref_address moves itself there, although the protocol lets a
 * relocatable one stay; so a lower place would only hide that memory is too small.
 */
static bool place_kernel(const struct bzimage_request *request, const struct bzimage_info *info,
                         gpa_t *load, gpa_t *end, char *error)
{
    uint64_t ram = low_ram_bytes(request->gmem);
    gpa_t runtime = max_u64(info->pref_address, DEFAULT_LOAD);

    if (info->relocatable)
        runtime = align_up(runtime, info->alignment);
    *load = info->relocatable ? runtime : DEFAULT_LOAD;
    *end = max_u64(*load + info->code_size_bytes, runtime + info->init_size_bytes);
    if (*end > ram)
        return FAIL(NAME " needs %lu MiB of memory to start, the virtual machine has %lu MiB%s: "
                         "raise memory = in pxhv.cfg",
                    request->kernel.name, MIB_UP(*end), ram >> 20,
                    ram == PC_LOW_RAM_MAX ? " below the PCI hole" : "");
    return true;
}

/* The initrd goes as high as the kernel can reach, clear of what the kernel unpacks. */
static bool place_initrd(const struct bzimage_request *request, const struct bzimage_info *info,
                         gpa_t kernel_end, gpa_t *initrd, char *error)
{
    uint64_t ram = low_ram_bytes(request->gmem);
    gpa_t limit = align_down(min_u64(ram, info->initrd_end_max), PAGE_SIZE);
    gpa_t floor = align_up(kernel_end, PAGE_SIZE);
    uint64_t room = limit > floor ? limit - floor : 0;

    *initrd = 0;
    if (request->initrd.size_bytes == 0)
        return true;
    if (request->initrd.size_bytes > room)
        return FAIL(NAME " (%lu KiB) doesn't fit into the %lu KiB between the kernel, which needs "
                         "memory up to %lu MiB, and %s at %lu MiB: %s",
                    request->initrd.name, (request->initrd.size_bytes + 1023) >> 10, room >> 10,
                    MIB_UP(kernel_end), limit < ram ? "the kernel's limit" : "the end of memory",
                    limit >> 20,
                    limit < ram ? "use a smaller initrd" : "raise memory = in pxhv.cfg");
    *initrd = align_down(limit - request->initrd.size_bytes, PAGE_SIZE);
    return true;
}

static bool check_cmdline(const struct bzimage_request *request, const struct bzimage_info *info,
                          char *error)
{
    size_t length = str_len(request->cmdline);

    if (length > info->cmdline_max)
        return FAIL("the kernel command line has %lu characters, " NAME " takes at most %lu: "
                    "shorten cmdline = in pxhv.cfg",
                    length, request->kernel.name, info->cmdline_max);
    return true;
}

/* The order matters: place_*() have shown that all ranges lie inside of RAM. */
static bool copy_files(const struct bzimage_request *request, const struct bzimage_info *info,
                       gpa_t load, gpa_t initrd)
{
    const struct gmem *gmem = request->gmem;

    return gmem_write(gmem, load, request->kernel.data + info->code_offset,
                      info->code_size_bytes) &&
           (initrd == 0 ||
            gmem_write(gmem, initrd, request->initrd.data, request->initrd.size_bytes)) &&
           gmem_write(gmem, PC_CMDLINE, request->cmdline, str_len(request->cmdline) + 1);
}

bool bzimage_load(const struct bzimage_request *request, struct bzimage_entry *entry, char *error)
{
    struct bzimage_info info;
    gpa_t load;

    *entry = (struct bzimage_entry){.zero_page = PC_ZERO_PAGE,
                                    .page_tables = PC_PAGE_TABLES,
                                    .gdt = PC_GDT,
                                    .gdt_limit = ZERO_PAGE_GDT_SIZE - 1,
                                    .stack = PC_STACK_TOP};
    if (!bzimage_check(&request->kernel, &info, error) || !check_cmdline(request, &info, error) ||
        !place_kernel(request, &info, &load, &entry->kernel_end, error) ||
        !place_initrd(request, &info, entry->kernel_end, &entry->initrd, error))
        return false;

    entry->long_mode = info.entry64;
    entry->entry = load + (info.entry64 ? ENTRY64_OFFSET : 0);

    struct zero_page_content content = {
        .setup = request->kernel.data,
        .header_end = info.header_end,
        .load = (uint32_t)load,
        .initrd = (uint32_t)entry->initrd,
        .initrd_size_bytes = (uint32_t)request->initrd.size_bytes,
        .e820 = request->e820,
        .rsdp = request->rsdp,
    };
    if (!copy_files(request, &info, load, entry->initrd) ||
        !zero_page_write(request->gmem, &content) ||
        !boot_tables_write(request->gmem, entry->long_mode))
        return FAIL("the guest's memory has a gap below %lu MiB: this is a mistake of pxHV's",
                    low_ram_bytes(request->gmem) >> 20);
    return true;
}
