/* Finds \_S5 without an AML interpreter. ACPI specification "ACPI Machine Language (AML)
 * Specification", "\_Sx (System States)". Every length is checked against the table's end. */
#include "hw/aml.h"

#include "lib/mem.h"

enum aml_op {
    AML_ZERO = 0x00,
    AML_ONE = 0x01,
    AML_NAME = 0x08,
    AML_BYTE = 0x0A,
    AML_WORD = 0x0B,
    AML_DWORD = 0x0C,
    AML_PACKAGE = 0x12
};

#define MAX_SLEEP_TYPE 7

struct cursor {
    const uint8_t *at;
    const uint8_t *end;
};

static bool take(struct cursor *cursor, uint8_t *byte)
{
    if (cursor->at == cursor->end)
        return false;
    *byte = *cursor->at++;
    return true;
}

/* The elements end where the package does, or the table. */
static bool enter_package(struct cursor *cursor)
{
    uint8_t op, lead, byte;
    const uint8_t *start;

    if (!take(cursor, &op) || op != AML_PACKAGE)
        return false;
    start = cursor->at;
    if (!take(cursor, &lead))
        return false;
    unsigned more = lead >> 6;
    size_t length = more ? lead & 0x0F : lead & 0x3F;
    for (unsigned i = 0; i < more; i++) {
        if (!take(cursor, &byte))
            return false;
        length |= (size_t)byte << (4 + 8 * i);
    }
    if (length < 1 + (size_t)more || length > (size_t)(cursor->end - start))
        return false;
    cursor->end = start + length;
    return take(cursor, &byte); /* the number of elements: their bytes decide */
}

static bool take_sleep_type(struct cursor *cursor, uint8_t *type)
{
    uint8_t op, byte;
    unsigned zeros = 0;

    if (!take(cursor, &op))
        return false;
    switch (op) {
    case AML_ZERO:
    case AML_ONE:
        *type = op;
        return true;
    case AML_BYTE:
        break;
    case AML_WORD:
        zeros = 1;
        break;
    case AML_DWORD:
        zeros = 3;
        break;
    default:
        return false;
    }
    if (!take(cursor, type) || *type > MAX_SLEEP_TYPE)
        return false;
    while (zeros--)
        if (!take(cursor, &byte) || byte)
            return false;
    return true;
}

bool aml_find_s5(const uint8_t *aml, size_t size, uint8_t *type_a, uint8_t *type_b)
{
    for (size_t i = 1; i + 4 <= size; i++) {
        if (memcmp(aml + i, "_S5_", 4) != 0)
            continue;
        bool named =
            aml[i - 1] == AML_NAME || (i >= 2 && aml[i - 1] == '\\' && aml[i - 2] == AML_NAME);
        struct cursor cursor = {aml + i + 4, aml + size};
        if (!named || !enter_package(&cursor) || !take_sleep_type(&cursor, type_a))
            continue;
        if (!take_sleep_type(&cursor, type_b))
            *type_b = *type_a; /* a package of one element: firmware without PM1b */
        return true;
    }
    return false;
}
