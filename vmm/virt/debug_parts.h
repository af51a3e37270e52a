/* What the files of the debugger's side share: debug.c (stops), debug_point.c, debug_step.c,
 * debug_gate.c, debug_memory.c. */
#ifndef VIRT_DEBUG_PARTS_H
#define VIRT_DEBUG_PARTS_H

#include "virt/handlers.h"

#define INT3 0xccu

/* --- debug.c ---------------------------------------------------------------------------------- */

/* The guest is to stop before its next instruction; the first reason counts. */
void debug_raise(struct vcpu *vcpu, struct vdebug_stop stop);

/* --- debug_point.c ---------------------------------------------------------------------------- */

/* Brings the CPU's debug registers and the intercepts in line with points and step. */
void debug_load(struct vcpu *vcpu);
/* Whether a point that stops before its instruction lies at RIP. */
bool debug_point_at_rip(struct vcpu *vcpu);
/* Puts the guest's own byte into its place at RIP, and the INT3 back into all places. */
void debug_lift_soft(struct vcpu *vcpu);
void debug_lower_soft(struct vcpu *vcpu);
/* Of bits 3 to 0 of a DR6 that is the CPU's, those that are the debugger's. */
uint64_t debug_own_hits(const struct vcpu *vcpu, uint64_t causes);
/* Stops the guest for those of them that are points. */
void debug_take_hits(struct vcpu *vcpu, uint64_t causes);
struct vdebug_soft *debug_find_soft(struct vcpu *vcpu, gpa_t gpa);
/* After a reset: puts all of them in again. */
void debug_reload_soft(struct vcpu *vcpu);

/* --- debug_step.c ----------------------------------------------------------------------------- */

void debug_step_begin(struct vcpu *vcpu, bool asked);
/* Leaves nothing of a step behind. */
void debug_step_end(struct vcpu *vcpu);

/* --- debug_gate.c ----------------------------------------------------------------------------- */

/* The linear address of the first instruction of a vector's handler in the guest's current mode.
 * False: there is none that could be told. */
bool debug_handler(struct vcpu *vcpu, uint8_t vector, gva_t *linear);

/* --- debug_memory.c --------------------------------------------------------------------------- */

gva_t debug_linear_rip(struct vcpu *vcpu);
/* False: nothing is mapped there. */
bool debug_translate(struct vcpu *vcpu, gva_t linear, gpa_t *gpa);

#endif
