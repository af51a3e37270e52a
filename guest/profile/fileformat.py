"""Reads the profile that pxHV makes: docs/PROFILE.md."""

import struct

MAGIC = b"PXHVPROF"
VERSION = 1
HEADER = struct.Struct("<8sIIQII")
SECTION = struct.Struct("<4sIQ")

INFO = struct.Struct("<16QII16s16s32s")
INFO_FIELDS = (
    "tsc_hz", "stage2_tsc", "loaded_tsc", "enabled_tsc", "launch_tsc", "first_tsc", "now_tsc",
    "exits", "wall_ticks", "guest_ticks", "vmm_ticks", "asleep_ticks", "stopped_ticks",
    "start_ticks", "rip_samples", "memory_bytes", "exits_per_sample", "tracing", "backend",
    "version", "guest")

# What a record begins with; a newer pxHV may have more behind it.
RECORDS = {
    "KIND": (struct.Struct("<IIQQQQ40s"), ("kind", None, "count", "ticks", "max", "others", "name")),
    "DETL": (struct.Struct("<IIQQQQ24s"), ("kind", None, "value", "count", "ticks", "max", "device")),
    "RIPS": (struct.Struct("<QQQ"), ("rip", "samples", "error")),
    "EXIT": (struct.Struct("<QQQQII"), ("entered", "exited", "rip", "detail", "kind", "reason")),
}
ROW = struct.Struct("<QQQQ")
ROW_FIELDS = ("tsc", "guest_ticks", "asleep_ticks", "stopped_ticks")


class BadProfile(ValueError):
    """Not a profile, or not a whole one."""


def text(value):
    return value.split(b"\0")[0].decode("ascii", "replace") if isinstance(value, bytes) else value


def record(layout, names, data):
    return {name: text(value) for name, value in zip(names, layout.unpack_from(data)) if name}


def total_bytes(head):
    """The length of the file whose first bytes these are."""
    if len(head) < HEADER.size or not head.startswith(MAGIC):
        raise BadProfile("this isn't a profile of pxHV")
    _, version, _, total, _, _ = HEADER.unpack_from(head)
    if version != VERSION:
        raise BadProfile(f"a profile of version {version}: this script knows {VERSION}")
    return total


def sections(data):
    """The records of each section, as bytes."""
    _, _, at, _, count, _ = HEADER.unpack_from(data)
    found = {}
    for _ in range(count):
        if at + SECTION.size > len(data):
            raise BadProfile("the profile ends in the middle")
        tag, size, records = SECTION.unpack_from(data, at)
        at += SECTION.size
        if at + size * records > len(data):
            raise BadProfile("the profile ends in the middle")
        found[tag.decode("ascii", "replace")] = [data[at + i * size:at + (i + 1) * size]
                                                 for i in range(records)]
        at += size * records
    return found


class Profile:
    """info: a dictionary; kinds, details, rips, rows, exits: lists of them."""

    def __init__(self, data):
        if len(data) < total_bytes(data):
            raise BadProfile("the profile ends in the middle")
        found = sections(data)
        self.info = record(INFO, INFO_FIELDS, found["INFO"][0])
        self.kinds, self.details, self.rips, self.exits = (
            [record(*RECORDS[tag], part) for part in found.get(tag, [])]
            for tag in ("KIND", "DETL", "RIPS", "EXIT"))
        self.rows = []
        for part in found.get("TIME", []):
            row = record(ROW, ROW_FIELDS, part)
            row["count"] = struct.unpack_from(f"<{len(self.kinds)}I", part, ROW.size)
            self.rows.append(row)

    def ms(self, ticks):
        return ticks * 1000 / self.info["tsc_hz"]

    def us(self, ticks):
        return ticks * 1_000_000 / self.info["tsc_hz"]

    def checks(self):
        """Claims that hold in every profile: what, one side, the other."""
        info = self.info
        parts = ("guest_ticks", "vmm_ticks", "asleep_ticks", "stopped_ticks")
        result = [
            ("guest + pxHV + asleep + stopped = the time that passed, in ticks",
             sum(info[part] for part in parts), info["wall_ticks"]),
            ("exits of all kinds = all exits", sum(kind["count"] for kind in self.kinds),
             info["exits"]),
            ("time of all kinds and before the first entry = pxHV's time, in ticks",
             sum(kind["ticks"] for kind in self.kinds) + info["start_ticks"], info["vmm_ticks"]),
        ]
        for kind in self.kinds:
            details = [detail for detail in self.details if detail["kind"] == kind["kind"]]
            if details:
                result.append((f"{kind['name']}: exits of each and of others = all",
                               sum(detail["count"] for detail in details) + kind["others"],
                               kind["count"]))
        return result
