/*
 * The monitor's commands: text in, text out. A person types them at the console behind the escape
 * key, or at gdb's prompt behind the word "monitor".
 *
 * An answer is bounded (MONITOR_ANSWER_MAX bytes), so that no command keeps the guest waiting for a
 * slow line. Commands that read may be given while the guest runs, between two of its
 * instructions.
 */
#ifndef DEBUG_MONITOR_H
#define DEBUG_MONITOR_H

#include "virt/debug.h"
#include "virt/nested.h"
#include "virt/vcpu.h"

#define MONITOR_ANSWER_MAX 16384u /* half of the serial line's ring */
#define MONITOR_LINE_MAX   255u   /* longer ones are refused */

/* Something that "info" tells about. */
struct monitor_topic {
    const char *name, *help;
    void (*print)(void *ctx, struct byte_sink out);
};

/* What the commands need of the machine around the vCPU. */
struct monitor_ops {
    const struct monitor_topic *topic;
    unsigned topic_count;
    void (*print_log)(void *ctx, struct byte_sink out, unsigned lines);
    void (*reset)(void *ctx);
    void (*power_off)(void *ctx);
    void (*power_button)(void *ctx);
    /* Shows the topic anew each second, by monitor_refresh(), until a key comes. NULL: no screen to
     * do that on; it is then shown once. */
    void (*begin_live)(void *ctx);
    /* Another debugger, which has vanished, counts as having left: its points go out. */
    void (*drop_debugger)(void *ctx);
    /* Switches the exit trace; NULL: there is none in this build. */
    void (*trace)(void *ctx, bool on);
};

enum monitor_format { FORMAT_HEX, FORMAT_DECIMAL, FORMAT_CHAR, FORMAT_STRING, FORMAT_INSN };

struct monitor_dump {
    unsigned count;
    enum monitor_format format;
    unsigned size; /* bytes of a unit: 1, 2, 4, 8 */
    bool physical;
    uint64_t address;
};

#define MONITOR_POINTS 4u /* as many as the CPU has */

struct monitor_point {
    enum vdebug_point_kind kind;
    gva_t address;
    unsigned length; /* 0: unused */
};

struct monitor {
    /* Connections. */
    struct vcpu *vcpu;
    const struct monitor_ops *ops;
    void *ctx;
    struct byte_sink out; /* a line ends in "\n" */

    unsigned room;                    /* what is left of the answer's bound */
    struct monitor_dump dump;         /* where x and xp go on */
    const struct monitor_topic *live; /* NULL: nothing is shown each second */
    unsigned steps_left, steps_shown;
    bool remote;  /* the command is another debugger's, which waits for the answer */
    bool waiting; /* for a stop that a command asked for: no prompt before it */
    bool go_on;   /* vdebug_resume() was called: whoever serves the stop returns, and clears it */
    struct monitor_point point[MONITOR_POINTS];
};

void monitor_init(struct monitor *monitor, struct vcpu *vcpu, const struct monitor_ops *ops,
                  void *ctx, struct byte_sink out);
/* Carries out one line; blank ones do nothing. */
void monitor_command(struct monitor *monitor, const char *line);
/* The same with another place for the answer: gdb's. Nothing goes on behind it: "top" shows its
 * topic once. */
void monitor_command_to(struct monitor *monitor, const char *line, struct byte_sink out);
/* While monitor->live: a second has passed. */
void monitor_refresh(struct monitor *monitor);
void monitor_end_live(struct monitor *monitor);
/* The guest has stopped for the monitor or another debugger: tells why and where, and goes on with
 * "step N". */
void monitor_stopped(struct monitor *monitor);
/* A key while monitor->waiting: no more steps. */
void monitor_interrupt(struct monitor *monitor);
/* All points have been taken out: puts the monitor's own in again. */
void monitor_restore_points(struct monitor *monitor);
/* Whether the guest stands still at a break or watch of the monitor's. */
bool monitor_owns_stop(const struct monitor *monitor);
/* A name for completion, as lineedit's candidate(). */
const char *monitor_candidate(void *monitor, const char *line, unsigned word, unsigned number);

/* --- for the files of the monitor ---------------------------------------------------------------
 */

/* A command's handler; args: what follows the name, without blanks at its start. */
typedef void monitor_handler(struct monitor *monitor, const char *args);

struct monitor_entry {
    const char *name, *args, *help;
    monitor_handler *handler;
};

extern const struct monitor_entry monitor_commands[];
extern const unsigned monitor_command_count;

void monitor_printf(struct monitor *monitor, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* monitor_printf() as a sink. */
struct byte_sink monitor_sink(struct monitor *monitor);
/* Takes one expression and says what is wrong where it is none. */
bool monitor_take(struct monitor *monitor, const char **args, uint64_t *value);
/* The next word of args, into word[]; false when there is none or it is longer. */
bool monitor_take_word(const char **args, char *word, size_t size);
/* False, after a word about it, when something is left of args. */
bool monitor_end(struct monitor *monitor, const char *args);
/* Whether a guest stands still for a debugger; says so where it doesn't. */
bool monitor_needs_stop(struct monitor *monitor);
/* One instruction, as "x/i" shows it; its length, 0 where there is none. */
unsigned monitor_show_insn(struct monitor *monitor, uint64_t address, bool physical);

monitor_handler monitor_help;                                          /* monitor.c */
monitor_handler monitor_info, monitor_exits, monitor_top, monitor_log; /* monitor_info.c */
monitor_handler monitor_trace;
monitor_handler monitor_pause, monitor_resume, monitor_step; /* monitor_run.c */
monitor_handler monitor_break, monitor_watch, monitor_delete;
monitor_handler monitor_reset, monitor_power, monitor_nmi;
monitor_handler monitor_registers;                                /* monitor_regs.c */
monitor_handler monitor_x, monitor_xp, monitor_walk, monitor_ept; /* monitor_memory.c */

#endif
