/*
 * The run loop. Between two entries it does nothing at all unless vcpu->attention says that there
 * is something to do: an interrupt pin, a halted CPU, a device that was touched. That test of one
 * word is what keeps a short exit short.
 */
#include "virt/handlers.h"
#include "virt/x86.h"

#include "lib/assert.h"

_Static_assert(offsetof(struct vcpu, debugging) < offsetof(struct vcpu, attention) + 8,
               "every flag lies inside the word that the loop tests");

static vtime_t run_now(const struct vcpu *vcpu)
{
    return clock_ns(&vcpu->clock, vcpu->host->tsc());
}

/*
 * A guest can ask for a timer that is always due. The deadline's exit comes before the guest's
 * first instruction and before an interrupt of the host's, so that neither would ever have a turn:
 * behind a deadline that was served, the next one waits for at least so long.
 */
#define RUN_DEADLINES_PER_SECOND 50000u

/* The TSC at a guest time, at the earliest `least` ticks from now; UINT64_MAX: never. The distance
 * is converted, not the date: rounding then can't place it before the deadline by more than a tick,
 * however long the guest has been running. */
static inline uint64_t run_tsc_at(const struct vcpu *vcpu, vtime_t deadline_ns, uint64_t least)
{
    uint64_t tsc = vcpu->host->tsc();
    vtime_t now = clock_ns(&vcpu->clock, tsc);
    uint64_t ahead = deadline_ns > now ? clock_ticks(&vcpu->clock, deadline_ns - now) : 0;
    ahead = max_u64(ahead, least);
    return ahead < UINT64_MAX - tsc ? tsc + ahead : UINT64_MAX;
}

/* --- a timer of the guest's that the CPU serves ----------------------------------------------- */

/* The guest's own ticks don't end its turn then, and a UART without an interrupt waits for one that
 * does: so long behind the first of them there is one. */
#define RUN_LOOK_NS 50000000u

static void run_take_back(struct vcpu *vcpu)
{
    if (vcpu->posted_ns == VTIME_NEVER)
        return;
    vcpu->posted_ns = VTIME_NEVER;
    vcpu->posted_tsc = UINT64_MAX;
    vcpu->hooks.apic_take_back(vcpu->hooks.ctx);
    vcpu->backend->post(vcpu, UINT64_MAX);
}

/* A guest that sleeps isn't there to be notified, and a debugger's steps are nobody else's. */
static void run_post(struct vcpu *vcpu)
{
    if (vcpu->halted || vcpu->debugging || vcpu->stopped)
        return;
    vtime_t posted_ns = vcpu->hooks.apic_post(vcpu->hooks.ctx);
    if (posted_ns == vcpu->posted_ns)
        return;
    vcpu->posted_ns = posted_ns;
    vcpu->posted_tsc = posted_ns == VTIME_NEVER ? UINT64_MAX : run_tsc_at(vcpu, posted_ns, 0);
    if (!vcpu->backend->post(vcpu, vcpu->posted_tsc))
        run_take_back(vcpu);
}

/* --- deadlines -------------------------------------------------------------------------------- */

/* Of all devices, when the timer is posted: the look at the host comes to them. */
static __attribute__((noinline)) vtime_t run_with_look(struct vcpu *vcpu, vtime_t deadline_ns)
{
    if (vcpu->deadline_ns == 0) /* one has been served */
        vcpu->look_ns = VTIME_NEVER;
    if (vcpu->posted_ns < VTIME_NEVER - RUN_LOOK_NS)
        vcpu->look_ns = min_u64(vcpu->look_ns, vcpu->posted_ns + RUN_LOOK_NS);
    return min_u64(deadline_ns, vcpu->look_ns);
}

/* Arms the backend for the nearest device deadline, only when that one changed. */
static void run_arm_deadline(struct vcpu *vcpu)
{
    vtime_t deadline_ns = vcpu->hooks.next_deadline(vcpu->hooks.ctx);
    if (vcpu->posted_ns != VTIME_NEVER)
        deadline_ns = run_with_look(vcpu, deadline_ns);
    if (deadline_ns == vcpu->deadline_ns)
        return;
    vcpu->deadline_ns = deadline_ns;
    vcpu->deadline_tsc = UINT64_MAX;
    if (deadline_ns != VTIME_NEVER)
        vcpu->deadline_tsc =
            run_tsc_at(vcpu, deadline_ns,
                       vcpu->deadline_served ? vcpu->clock.tsc_hz / RUN_DEADLINES_PER_SECOND : 0);
    vcpu->deadline_served = false;
    vcpu->backend->set_deadline(vcpu, vcpu->deadline_tsc);
}

static bool run_deadline_due(const struct vcpu *vcpu)
{
    return vcpu->deadline_tsc != UINT64_MAX && vcpu->host->tsc() >= vcpu->deadline_tsc;
}

/* Lets the devices see the time when the armed deadline has come. */
static void run_advance_if_due(struct vcpu *vcpu)
{
    if (!run_deadline_due(vcpu))
        return;
    vcpu->hooks.advance(vcpu->hooks.ctx, run_now(vcpu));
    vcpu->deadline_served = true;
    vcpu->deadline_ns = 0;
}

/* The host itself may have had the interrupt that was to notify the CPU: then its time is over, or
 * it is an ordinary deadline for what rounding has left of it. */
static __attribute__((noinline)) void run_look_at_posted(struct vcpu *vcpu)
{
    run_post(vcpu);
    if (vcpu->posted_tsc == UINT64_MAX || vcpu->host->tsc() < vcpu->posted_tsc)
        return;
    run_take_back(vcpu);
    vcpu->hooks.advance(vcpu->hooks.ctx, run_now(vcpu));
}

static void run_want_window(struct vcpu *vcpu, enum vwindow window, bool wanted)
{
    if ((vcpu->windows_wanted >> window & 1) == wanted)
        return;
    vcpu->windows_wanted ^= 1u << window;
    vcpu->backend->want_window(vcpu, window, wanted);
}

static void run_inject_nmi(struct vcpu *vcpu)
{
    if (!vcpu->nmi_pending || vcpu->inject.type != VEVENT_NONE ||
        !vcpu->backend->can_take(vcpu, VWINDOW_NMI))
        return;
    vcpu->nmi_pending = false;
    vcpu->inject = (struct vevent){.type = VEVENT_NMI, .vector = X86_NMI};
}

static void run_inject_irq(struct vcpu *vcpu)
{
    if (!vcpu->irq_high && !vcpu->irq_held)
        return;
    if (vcpu->inject.type != VEVENT_NONE || !vcpu->backend->can_take(vcpu, VWINDOW_IRQ))
        return;
    int vector;
    if (vcpu->irq_held) {
        vcpu->irq_held = false;
        vector = vcpu->held_vector;
    } else {
        vector = vcpu->hooks.irq_ack(vcpu->hooks.ctx);
    }
    if (vector < 0)
        return;
    vcpu->inject = (struct vevent){.type = VEVENT_IRQ, .vector = (uint8_t)vector};
}

/* What the next entry delivers: an event already queued, else an NMI, else an interrupt. What has
 * to wait gets a window, unless a debugger's step holds it off. */
static void run_choose_event(struct vcpu *vcpu)
{
    bool held_off = vcpu->debugging && debug_holds_events(vcpu);
    if (vcpu->apic_stale || held_off != vcpu->apic_held_off)
        apic_sync(vcpu, held_off);
    if (!held_off) {
        run_inject_nmi(vcpu);
        run_inject_irq(vcpu);
    }
    if (vcpu->apic_stale) /* an acknowledge has changed what is in service */
        apic_sync(vcpu, held_off);
    if (vcpu->inject.type != VEVENT_NONE || (vcpu->halted && !held_off && apic_wakes(vcpu)))
        vcpu->halted = false; /* every event ends HLT */
    run_want_window(vcpu, VWINDOW_NMI, !held_off && vcpu->nmi_pending);
    run_want_window(vcpu, VWINDOW_IRQ, !held_off && (vcpu->irq_high || vcpu->irq_held));
}

static void run_look_at_devices(struct vcpu *vcpu)
{
    vcpu->devices_touched = false;
    run_advance_if_due(vcpu);
    if (vcpu->apic_help == VAPIC_POSTED)
        run_look_at_posted(vcpu);
    enum vm_stop stop = vcpu->hooks.stop_request(vcpu->hooks.ctx);
    if (stop != VM_RUNNING) {
        vcpu_stop(vcpu, stop, "the guest asked for it");
        return;
    }
    run_arm_deadline(vcpu);
}

/* A CPU would sleep for ever where this is false; the guest's end says more. */
static bool run_can_wake(struct vcpu *vcpu)
{
    if (vcpu->rflags & X86_RFLAGS_IF)
        return true;
    return !vcpu->backend->reg_get(vcpu, VREG_NMI_BLOCKED) &&
           (vcpu->nmi_pending || vcpu->hooks.nmi_may_come(vcpu->hooks.ctx));
}

/*
 * The guest executed HLT and nothing can wake it yet. Host interrupts are off from here to the
 * sleep, and sleep_until() opens them only in the very instruction before its HLT: an interrupt
 * that comes after the check ends the sleep at once, so no wake-up is lost.
 */
static void run_sleep(struct vcpu *vcpu)
{
    if (!run_can_wake(vcpu)) {
        vcpu_stop(vcpu, VM_STOP_HALTED_FOREVER, "guest halted with interrupts off");
        return;
    }
    vcpu->devices_touched = true;
    if (run_deadline_due(vcpu))
        return;
    account_leave(&vcpu->account, ACCOUNT_ASLEEP, vcpu->host->tsc());
    vcpu->host->sleep_until(vcpu->deadline_tsc);
    account_return(&vcpu->account, vcpu->host->tsc());
    vcpu->hooks.host_events(vcpu->hooks.ctx);
    vcpu->look_ns = VTIME_NEVER;
}

static void run_suspend_posting(struct vcpu *vcpu)
{
    vcpu->post_again |= vcpu->posted_ns != VTIME_NEVER;
    run_take_back(vcpu);
}

/* What was posted before a HLT may be posted again. */
static bool run_post_again(struct vcpu *vcpu)
{
    if (!vcpu->post_again || vcpu->halted)
        return false;
    vcpu->post_again = false;
    run_post(vcpu);
    if (vcpu->posted_ns == VTIME_NEVER)
        return false;
    return vcpu->devices_touched = true; /* its deadline is none any more */
}

/* All that lies between two entries. False when the guest has stopped. A debugger's single step has
 * its entries in here. */
static bool run_attend(struct vcpu *vcpu)
{
    for (;;) {
        if (vcpu->halted || vcpu->debugging)
            run_suspend_posting(vcpu);
        if (vcpu->debugging && !vcpu->stopped)
            debug_attend(vcpu);
        if (vcpu->devices_touched)
            run_look_at_devices(vcpu);
        if (vcpu->stopped) {
            run_take_back(vcpu);
            debug_guest_ended(vcpu);
            return false;
        }
        run_choose_event(vcpu);
        if (run_post_again(vcpu))
            continue;
        if (vcpu->halted)
            run_sleep(vcpu);
        else if (vcpu->debugging)
            debug_step_round(vcpu);
        else
            return true;
    }
}

enum vm_stop vcpu_run(struct vcpu *vcpu)
{
    account_begin(&vcpu->account, vcpu->host->tsc());
    vcpu->devices_touched = true; /* the first deadline has to be armed */
    while (vcpu->attention == 0 || run_attend(vcpu))
        vcpu->backend->loop(vcpu);
    vcpu->backend->park(vcpu);
    account_end(&vcpu->account, vcpu->host->tsc());
    return vcpu->stop;
}
