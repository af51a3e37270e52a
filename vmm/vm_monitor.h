/* The monitor at the console: what is typed behind the escape key, and the guest's own input and
 * output while the monitor has the console. */
#ifndef VM_MONITOR_H
#define VM_MONITOR_H

#include "debug/escape.h"
#include "debug/lineedit.h"
#include "debug/monitor.h"
#include "lib/ring.h"

struct vm;

enum vm_wish { VM_WISH_NONE, VM_WISH_RESET, VM_WISH_POWER_OFF };

struct vm_monitor {
    struct monitor monitor;
    struct lineedit edit;
    struct escape escape; /* of the console */
    struct escape hotkey; /* of a keyboard that is the guest's PS/2 keyboard */
    bool open;            /* the console is the monitor's */
    enum vm_wish wish;    /* what a person wants of the machine; main.c fulfils it */

    struct ring to_guest;   /* typed, and not yet taken by the guest's serial port */
    struct ring from_guest; /* said, and not yet shown */
    uint64_t lost;          /* bytes of the guest's output that found no room */
    bool holding;           /* the guest stands still until its output was shown */
    uint64_t told_tsc;      /* when the stop was that a person was told about last */
    uint64_t live_tsc;      /* when the live topic is shown next; UINT64_MAX: there is none */
    vtime_t show_at;        /* when more of from_guest is shown; VTIME_NEVER: nothing waits */
};

void vm_monitor_init(struct vm *vm, uint8_t escape_key);
/* Says once how the monitor is opened. */
void vm_monitor_announce(const struct vm *vm);
/* Carries out what the escape key asked for. */
void vm_monitor_command(struct vm *vm, enum escape_command command);
/* Takes what was typed: for the guest into to_guest, for pxHV at once. */
void vm_monitor_input(struct vm *vm);
/* A byte that the guest sent. False: show it yourself, nothing is before it. */
bool vm_monitor_keeps(struct vm *vm, uint8_t byte);
/* How many bytes vm_monitor_keeps() takes without losing one; UINT32_MAX: it doesn't keep any. */
uint32_t vm_monitor_room(const struct vm *vm);
/* What is due while the guest runs, as pc_config's host_deadline() and host_advance(). */
vtime_t vm_monitor_deadline(const struct vm *vm);
void vm_monitor_advance(struct vm *vm, vtime_t now);
/* For hooks.debug_stopped: takes what was typed and does what is due while the guest stands still.
 * Call it over and over, and sleep until vm_monitor_wakeup() in between. True: the guest shall go
 * on, vdebug_resume() was called. */
bool vm_monitor_serve(struct vm *vm);
uint64_t vm_monitor_wakeup(const struct vm *vm);
/* The guest starts, perhaps anew. */
void vm_monitor_guest_starts(struct vm *vm);
/* The guest has stopped for good, or for a reset: shows what it said last. */
void vm_monitor_guest_ended(struct vm *vm);
/* The guest is over: asks whether it shall start anew. */
bool vm_monitor_ask(struct vm *vm);
/* Whether the monitor wanted the reset or power-off; forgets it. */
bool vm_monitor_wished(struct vm *vm);

/* vm_info.c: the topics of "info". ctx is the struct vm. */
extern const struct monitor_topic vm_topics[];
extern const unsigned vm_topic_count;
void vm_print_log(void *ctx, struct byte_sink out, unsigned lines);

#endif
