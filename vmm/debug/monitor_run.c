/* The monitor's commands that make the guest stand still, go on, or start anew. */
#include "debug/monitor.h"
#include "lib/mem.h"
#include "virt/virt.h"

#define STEPS_MAX   100000u
#define STEPS_SHOWN 16u

bool monitor_needs_stop(struct monitor *monitor)
{
    if (vdebug_stopped(monitor->vcpu))
        return true;
    monitor_printf(monitor, "the guest runs: \"pause\" it first\n");
    return false;
}

static bool has_ended(struct monitor *monitor)
{
    if (monitor->vcpu->stop == VM_RUNNING)
        return false;
    monitor_printf(monitor, "the guest has ended (%s): \"reset\" starts it anew\n",
                   vm_stop_name(monitor->vcpu->stop));
    return true;
}

static void wait_for_stop(struct monitor *monitor)
{
    monitor->waiting = true;
    vdebug_pause(monitor->vcpu);
}

void monitor_interrupt(struct monitor *monitor)
{
    monitor->steps_left = 0;
    monitor->waiting = false;
    vdebug_pause(monitor->vcpu);
}

/* --- stopping and going on -------------------------------------------------------------------- */

void monitor_pause(struct monitor *monitor, const char *args)
{
    if (!monitor_end(monitor, args) || has_ended(monitor))
        return;
    if (vdebug_stopped(monitor->vcpu))
        monitor_printf(monitor, "the guest stands still already\n");
    else
        wait_for_stop(monitor);
}

static void go_on(struct monitor *monitor, enum vdebug_resume how)
{
    vdebug_resume(monitor->vcpu, how);
    monitor->go_on = true;
}

/* A guest that stands still while GDB is attached does so for GDB: it was told, and would not be
 * told that the guest runs. */
static bool is_gdbs(struct monitor *monitor)
{
    if (!monitor->vcpu->debug.attached)
        return false;
    if (monitor->remote)
        monitor_printf(monitor, "GDB holds the guest: say \"continue\" or \"stepi\"\n");
    else
        monitor_printf(monitor, "GDB holds the guest: \"continue\" or \"detach\" there; if it has "
                                "vanished, \"resume force\" here\n");
    return true;
}

void monitor_resume(struct monitor *monitor, const char *args)
{
    bool force = str_eq(args, "force");

    if ((!force && !monitor_end(monitor, args)) || has_ended(monitor))
        return;
    if (!vdebug_stopped(monitor->vcpu)) {
        monitor_printf(monitor, "the guest runs already\n");
        return;
    }
    if (force && !monitor->remote && monitor->vcpu->debug.attached) {
        monitor->ops->drop_debugger(monitor->ctx);
        monitor_printf(monitor, "GDB counts as detached\n");
    }
    if (is_gdbs(monitor))
        return;
    monitor->steps_left = 0;
    go_on(monitor, VDEBUG_CONTINUE);
    monitor_printf(monitor, "the guest goes on\n");
}

void monitor_step(struct monitor *monitor, const char *args)
{
    uint64_t count = 1;

    if (*args && (!monitor_take(monitor, &args, &count) || !monitor_end(monitor, args)))
        return;
    if (count == 0 || count > STEPS_MAX) {
        monitor_printf(monitor, "1 to %u steps\n", STEPS_MAX);
        return;
    }
    if (has_ended(monitor) || !monitor_needs_stop(monitor) || is_gdbs(monitor))
        return;
    monitor->steps_left = (unsigned)count;
    monitor->steps_shown = 0;
    monitor->waiting = true;
    go_on(monitor, VDEBUG_STEP);
}

static void tell_why(struct monitor *monitor)
{
    const struct vdebug_stop *stop = vdebug_stop(monitor->vcpu);
    unsigned long long address = stop->address;

    switch (stop->reason) {
    case VDEBUG_PAUSED:
        monitor_printf(monitor, "paused\n");
        break;
    case VDEBUG_STARTED:
        monitor_printf(monitor, "at the first instruction\n");
        break;
    case VDEBUG_SOFT:
    case VDEBUG_HARD:
        monitor_printf(monitor, "at the break 0x%llx\n", address);
        break;
    case VDEBUG_WATCH:
        monitor_printf(monitor, "behind an access to 0x%llx, which is watched\n", address);
        break;
    case VDEBUG_GUEST_ENDED:
        monitor_printf(monitor, "the guest has ended: %s: %s\n", vm_stop_name(monitor->vcpu->stop),
                       monitor->vcpu->stop_reason);
        break;
    default:
        break;
    }
}

void monitor_stopped(struct monitor *monitor)
{
    bool stepped = vdebug_stop(monitor->vcpu)->reason == VDEBUG_STEPPED;

    monitor->room = MONITOR_ANSWER_MAX;
    if (monitor->vcpu->debug.attached) /* GDB has come in between, or steps itself */
        monitor->steps_left = 0;
    if (!stepped) {
        monitor->steps_left = 0;
        tell_why(monitor);
    } else if (monitor->steps_left) {
        monitor->steps_left--;
    }
    if (!monitor->steps_left || monitor->steps_shown < STEPS_SHOWN) {
        monitor->steps_shown++;
        monitor_show_insn(monitor, monitor->vcpu->rip, false);
    }
    monitor->waiting = monitor->steps_left != 0;
    if (!monitor->waiting)
        return;
    if (monitor->steps_shown == STEPS_SHOWN) {
        monitor->steps_shown++;
        monitor_printf(monitor, "...\n");
    }
    go_on(monitor, VDEBUG_STEP);
}

/* --- breakpoints ------------------------------------------------------------------------------ */

static void set_point(struct monitor *monitor, enum vdebug_point_kind kind, gva_t address,
                      unsigned length)
{
    for (unsigned i = 0; i < MONITOR_POINTS; i++) {
        struct monitor_point *point = &monitor->point[i];
        if (point->length)
            continue;
        if (!vdebug_insert(monitor->vcpu, kind, address, length)) {
            monitor_printf(monitor, "the CPU has no room for it, or nothing is mapped there\n");
            return;
        }
        *point = (struct monitor_point){kind, address, length};
        return;
    }
    monitor_printf(monitor, "%u points are the most: delete one\n", MONITOR_POINTS);
}

static void list_points(struct monitor *monitor)
{
    for (unsigned i = 0; i < MONITOR_POINTS; i++) {
        const struct monitor_point *point = &monitor->point[i];
        if (point->length)
            monitor_printf(monitor, "%s 0x%llx %u\n",
                           point->kind == VDEBUG_POINT_WRITE ? "watch" : "break",
                           (unsigned long long)point->address, point->length);
    }
}

void monitor_break(struct monitor *monitor, const char *args)
{
    uint64_t address;

    if (!*args)
        list_points(monitor);
    else if (monitor_take(monitor, &args, &address) && monitor_end(monitor, args) &&
             monitor_needs_stop(monitor))
        set_point(monitor, VDEBUG_POINT_HARD, address, 1);
}

void monitor_watch(struct monitor *monitor, const char *args)
{
    uint64_t address, length = 8;

    if (!monitor_take(monitor, &args, &address))
        return;
    if (*args && (!monitor_take(monitor, &args, &length) || !monitor_end(monitor, args)))
        return;
    if ((length != 1 && length != 2 && length != 4 && length != 8) || address % length)
        monitor_printf(monitor, "1, 2, 4 or 8 bytes at a multiple of that\n");
    else if (monitor_needs_stop(monitor))
        set_point(monitor, VDEBUG_POINT_WRITE, address, (unsigned)length);
}

void monitor_delete(struct monitor *monitor, const char *args)
{
    bool all = str_eq(args, "all"), found = false;
    uint64_t address = 0;

    if (!all && (!monitor_take(monitor, &args, &address) || !monitor_end(monitor, args)))
        return;
    if (!monitor_needs_stop(monitor))
        return;
    for (unsigned i = 0; i < MONITOR_POINTS; i++) {
        struct monitor_point *point = &monitor->point[i];
        if (!point->length || (!all && point->address != address))
            continue;
        vdebug_remove(monitor->vcpu, point->kind, point->address, point->length);
        point->length = 0;
        found = true;
    }
    if (!found)
        monitor_printf(monitor, "there is none\n");
}

void monitor_restore_points(struct monitor *monitor)
{
    for (unsigned i = 0; i < MONITOR_POINTS; i++) {
        const struct monitor_point *point = &monitor->point[i];
        if (point->length)
            vdebug_insert(monitor->vcpu, point->kind, point->address, point->length);
    }
}

bool monitor_owns_stop(const struct monitor *monitor)
{
    const struct vdebug_stop *stop = vdebug_stop(monitor->vcpu);

    if (stop->reason != VDEBUG_HARD && stop->reason != VDEBUG_WATCH)
        return false;
    for (unsigned i = 0; i < MONITOR_POINTS; i++)
        if (monitor->point[i].length && monitor->point[i].address == stop->address)
            return true;
    return false;
}

/* --- the machine ------------------------------------------------------------------------------ */

void monitor_reset(struct monitor *monitor, const char *args)
{
    if (!monitor_end(monitor, args))
        return;
    monitor->steps_left = 0;
    monitor->waiting = false;
    monitor->ops->reset(monitor->ctx);
}

void monitor_power(struct monitor *monitor, const char *args)
{
    if (str_eq(args, "off"))
        monitor->ops->power_off(monitor->ctx);
    else if (!str_eq(args, "button"))
        monitor_printf(monitor, "write \"power off\" or \"power button\"\n");
    else if (!has_ended(monitor))
        monitor->ops->power_button(monitor->ctx);
}

void monitor_nmi(struct monitor *monitor, const char *args)
{
    if (!monitor_end(monitor, args) || has_ended(monitor))
        return;
    monitor->vcpu->nmi_pending = true;
    monitor_printf(monitor, "the guest gets an NMI%s\n",
                   vdebug_stopped(monitor->vcpu) ? " when it goes on" : "");
}
