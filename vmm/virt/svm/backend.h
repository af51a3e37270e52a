/* AMD-V as a table of operations, for main.c. */
#ifndef VIRT_SVM_BACKEND_H
#define VIRT_SVM_BACKEND_H

#include "virt/backend.h"

extern const struct backend svm_backend;

#endif
