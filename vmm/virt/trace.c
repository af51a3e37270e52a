/* See trace.h. */
#include "virt/trace.h"

#include "lib/mem.h"
#include "virt/vcpu.h"

static void use_ring(struct trace *trace, struct vexit *base, unsigned size)
{
    trace->base = trace->next = base;
    trace->limit = base + size;
    trace->end = base + TRACE_TURN;
    trace->wrapped = false;
}

void trace_init(struct trace *trace)
{
    trace->long_ring = NULL;
    use_ring(trace, trace->short_ring, TRACE_TURN);
}

bool trace_alloc(struct trace *trace, const struct frame_source *frames)
{
    unsigned count =
        (unsigned)(align_up(TRACE_RECORDS * sizeof(struct vexit), PAGE_SIZE) / PAGE_SIZE);
    trace->long_ring = (struct vexit *)frames->alloc(frames->ctx, count);
    return trace->long_ring;
}

bool trace_on(const struct vcpu *vcpu)
{
    return vcpu->trace.wanted;
}

bool trace_set(struct vcpu *vcpu, bool on)
{
    struct trace *trace = &vcpu->trace;
    if (on && !trace->long_ring)
        return false;
    trace->wanted = on;
    return true;
}

/* The newest exits stay, as those of a turn that is over. */
static void change_ring(struct trace *trace)
{
    struct vexit *from = trace->next - TRACE_TURN;
    if (trace->wanted)
        use_ring(trace, trace->long_ring, TRACE_RECORDS);
    else
        use_ring(trace, trace->short_ring, TRACE_TURN);
    memcpy(trace->base, from, TRACE_TURN * sizeof(*from));
    trace->next = trace->end;
}

unsigned trace_count(const struct trace *trace)
{
    return (unsigned)((trace->wrapped ? trace->limit : trace->next) - trace->base);
}

const struct vexit *trace_record(const struct trace *trace, unsigned age)
{
    const struct vexit *record = trace->next - 1 - age;
    return record >= trace->base ? record : record + (trace->limit - trace->base);
}

void trace_turn(struct vcpu *vcpu)
{
    struct trace *trace = &vcpu->trace;
    const struct vexit *newest = trace->next - 1;
    account_sample_rip(&vcpu->account, newest->rip);
    if (newest->exited_tsc >= vcpu->timeline.due_tsc)
        timeline_add(&vcpu->timeline, &vcpu->account, newest->exited_tsc);
    if (trace->wanted != (trace->base != trace->short_ring))
        change_ring(trace);
    if (trace->next == trace->limit) {
        trace->wrapped = true;
        trace->next = trace->base;
    }
    trace->end = trace->next + TRACE_TURN;
}

void trace_step(struct vcpu *vcpu)
{
    if (++vcpu->trace.next == vcpu->trace.end)
        trace_turn(vcpu);
}
