/* The one symbol of virt/vmx that main.c names. */
#ifndef VIRT_VMX_BACKEND_H
#define VIRT_VMX_BACKEND_H

#include "virt/backend.h"

extern const struct backend vmx_backend;

#endif
