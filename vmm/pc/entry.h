/* The CPU's state at a Linux kernel's first instruction. */
#ifndef PC_ENTRY_H
#define PC_ENTRY_H

#include "pc/bzimage.h"
#include "virt/vcpu.h"

/* Puts a vCPU that was just reset into the state that the boot protocol demands. */
void pc_set_entry(struct vcpu *vcpu, const struct bzimage_entry *entry);

#endif
