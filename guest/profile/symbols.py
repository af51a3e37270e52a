"""Names for the guest's RIPs, from a kernel with symbols (VMLINUX=) or a System.map."""

import bisect
import subprocess


def read_lines(path):
    with open(path, "rb") as file:
        is_elf = file.read(4) == b"\x7fELF"
    if is_elf:
        return subprocess.run(["nm", path], check=True, capture_output=True,
                              text=True).stdout.splitlines()
    with open(path, encoding="ascii", errors="replace") as file:
        return file.read().splitlines()


class Symbols:
    """name(address): "function+0x12", or None."""

    def __init__(self, path=None):
        found = []
        for line in read_lines(path) if path else []:
            parts = line.split()
            if len(parts) == 3 and parts[1] in "tTwW":
                found.append((int(parts[0], 16), parts[2]))
        found.sort()
        self.addresses = [address for address, _ in found]
        self.names = [name for _, name in found]

    def name(self, address):
        at = bisect.bisect_right(self.addresses, address) - 1
        if at < 0 or at == len(self.addresses) - 1:
            return None
        offset = address - self.addresses[at]
        return self.names[at] + (f"+{offset:#x}" if offset else "")
