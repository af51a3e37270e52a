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

/* Begin with {0}. Any split of the bytes gives the same sum. */
void cksum_add(struct cksum *sum, const void *bytes, size_t size_bytes);
/* What cksum prints. *sum may be added to further. */
uint32_t cksum_value(const struct cksum *sum);

#endif
