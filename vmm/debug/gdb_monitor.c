/* "monitor ...": the stub's own commands; all others go to pxHV's monitor. */
#include "debug/gdb_parts.h"

#include "lib/fmt.h"
#include "lib/mem.h"

#define LINE_BYTES 256u

static const char help[] =
    "monitor phys on|off         memory by guest physical or by linear address\n"
    "monitor step-events on|off  interrupts are taken or held off while stepping\n"
    "monitor reset               starts the guest anew and stops at its first instruction;\n"
    "                            then: maintenance flush register-cache\n";

/* Text for GDB's screen, a packet for each line of it. */
struct output {
    struct gdb *gdb;
    uint32_t length;
    uint8_t text[LINE_BYTES];
};

static void flush(struct output *output)
{
    struct gdb_link *link = &output->gdb->link;

    if (!output->length)
        return;
    gdb_begin(link);
    gdb_put(link, 'O');
    gdb_put_hex(link, output->text, output->length);
    gdb_send(link);
    output->length = 0;
}

static void output_put(void *ctx, uint8_t byte)
{
    struct output *output = ctx;

    output->text[output->length++] = byte;
    if (byte == '\n' || output->length == LINE_BYTES)
        flush(output);
}

static void say(struct output *output, const char *text)
{
    while (*text)
        output_put(output, (uint8_t)*text++);
}

/* "NAME on" or "NAME off". False: it is another command. */
static bool take_switch(struct output *output, struct gdb_text *text, const char *name, bool *on)
{
    char line[96];
    struct gdb_text rest = *text;

    if (!gdb_take_word(&rest, name) || (gdb_text_left(&rest) && *rest.at != ' '))
        return false;
    while (gdb_take(&rest, ' '))
        ;
    bool is_on = gdb_take_word(&rest, "on"), is_off = !is_on && gdb_take_word(&rest, "off");
    if ((is_on || is_off) && !gdb_text_left(&rest)) {
        *on = is_on;
        fmt_snprintf(line, sizeof(line), "%s is %s\n", name, is_on ? "on" : "off");
    } else {
        fmt_snprintf(line, sizeof(line), "%s is %s; say \"monitor %s on\" or \"off\"\n", name,
                     *on ? "on" : "off", name);
    }
    say(output, line);
    return true;
}

static void reset(struct gdb *gdb, struct output *output)
{
    say(output, "the guest starts anew; now say: maintenance flush register-cache\n");
    gdb_restart(gdb);
}

static void obey(struct gdb *gdb, struct output *output, const char *line)
{
    struct gdb_text text = {(const uint8_t *)line, (const uint8_t *)line + str_len(line)};
    bool step_events = gdb->step_events;

    if (take_switch(output, &text, "phys", &gdb->physical))
        return;
    if (take_switch(output, &text, "step-events", &step_events)) {
        gdb->step_events = step_events;
        vdebug_set_step_events(gdb->vcpu, step_events);
        return;
    }
    if (str_eq(line, "reset")) {
        reset(gdb, output);
        return;
    }
    bool is_help = !*line || str_eq(line, "help");
    if (is_help)
        say(output, help);
    struct byte_sink out = {output_put, output};
    bool known = gdb->host.monitor && gdb->host.monitor(gdb->host.ctx, line, out);
    if (!known && !is_help)
        say(output, "there is no such command; \"monitor help\" lists them\n");
}

void gdb_monitor(struct gdb *gdb, struct gdb_text *text)
{
    uint8_t line[LINE_BYTES];
    uint64_t length = gdb_text_left(text) / 2;
    struct output output = {.gdb = gdb};

    if (length >= LINE_BYTES || gdb_text_left(text) % 2 || !gdb_take_hex(text, line, length)) {
        gdb_reply(&gdb->link, GDB_ERROR_INVALID);
        return;
    }
    line[length] = 0;
    for (uint64_t i = 0; i < length; i++)
        if (line[i] < ' ' || line[i] > '~')
            line[i] = ' ';
    obey(gdb, &output, (const char *)line);
    flush(&output);
    gdb_reply(&gdb->link, "OK");
}
