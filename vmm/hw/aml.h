/* The one thing that is wanted from the firmware's AML: the sleep types of \_S5. Pure. */
#ifndef HW_AML_H
#define HW_AML_H

#include "lib/types.h"

/* Scans a DSDT or SSDT body for Name (_S5, Package () {a, b, ...}). False when there is none that
 * makes sense. The types are 0 to 7, for PM1a_CNT and PM1b_CNT. */
bool aml_find_s5(const uint8_t *aml, size_t size, uint8_t *type_a, uint8_t *type_b);

#endif
