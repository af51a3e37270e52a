"""`make micro`: the microbenchmark guest (guest/micro/) under pxHV, in Bochs (VT-x) and in QEMU (AMD-V),
beside what KVM pays there. Usage: micro.py BUILD [vtx|amdv]
"""

import os
import re
import sys

KERNEL = "bench/micro.bin"
PLATFORM_NAMES = {"vtx": "VT-x", "amdv": "AMD-V"}

# Ticks that the same operation takes under Linux's KVM on the same emulators, measured before this
# guest was there; 0: KVM makes no exit.
KVM = {
    "VT-x": {
        "CPUID, leaf 0": 1116,
        "IN from the 8259A's mask": 1321,
        "OUT to the 8259A's mask": 1328,
        "WRMSR of IA32_TSC_ADJUST": 1587,
        "WRMSR of KERNEL_GS_BASE": 0,
        "MOV to CR0, twice: WP": 4136,
        "MOV to CR4, twice: PGE": 0,
        "MOV to CR8": 0,
        "MOV to DR7": 0,
        "EOI": 1673,
        "self-IPI, STI": 5781,
        "self-IPI, STI and HLT": 6980,
        "TSC deadline, passed when armed, taken": 5300,
    },
    "AMD-V": {
        "CPUID, leaf 0": 2907,
        "IN from the 8259A's mask": 1428,
        "WRMSR of KERNEL_GS_BASE": 0,
        "MOV to CR8": 0,
        "MOV to DR7": 0,
        "EOI": 3336,
        "self-IPI, STI": 9057,
        "TSC deadline, passed when armed, taken": 8012,
    },
}
GOAL = 5  # at most a fifth of that


def rows(text):
    """{row: (least, mean)}, in the guest's order; None where it isn't offered."""
    found = {}
    for name, least, mean in re.findall(r"^micro: (.*?) +(?:(\d+) +([\d.]+)|not offered)$", text, re.M):
        found[name] = (int(least), float(mean)) if least else None
    return found


def goal(vendor, name):
    """At most so many ticks; None where KVM's figure isn't known."""
    if name not in KVM[vendor]:
        return None
    return KVM[vendor][name] // GOAL or 2  # no exit: the instruction itself, or two of them


def table(vendor, text):
    """The guest's rows as lines, with KVM's figures and the goals."""
    lines = [f"{vendor:50}{'least':>9}{'mean':>9}{'KVM':>9}{'a fifth':>9}"]
    for name, ticks in rows(text).items():
        line = f"{name:50}" + (f"{ticks[0]:9,}{ticks[1]:9,.1f}" if ticks else f"{'not offered':>18}")
        most = goal(vendor, name)
        if most is not None:
            kvm = KVM[vendor][name]
            line += f"{kvm:9,}{most:9,}" if kvm else f"{'no exit':>9}{'no exit':>9}"
            if ticks and ticks[1] > most:
                line += "  missed"
        lines.append(line)
    return "\n".join(lines)


def main(build, only=None):
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "guest"))
    import bench
    images = bench.Images(build)
    stick = images.stick(bench.PXHV, KERNEL)
    for platform in bench.PLATFORMS:
        if only and PLATFORM_NAMES[only] != platform.name:
            continue
        text = bench.under_pxhv(platform, stick)
        if "PASS" not in text:
            raise SystemExit(f"the guest failed:\n{text}")
        print(table(platform.name, text) + "\n", flush=True)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3) or sys.argv[2:] not in ([], ["vtx"], ["amdv"]):
        sys.exit(__doc__)
    main(*sys.argv[1:])
