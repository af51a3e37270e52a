/* needs: vmm/debug/escape.c vmm/debug/lineedit.c vmm/debug/monitor.c vmm/debug/monitor_info.c vmm/debug/monitor_run.c vmm/debug/monitor_regs.c vmm/debug/monitor_memory.c vmm/debug/expr.c vmm/emu/decode.c vmm/emu/classify.c vmm/emu/opcodes.c vmm/lib/text.c vmm/lib/fmt.c vmm/lib/mem.c */
/* What is typed at the console: the first byte is the machine's state, the rest goes through the
 * escape key's filter into the line editor, and its lines to the monitor. */
#include "debug/escape.h"
#include "debug/lineedit.h"

#include "../unit/monitor_rig.h"
#include "input.h"

static struct lineedit edit;
static unsigned edited; /* bytes that the editor wrote for one typed byte */

static void count_edited(void *ctx, uint8_t byte)
{
    (void)ctx;
    check(byte == '\r' || byte == '\n' || byte == '\a' || byte == 0x1B ||
          (byte >= ' ' && byte < 0x7F));
    edited++;
}

static void check_answer(void)
{
    check(rig.length <= MONITOR_ANSWER_MAX);
    for (size_t i = 0; i < rig.length; i++)
        check(rig.out[i] == '\n' || rig.out[i] == 0x1B || (rig.out[i] >= ' ' && rig.out[i] < 0x7F));
    check(rig.monitor.steps_left <= 100000);
}

static void run(const char *line)
{
    ask(line);
    check_answer();
    if (rig.monitor.waiting && rig.monitor.steps_left % 2) {
        rig.length = 0;
        rig.stop.reason = VDEBUG_STEPPED;
        monitor_stopped(&rig.monitor);
        check_answer();
    }
    monitor_end_live(&rig.monitor);
    rig.monitor.waiting = false;
}

static void put(uint8_t byte)
{
    edited = 0;
    const char *line = lineedit_put(&edit, byte);
    check(edit.length <= LINEEDIT_MAX && edit.cursor <= edit.length);
    check(strlen(edit.line) == edit.length && edit.back <= edit.history_count);
    check(edited <= 4096);
    if (!line)
        return;
    check(strlen(line) <= LINEEDIT_MAX);
    run(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct escape escape = {.key = 1};

    rig_init();
    uint8_t state = take8(&in);
    rig.stop.reason = state & 1 ? VDEBUG_PAUSED : VDEBUG_RUNNING;
    rig.vcpu.stop = state & 2 ? VM_STOP_TRIPLE_FAULT : VM_RUNNING;
    rig.refuse_points = state & 4;
    rig_ops.trace = state & 8 ? set_trace : NULL;
    lineedit_init(&edit, (struct byte_sink){count_edited, NULL}, "> ");
    edit.candidate = monitor_candidate;
    edit.ctx = &rig.monitor;
    if (state & 16) { /* a debugger's line has not been through the editor */
        char line[600];
        size_t length = 0;
        while (in.size && length + 1 < sizeof(line))
            line[length++] = (char)take8(&in);
        line[length] = '\0';
        run(line);
    }
    while (in.size) {
        struct escape_result result = escape_put(&escape, take8(&in));
        check(result.count <= 2);
        for (unsigned i = 0; i < result.count; i++)
            put(result.bytes[i]);
    }
    return 0;
}
