/* The call trace: frame pointers to addresses, and addresses to names by the table that symbols.sh
 * makes out of the first link. */
#include "hw/parts.h"

#include "lib/log.h"
#include "lib/mem.h"

#define MAX_CALLERS 24u

/* The function that holds the address. A record of the table is the function's address in 32 bits
 * and its name with a NUL; records ascend, an address of 0 ends them. */
static const char *find_symbol(uint64_t address, uint64_t *offset)
{
    const uint8_t *record = __symbols_start;
    const char *name = NULL;

    while ((uint64_t)record + 5 <= (uint64_t)__symbols_end) {
        uint64_t start = load_le32(record);
        if (start == 0 || start > address)
            break;
        name = (const char *)record + 4;
        *offset = address - start;
        record += 4 + str_len(name) + 1;
    }
    return name;
}

static bool in_text(uint64_t address)
{
    return address >= (uint64_t)__text_start && address < (uint64_t)__text_end;
}

static void print_caller(uint64_t address, bool is_return)
{
    uint64_t offset;
    /* A return address may already lie behind the end of a function that calls a noreturn one. */
    const char *name = in_text(address) ? find_symbol(address - is_return, &offset) : NULL;

    if (name)
        log_raw("  %08llx  %s+%llx\n", (unsigned long long)address, name,
                (unsigned long long)(offset + is_return));
    else
        log_raw("  %08llx\n", (unsigned long long)address);
}

/* Whether a frame pointer may be followed: both words that it points to lie on a stack of ours. */
static bool on_stack(uint64_t rbp)
{
    for (unsigned i = 0; i < STACK_COUNT; i++)
        if (rbp >= (uint64_t)stacks[i].guard + PAGE_SIZE && rbp + 16 <= (uint64_t)stacks[i].top)
            return rbp % 8 == 0;
    return false;
}

void trace_print(uint64_t rip, uint64_t rsp, uint64_t rbp)
{
    log_raw("Call trace, innermost first:\n");
    print_caller(rip, false);
    /* A call that went astray made no frame of its own yet: its caller is on top of the stack. */
    if (!in_text(rip) && on_stack(rsp) && in_text(*(const uint64_t *)rsp))
        print_caller(*(const uint64_t *)rsp, true);
    for (unsigned i = 0; i < MAX_CALLERS && on_stack(rbp); i++) {
        const uint64_t *frame = (const uint64_t *)rbp;
        if (!in_text(frame[1]))
            break;
        print_caller(frame[1], true);
        rbp = frame[0];
    }
}
