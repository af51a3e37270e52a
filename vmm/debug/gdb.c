/*
 * The session: who waits for whom, how the guest goes on and why it stopped. GDB's manual,
 * "Packets", "Stop Reply Packets". The vCPU's stops are numbered as GDB numbers signals.
 */
#include "debug/gdb_parts.h"

#include "lib/bits.h"
#include "lib/mem.h"

#define SIGNAL_INT  2
#define SIGNAL_TRAP 5
#define SIGNAL_SEGV 11

/* Enough for one line of a message. */
#define CONSOLE_CHUNK 1024u

void gdb_init(struct gdb *gdb, struct byte_sink line, struct vcpu *vcpu,
              const struct gdb_host *host)
{
    memset(gdb, 0, sizeof(*gdb));
    gdb_link_init(&gdb->link, line);
    gdb->vcpu = vcpu;
    gdb->host = *host;
}

static void reply(struct gdb *gdb, const char *text)
{
    gdb_reply(&gdb->link, text);
}

/* --- why the guest stopped -------------------------------------------------------------------- */

static void put_signal(struct gdb *gdb, char kind, unsigned signal)
{
    uint8_t byte = (uint8_t)signal;

    gdb_put(&gdb->link, (uint8_t)kind);
    gdb_put_hex(&gdb->link, &byte, 1);
}

/* The registers that a step is judged by come with the stop: it saves reading all of them. */
static void put_expedited(struct gdb *gdb)
{
    static const uint8_t numbers[] = {GDB_NUMBER_RBP, GDB_NUMBER_RSP, GDB_NUMBER_RIP};

    for (unsigned i = 0; i < ARRAY_SIZE(numbers); i++) {
        gdb_put_hex(&gdb->link, &numbers[i], 1);
        gdb_put(&gdb->link, ':');
        gdb_put_register(gdb, numbers[i]);
        gdb_put(&gdb->link, ';');
    }
}

static unsigned signal_of(const struct gdb *gdb, const struct vdebug_stop *stop)
{
    if (stop->reason == VDEBUG_PAUSED || gdb->broken)
        return SIGNAL_INT;
    if (stop->reason == VDEBUG_GUEST_ENDED && gdb->vcpu->stop != VM_STOP_RESET)
        return SIGNAL_SEGV;
    return SIGNAL_TRAP;
}

static void put_reason(struct gdb *gdb, const struct vdebug_stop *stop)
{
    if (stop->reason == VDEBUG_SOFT && gdb->swbreak)
        gdb_put_text(&gdb->link, "swbreak:;");
    if (stop->reason == VDEBUG_HARD && gdb->hwbreak)
        gdb_put_text(&gdb->link, "hwbreak:;");
    if (stop->reason != VDEBUG_WATCH)
        return;
    gdb_put_text(&gdb->link, stop->kind == VDEBUG_POINT_WRITE ? "watch:" : "awatch:");
    gdb_put_number(&gdb->link, stop->address);
    gdb_put(&gdb->link, ';');
}

static void reply_stop(struct gdb *gdb)
{
    const struct vdebug_stop *stop = vdebug_stop(gdb->vcpu);

    gdb_begin(&gdb->link);
    put_signal(gdb, 'T', signal_of(gdb, stop));
    put_reason(gdb, stop);
    gdb_put_text(&gdb->link, "thread:1;");
    put_expedited(gdb);
    gdb_send(&gdb->link);
}

static bool has_powered_off(const struct gdb *gdb)
{
    return vdebug_stop(gdb->vcpu)->reason == VDEBUG_GUEST_ENDED &&
           gdb->vcpu->stop == VM_STOP_POWER_OFF;
}

static void console_text(struct gdb *gdb, const char *text)
{
    gdb_console(gdb, (const uint8_t *)text, (uint32_t)str_len(text));
}

/* Said once, before the stop itself: GDB shows text only while it waits. */
static void explain_end(struct gdb *gdb)
{
    console_text(gdb, "pxHV: ");
    if (gdb->vcpu->stop == VM_STOP_RESET) {
        console_text(gdb, "the guest asked for a reset; \"continue\" starts it anew\n");
        return;
    }
    console_text(gdb, vm_stop_name(gdb->vcpu->stop));
    console_text(gdb, ": ");
    console_text(gdb, gdb->vcpu->stop_reason);
    console_text(gdb, "\npxHV: the guest can be looked at; \"continue\" leaves it to pxHV\n");
}

void gdb_console(struct gdb *gdb, const uint8_t *text, uint32_t length)
{
    if (!gdb->awaited)
        return;
    while (length) {
        uint32_t piece = (uint32_t)min_u64(length, CONSOLE_CHUNK);
        gdb_begin(&gdb->link);
        gdb_put(&gdb->link, 'O');
        gdb_put_hex(&gdb->link, text, piece);
        gdb_send(&gdb->link);
        text += piece;
        length -= piece;
    }
}

/* --- how it goes on --------------------------------------------------------------------------- */

static void resume(struct gdb *gdb, enum vdebug_resume how)
{
    gdb->resumed = true;
    vdebug_resume(gdb->vcpu, how);
}

static void let_go(struct gdb *gdb, enum vdebug_resume how)
{
    gdb->awaited = true;
    gdb->broken = false;
    resume(gdb, how);
}

/* The debugger has left. The guest is as if there had never been one. */
static void leave(struct gdb *gdb)
{
    vdebug_clear(gdb->vcpu);
    vdebug_set_step_events(gdb->vcpu, false);
    gdb->attached = false;
    gdb->awaited = false;
    gdb->in_range = false;
    gdb->physical = false;
    gdb->step_events = false;
    gdb->broken = false;
    gdb->vcpu->debug.attached = false;
    gdb_link_forget(&gdb->link);
    resume(gdb, VDEBUG_CONTINUE);
}

static void go_on(struct gdb *gdb, enum vdebug_resume how)
{
    gdb->in_range = false;
    if (how == VDEBUG_STEP && vdebug_stop(gdb->vcpu)->reason == VDEBUG_GUEST_ENDED)
        reply_stop(gdb); /* nothing is left to step */
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

void gdb_restart(struct gdb *gdb)
{
    gdb->restarting = vdebug_stop(gdb->vcpu)->reason != VDEBUG_GUEST_ENDED;
    gdb->host.end(gdb->host.ctx, VM_STOP_RESET);
    gdb->vcpu->debug.stop_at_start = true;
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
        reply_stop(gdb);
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
    if (gdb->held) { /* whoever speaks knows of no guest that runs */
        gdb->held = false;
        gdb->awaited = false;
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
    if (has_powered_off(gdb)) {
        reply(gdb, "W00");
        leave(gdb);
        return;
    }
    if (vdebug_stop(gdb->vcpu)->reason == VDEBUG_GUEST_ENDED)
        explain_end(gdb);
    gdb->awaited = false;
    reply_stop(gdb);
    gdb->broken = false;
}
