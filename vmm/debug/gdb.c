/* The session: who waits for whom, and how the guest goes on. GDB's manual, "Packets". */
#include "debug/gdb_parts.h"

#include "lib/mem.h"

void gdb_init(struct gdb *gdb, struct byte_sink line, struct gdb_buffers *buffers,
              struct vcpu *vcpu, const struct gdb_host *host)
{
    memset(gdb, 0, sizeof(*gdb));
    gdb_link_init(&gdb->link, line, buffers);
    gdb->vcpu = vcpu;
    gdb->host = *host;
}

static void reply(struct gdb *gdb, const char *text)
{
    gdb_reply(&gdb->link, text);
}

/* --- how it goes on --------------------------------------------------------------------------- */

static void resume(struct gdb *gdb, enum vdebug_resume how)
{
    gdb->resumed = true;
    vdebug_resume(gdb->vcpu, how);
}

static void set_awaited(struct gdb *gdb, bool awaited)
{
    gdb->awaited = awaited;
    gdb->link.unasked = awaited;
}

static void let_go(struct gdb *gdb, enum vdebug_resume how)
{
    set_awaited(gdb, true);
    gdb->broken = false;
    resume(gdb, how);
}

void gdb_clear(struct gdb *gdb)
{
    vdebug_clear(gdb->vcpu);
    if (gdb->host.cleared)
        gdb->host.cleared(gdb->host.ctx);
}

/* The debugger has left. The guest is as if there had never been one. */
static void leave(struct gdb *gdb)
{
    bool acknowledgement = gdb->link.unanswered;

    gdb_clear(gdb);
    vdebug_set_step_events(gdb->vcpu, false);
    gdb->attached = false;
    gdb->dropped = false;
    set_awaited(gdb, false);
    gdb->held = false;
    gdb->in_range = false;
    gdb->physical = false;
    gdb->step_events = false;
    gdb->broken = false;
    gdb->vcpu->debug.attached = false;
    gdb_link_forget(&gdb->link);
    resume(gdb, VDEBUG_CONTINUE);
    if (gdb->host.left)
        gdb->host.left(gdb->host.ctx, acknowledgement);
}

void gdb_drop(struct gdb *gdb)
{
    bool running = !vdebug_stopped(gdb->vcpu);

    if (!gdb->attached && (running || vdebug_stop(gdb->vcpu)->reason != VDEBUG_STARTED)) {
        gdb_link_forget(&gdb->link);
    } else if (running) {
        gdb->dropped = true;
        vdebug_pause(gdb->vcpu);
    } else {
        leave(gdb);
    }
}

static void end_session(struct gdb *gdb)
{
    reply(gdb, gdb_powered_off(gdb) ? "W00" : "X0b");
    leave(gdb);
}

static void go_on(struct gdb *gdb, enum vdebug_resume how)
{
    bool ended = vdebug_stop(gdb->vcpu)->reason == VDEBUG_GUEST_ENDED;
    bool for_good =
        ended && (gdb->shared || gdb_powered_off(gdb)) && gdb->vcpu->stop != VM_STOP_RESET;

    gdb->in_range = false;
    if (ended && how == VDEBUG_STEP)
        gdb_reply_stop(gdb); /* nothing is left to step */
    else if (for_good)
        end_session(gdb);
    else
        let_go(gdb, how);
}

/* c [ADDRESS], s [ADDRESS]; C and S have a signal in front, which no CPU takes. */
static void resume_packet(struct gdb *gdb, struct gdb_text *text, enum vdebug_resume how,
                          bool with_signal)
{
    uint64_t signal, address;
    bool has_address = gdb_text_left(text) != 0;

    if (with_signal) {
        if (!gdb_take_number(text, &signal)) {
            reply(gdb, GDB_ERROR_INVALID);
            return;
        }
        has_address = gdb_take(text, ';');
    }
    if (has_address && (!gdb_take_number(text, &address) || gdb_text_left(text) ||
                        !vdebug_set_rip(gdb->vcpu, address))) {
        reply(gdb, GDB_ERROR_INVALID);
        return;
    }
    go_on(gdb, how);
}

static bool takes_thread(struct gdb_text *text)
{
    uint64_t number;

    if (gdb_take_word(text, "-1"))
        return true;
    return gdb_take_number(text, &number) && number <= 1;
}

struct action {
    char letter;
    uint64_t begin, end;
};

/* One action of vCont with its thread; false when it isn't one, or for a thread that isn't ours. */
static bool take_action(struct gdb_text *text, struct action *action)
{
    uint64_t signal;

    *action = (struct action){0};
    if (!gdb_take(text, ';') || !gdb_text_left(text))
        return false;
    action->letter = (char)*text->at++;
    switch (action->letter) {
    case 'c':
    case 's':
        break;
    case 'C':
    case 'S':
        if (!gdb_take_number(text, &signal))
            return false;
        break;
    case 'r':
        if (!gdb_take_range(text, &action->begin, &action->end))
            return false;
        break;
    default:
        return false;
    }
    return !gdb_take(text, ':') || takes_thread(text);
}

/* vCont: the first action whose thread is ours counts; there is one thread. */
static void vcont_packet(struct gdb *gdb, struct gdb_text *text)
{
    struct action first, other;
    bool good = take_action(text, &first);

    while (good && gdb_text_left(text))
        good = take_action(text, &other);
    if (!good) {
        reply(gdb, GDB_ERROR_INVALID);
        return;
    }
    bool step = first.letter == 's' || first.letter == 'S' || first.letter == 'r';
    go_on(gdb, step ? VDEBUG_STEP : VDEBUG_CONTINUE);
    gdb->in_range = gdb->awaited && first.letter == 'r';
    gdb->range_begin = first.begin;
    gdb->range_end = first.end;
}

/* True when a step inside of a range goes on unseen. */
static bool steps_on(struct gdb *gdb)
{
    if (!gdb->in_range || gdb->broken || vdebug_stop(gdb->vcpu)->reason != VDEBUG_STEPPED)
        return false;
    return gdb->vcpu->rip >= gdb->range_begin && gdb->vcpu->rip < gdb->range_end;
}

static void end_guest(struct gdb *gdb, enum vm_stop stop)
{
    leave(gdb);
    gdb->host.end(gdb->host.ctx, stop);
}

/* --- packets ---------------------------------------------------------------------------------- */

static void v_packet(struct gdb *gdb, struct gdb_text *text)
{
    if (gdb_take_word(text, "Cont?")) {
        reply(gdb, "vCont;c;C;s;S;r");
    } else if (gdb_take_word(text, "Cont")) {
        vcont_packet(gdb, text);
    } else if (gdb_take_word(text, "Kill;")) {
        reply(gdb, "OK");
        end_guest(gdb, VM_STOP_POWER_OFF);
    } else {
        reply(gdb, GDB_UNSUPPORTED); /* vMustReplyEmpty, too */
    }
}

/* H: the letter says for which packets; a thread is the only one anyway. */
static void thread_packet(struct gdb *gdb, struct gdb_text *text, bool with_letter)
{
    bool good = !with_letter || gdb_take(text, 'g') || gdb_take(text, 'c');
    reply(gdb, good && takes_thread(text) && !gdb_text_left(text) ? "OK" : GDB_ERROR_INVALID);
}

void gdb_expect_restart(struct gdb *gdb)
{
    if (!gdb->attached)
        return;
    gdb->restarting = gdb->vcpu->stop == VM_RUNNING;
    gdb->vcpu->debug.stop_at_start = true;
}

void gdb_restart(struct gdb *gdb)
{
    gdb_expect_restart(gdb);
    gdb->host.end(gdb->host.ctx, VM_STOP_RESET);
    resume(gdb, VDEBUG_CONTINUE);
}

static void detach(struct gdb *gdb)
{
    reply(gdb, "OK");
    leave(gdb);
}

static void answer(struct gdb *gdb)
{
    struct gdb_text text = {gdb->link.in, gdb->link.in + gdb->link.in_length};
    char letter = gdb_text_left(&text) ? (char)*text.at++ : 0;

    switch (letter) {
    case '?':
        gdb_reply_stop(gdb);
        break;
    case '!':
        reply(gdb, "OK");
        break;
    case 'c':
    case 's':
        resume_packet(gdb, &text, letter == 'c' ? VDEBUG_CONTINUE : VDEBUG_STEP, false);
        break;
    case 'C':
    case 'S':
        resume_packet(gdb, &text, letter == 'C' ? VDEBUG_CONTINUE : VDEBUG_STEP, true);
        break;
    case 'v':
        v_packet(gdb, &text);
        break;
    case 'g':
        gdb_read_registers(gdb);
        break;
    case 'G':
        gdb_write_registers(gdb, &text);
        break;
    case 'p':
        gdb_read_register(gdb, &text);
        break;
    case 'P':
        gdb_write_register(gdb, &text);
        break;
    case 'm':
        gdb_read_memory(gdb, &text);
        break;
    case 'x':
        gdb_read_memory_binary(gdb, &text);
        break;
    case 'M':
        gdb_write_memory(gdb, &text);
        break;
    case 'X':
        gdb_write_memory_binary(gdb, &text);
        break;
    case 'Z':
        gdb_insert_point(gdb, &text);
        break;
    case 'z':
        gdb_remove_point(gdb, &text);
        break;
    case 'q':
        gdb_query(gdb, &text);
        break;
    case 'Q':
        gdb_set(gdb, &text);
        break;
    case 'H':
    case 'T':
        thread_packet(gdb, &text, letter == 'H');
        break;
    case 'D':
        detach(gdb);
        break;
    case 'k':
        end_guest(gdb, VM_STOP_POWER_OFF);
        break;
    case 'R':
        gdb_restart(gdb);
        break;
    default:
        reply(gdb, GDB_UNSUPPORTED);
        break;
    }
}

/* --- bytes and stops -------------------------------------------------------------------------- */

/* A guest that is told to go on does so when hooks.debug_stopped() has returned. */
static bool is_leaving(const struct gdb *gdb)
{
    return gdb->resumed && vdebug_stopped(gdb->vcpu);
}

bool gdb_wants(const struct gdb *gdb)
{
    return !gdb->held && !is_leaving(gdb);
}

static void take_packet(struct gdb *gdb)
{
    gdb->attached = true;
    gdb->dropped = false;
    gdb->vcpu->debug.attached = true;
    if (vdebug_stopped(gdb->vcpu) && !gdb->awaited) {
        answer(gdb);
    } else {
        gdb->held = true;
        vdebug_pause(gdb->vcpu);
    }
}

void gdb_receive(struct gdb *gdb, uint8_t byte)
{
    if (!gdb_wants(gdb))
        return;
    switch (gdb_link_receive(&gdb->link, byte)) {
    case GDB_EVENT_PACKET:
        take_packet(gdb);
        break;
    case GDB_EVENT_BREAK:
        gdb->broken = gdb->awaited;
        if (gdb->awaited && !vdebug_stopped(gdb->vcpu))
            vdebug_pause(gdb->vcpu);
        break;
    default:
        break;
    }
}

void gdb_guest_stopped(struct gdb *gdb)
{
    if (vdebug_stop(gdb->vcpu)->reason == VDEBUG_STARTED)
        gdb->vcpu->debug.stop_at_start = false;
    if (gdb->dropped) {
        leave(gdb);
        return;
    }
    if (gdb->held) { /* whoever speaks knows of no guest that runs */
        gdb->held = false;
        set_awaited(gdb, false);
        gdb->in_range = false;
        answer(gdb);
        return;
    }
    bool restarted = gdb->restarting;
    gdb->restarting = false;
    if (restarted && vdebug_stop(gdb->vcpu)->reason == VDEBUG_GUEST_ENDED)
        resume(gdb, VDEBUG_CONTINUE);
    if (!gdb->awaited || restarted)
        return;
    if (steps_on(gdb)) {
        resume(gdb, VDEBUG_STEP);
        return;
    }
    if (gdb_powered_off(gdb)) {
        end_session(gdb);
        return;
    }
    if (vdebug_stop(gdb->vcpu)->reason == VDEBUG_GUEST_ENDED)
        gdb_explain_end(gdb);
    set_awaited(gdb, false);
    gdb_reply_stop(gdb);
    gdb->broken = false;
}
