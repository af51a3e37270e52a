/* The checksum of POSIX's cksum command, so that a user can check a stick with a tool of every
 * system: a CRC-32, most significant bit first, over the bytes and then over their number. Pure C.
 */
#ifndef LIB_CKSUM_H
#define LIB_CKSUM_H

#include "lib/types.h"

struct cksum {
    uint32_t crc;
    uint64_t size_bytes;
};

/* Whether cksum_add() may use PCLMULQDQ and SSSE3, seven times as fast as without: the caller has
 * seen by cksum_can_fold() that the CPU has them, and SSE is switched on. At first it may not. */
void cksum_set_folding(bool may);
/* By the ECX of CPUID's leaf 1. */
bool cksum_can_fold(uint32_t leaf_1_ecx);

/* Begin with {0}. Any split of the bytes gives the same sum. */
void cksum_add(struct cksum *sum, const void *bytes, size_t size_bytes);
/* What cksum prints. *sum may be added to further. */
uint32_t cksum_value(const struct cksum *sum);

#endif
