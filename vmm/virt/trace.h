/*
 * The record of exits, a ring. An exit is decoded into its place there, so that keeping it costs
 * nothing but the step to the next place. Reports show the newest of a short ring that is always
 * there; with tracing on, a long one takes its place, and an exit costs the same.
 */
#ifndef VIRT_TRACE_H
#define VIRT_TRACE_H

#include "virt/backend.h"
#include "virt/vexit.h"

struct vcpu;

/* Exits from one look around (see trace_turn()) to the next. Odd, so that a loop of 2, 4, ... exits
 * isn't always met at the same one. */
#define TRACE_TURN 31u
/* The long ring: whole turns. */
#define TRACE_RECORDS (132u * TRACE_TURN)

struct trace {
    struct vexit *next; /* where the next exit goes; the one before is the newest */
    struct vexit *end;  /* of this turn */
    struct vexit *base;
    struct vexit *limit;
    bool wrapped;            /* all of [base, limit) has been used */
    bool wanted;             /* by trace_set(): the long ring, from the next turn on */
    struct vexit *long_ring; /* NULL: there was no memory for it */
    struct vexit short_ring[TRACE_TURN];
};

void trace_init(struct trace *trace);
/* Gets the memory that tracing needs. False: out of frames. */
bool trace_alloc(struct trace *trace, const struct frame_source *frames);

/* Switches tracing, at the end of the turn. False: trace_alloc() has got no memory. */
bool trace_set(struct vcpu *vcpu, bool on);
bool trace_on(const struct vcpu *vcpu);

/* How many exits the ring holds, and one of them: 0 is the newest. */
unsigned trace_count(const struct trace *trace);
const struct vexit *trace_record(const struct trace *trace, unsigned age);

/* The run loop has used the last place of a turn: looks around, and finds the next place. */
void trace_turn(struct vcpu *vcpu);
/* The same question for an exit outside of the run loop's short path. */
void trace_step(struct vcpu *vcpu);

#endif
