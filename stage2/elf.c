/* See elf.h. Offsets are those of Elf64_Ehdr and Elf64_Phdr. */
#include "elf.h"

#include "lib/bits.h"
#include "lib/mem.h"

#define HEADER_SIZE  64u
#define PROGRAM_SIZE 56u
#define PT_LOAD      1u
#define LIMIT        GIB(4)

static const char *check_header(const uint8_t *file, uint32_t size_bytes)
{
    if (size_bytes < HEADER_SIZE || load_le32(file) != 0x464c457f)
        return "it is not an ELF file";
    if (file[4] != 2 || file[5] != 1 || load_le16(file + 16) != 2 || load_le16(file + 18) != 62)
        return "it is not a 64-bit x86-64 executable at fixed addresses";
    if (load_le16(file + 54) != PROGRAM_SIZE)
        return "its program headers have a strange size";
    if (!range_fits(load_le64(file + 32), (uint64_t)load_le16(file + 56) * PROGRAM_SIZE,
                    size_bytes))
        return "its program headers lie outside the file";
    return NULL;
}

static bool overlaps(const struct elf_segment *a, const struct elf_segment *b)
{
    return a->address < b->address + b->memory_bytes && b->address < a->address + a->memory_bytes;
}

static const char *add_segment(const uint8_t *header, uint32_t size_bytes, struct elf_image *image)
{
    uint64_t offset = load_le64(header + 8), file_bytes = load_le64(header + 32);
    struct elf_segment segment = {.address = load_le64(header + 24),
                                  .memory_bytes = load_le64(header + 40)};

    if (!segment.memory_bytes)
        return NULL;
    if (image->segment_count == ELF_MAX_SEGMENTS)
        return "it has too many segments";
    if (!range_fits(offset, file_bytes, size_bytes))
        return "a segment lies outside the file: it was cut short";
    if (file_bytes > segment.memory_bytes)
        return "a segment is larger in the file than in memory";
    if (!range_fits(segment.address, segment.memory_bytes, LIMIT))
        return "a segment lies above 4 GiB";
    if (load_le64(header + 16) != segment.address)
        return "a segment's virtual and physical addresses differ";
    segment.file_offset = (uint32_t)offset;
    segment.file_bytes = (uint32_t)file_bytes;
    for (unsigned i = 0; i < image->segment_count; i++)
        if (overlaps(&segment, &image->segment[i]))
            return "two segments overlap";
    image->segment[image->segment_count++] = segment;
    return NULL;
}

static const char *check_entry(struct elf_image *image)
{
    uint64_t lowest = UINT64_MAX, end = 0;
    bool inside = false;

    for (unsigned i = 0; i < image->segment_count; i++) {
        const struct elf_segment *segment = &image->segment[i];
        lowest = min_u64(lowest, segment->address);
        end = max_u64(end, segment->address + segment->memory_bytes);
        inside |= image->entry >= segment->address &&
                  image->entry - segment->address < segment->file_bytes;
    }
    if (!image->segment_count)
        return "it has nothing to load";
    if (!inside)
        return "its entry point lies outside its segments";
    image->base = align_down(lowest, PAGE_SIZE);
    image->size_bytes = align_up(end, PAGE_SIZE) - image->base;
    return NULL;
}

const char *elf_check(const uint8_t *file, uint32_t size_bytes, struct elf_image *image)
{
    const char *reason = check_header(file, size_bytes);

    *image = (struct elf_image){0};
    if (reason)
        return reason;
    image->entry = load_le64(file + 24);
    const uint8_t *header = file + load_le64(file + 32);
    for (unsigned n = load_le16(file + 56); n-- > 0; header += PROGRAM_SIZE) {
        if (load_le32(header) == PT_LOAD)
            reason = add_segment(header, size_bytes, image);
        if (reason)
            return reason;
    }
    return check_entry(image);
}
