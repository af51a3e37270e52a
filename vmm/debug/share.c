#include "debug/share.h"

struct escape_result share_put(struct share *share, bool in_packet, uint64_t now, uint8_t byte)
{
    bool silent = now - share->heard >= share->silence;
    bool behind_key = share->escape.pending;

    share->heard = now;
    if (in_packet && !silent && !behind_key)
        return (struct escape_result){.count = 1, .bytes = {byte}};
    struct escape_result result = escape_put(&share->escape, byte);
    if (!behind_key || result.command == ESCAPE_GDB || result.command == ESCAPE_MONITOR)
        return result;
    return (struct escape_result){.count = 2, .bytes = {share->escape.key, byte}};
}
