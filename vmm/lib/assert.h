/* For our own mistakes only: no guest, file or firmware input may reach an ASSERT or a panic. */
#ifndef LIB_ASSERT_H
#define LIB_ASSERT_H

/* Stops the hypervisor with a report. hw/panic.c defines it; tests define their own. */
_Noreturn void panic_at(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define panic(...) panic_at(__FILE__, __LINE__, __VA_ARGS__)
#define ASSERT(condition)                                                                          \
    do {                                                                                           \
        if (!(condition))                                                                          \
            panic("assertion failed: %s", #condition);                                             \
    } while (0)

#endif
