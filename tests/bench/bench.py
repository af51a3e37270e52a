"""`make bench`: what pxHV costs, in emulated instructions, against the bare machine in the same
run. Usage: bench.py BUILD REPORT

Bochs counts one tick for an instruction and its TSC shows ticks, so no figure depends on how fast
or how busy this machine is. Bare metal means tests/bench/bare.c: it takes the VMM's place on the
stick and jumps into the same kernel at the same instruction.
"""

import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "guest"))

from bochs import Bochs, DEFAULT_MODEL  # noqa: E402

IPS = 50_000_000
ROUNDS = 1000  # as tests/bench/exits.asm
HALTS, HALT_TICKS = 20, 11932 * IPS / 1_193_182
LIMIT_S = 600
DISK_PASSES = 8  # the shell shows hundredths of a second
TIME0 = 1767225600  # 2026-01-01: every run begins at the same date


class Bench:
    def __init__(self, build):
        self.build = build
        self.folder = tempfile.TemporaryDirectory(prefix="pxhv-bench-")

    def path(self, *names):
        return os.path.join(self.build, *names)

    def image(self, name, vmm, kernel, cmdline, **files):
        """An image with `vmm` in the VMM's place; files: initrd=, disk=."""
        out = os.path.join(self.folder.name, name + ".img")
        config = os.path.join(self.folder.name, name + ".cfg")
        with open(config, "w", encoding="ascii") as text:
            text.write("[vm bench]\nkernel = vmlinuz\nmemory = 256M\n")
            if cmdline:
                text.write(f"cmdline = {cmdline}\n")
            for key in files:
                text.write(f"{key} = {key}.img\n")
        subprocess.run(
            [os.path.join(ROOT, "boot", "image.sh"), out, config, self.path("boot.bin"),
             self.path("stage2.bin"), vmm, f"vmlinuz={kernel}"] +
            [f"{key}.img={path}" for key, path in files.items()],
            check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
        return out

    def run(self, image, until):
        """The serial output of a boot up to a line that holds `until`."""
        with Bochs(image, ips=IPS, time0=TIME0) as machine:
            machine.connection.settimeout(LIMIT_S)
            text = ""
            while not re.search(re.escape(until) + r".*\n", text):
                data = machine.connection.recv(65536)
                if not data:
                    raise SystemExit(f"no {until!r} in\n{text}\n{machine.report()}")
                text += data.decode("ascii", "replace").replace("\r", "")
            return text

    def talk(self, image, commands):
        """The answers of the demo guest's shell."""
        with Bochs(image, ips=IPS, time0=TIME0) as machine:
            machine.connection.settimeout(LIMIT_S)
            answers = [self._until_prompt(machine)]
            for command in commands:
                machine.connection.sendall(command.encode() + b"\n")
                answers.append(self._until_prompt(machine))
            return answers

    @staticmethod
    def _until_prompt(machine):
        data = b""
        while not re.search(rb"/ # (\x1b\[6n)?$", data):
            more = machine.connection.recv(65536)
            if not more:
                raise SystemExit(f"the guest ended\n{data.decode('ascii', 'replace')}")
            data += more
        return data.decode("ascii", "replace").replace("\r", "")


def number(pattern, text):
    found = re.search(pattern, text)
    if not found:
        raise SystemExit(f"nothing like {pattern!r} in\n{text[-3000:]}")
    return int(found.group(1), 0)


def figures(text):
    found = {name: int(value, 0)
             for name, value in re.findall(r"bench: (\S+) (0x[0-9A-F]+|\d+)", text)}
    if not found:
        raise SystemExit(f"no figures in\n{text}")
    return found


def boot_figures(bench, quiet):
    """Ticks from the kernel's first instruction to init's, bare and under pxHV, and the exits."""
    cmdline = "console=ttyS0" + (" quiet" if quiet else "")
    kernel, initrd = bench.path("guest", "vmlinuz"), bench.path("bench", "initrd.img")
    name = "quiet" if quiet else "verbose"
    bare = figures(bench.run(
        bench.image(name + "-bare", bench.path("bench", "bare.elf"), kernel, cmdline,
                    initrd=initrd), "bench: init"))
    text = bench.run(
        bench.image(name, bench.path("pxhv.elf"), kernel, cmdline, initrd=initrd),
        "pxHV: powering off")
    times = re.search(r"power-on: stage 2 (\d+), files read (\d+), VMXON (\d+), guest (\d+)", text)
    stage2, loaded, vmxon, guest = (int(t) for t in times.groups())
    exits = re.findall(r"^ +(\d+)  (\S.*)$", text[text.index("its exits:"):], re.M)
    return {
        "bare": bare["init"] - bare["enter"],
        "pxhv": figures(text)["init"] - guest * IPS // 1_000_000,
        "exits": sorted(((int(n), kind) for n, kind in exits), reverse=True),
        "stage2_us": stage2, "loaded_us": loaded, "vmxon_us": vmxon, "guest_us": guest,
        "resident_kib": number(r"(\d+) KiB resident", text),
    }


def exit_figures(bench):
    """Ticks for one exit of each kind: what the instruction costs more than on the bare machine."""
    kernel = bench.path("bench", "exits.bin")
    pxhv = figures(bench.run(bench.image("exits", bench.path("pxhv.elf"), kernel, ""),
                             "bench: hlt"))
    bare = figures(bench.run(bench.image("exits-bare", bench.path("bench", "bare.elf"), kernel, ""),
                             "bench: hlt"))
    result = {name: (bare[name] / ROUNDS, pxhv[name] / ROUNDS) for name in bare
              if name in pxhv and name != "hlt"}
    result["hlt"] = tuple(figure["hlt"] / HALTS - HALT_TICKS for figure in (bare, pxhv))
    return result


def disk_figures(bench):
    """Ticks for a MiB read and written through virtio-blk, past the page cache, by dd."""
    answers = bench.talk(bench.path("pxhv.img"), [
        f"time sh -c 'for i in $(seq {DISK_PASSES}); do {command}; done'"
        for command in ("dd if=/dev/vda of=/dev/null bs=1M iflag=direct",
                        "dd if=/dev/zero of=/dev/vda bs=1M count=16 oflag=direct",
                        "dd if=/dev/zero of=/dev/null bs=1M count=16")])
    result = []
    for answer in answers[1:]:
        real = re.search(r"real\s+(\d+)m ([\d.]+)s", answer)
        if not real:
            raise SystemExit(f"dd says\n{answer}")
        seconds = int(real.group(1)) * 60 + float(real.group(2))
        result.append(seconds * IPS / (16 * DISK_PASSES))
    read, write, zeroing = result
    return read, write - zeroing  # /dev/zero's own work is not the disk's


def sections(bench):
    out = subprocess.run(["size", "-A", bench.path("pxhv.elf")], check=True, capture_output=True,
                         text=True).stdout
    return {name: int(size) for name, size in re.findall(r"^\.(\w+) +(\d+)", out, re.M)}


REPORT = """\
# Benchmarks

Written by `make bench`; do not edit. All figures are ticks of Bochs 2.7 (model
`{model}`, one tick an instruction, {ips} a second of emulated time), the kernel is Debian's
`{kernel}`. Bare metal and pxHV boot the same file, entered at the same instruction in the same
state by the same loader ([tests/bench/bare.c](../tests/bench/bare.c)), in one run.

## Kernel entry to init

| console | bare metal | pxHV | ratio |
|---|---|---|---|
| quiet | {quiet[bare]:,} | {quiet[pxhv]:,} | {quiet_ratio:.3f} |
| verbose | {verbose[bare]:,} | {verbose[pxhv]:,} | {verbose_ratio:.3f} |

The goal is 1.10 with a quiet console.

## Exits of these boots

| kind | quiet | verbose |
|---|---|---|
{exits}

## Ticks for one exit

The whole round trip: the instruction, the exit, pxHV, the entry, and the loop around it, which is
{loop:.1f} ticks with a NOP in it.

| instruction | bare metal | pxHV |
|---|---|---|
| CPUID, leaf 0 | {cpuid[0]:.1f} | {cpuid[1]:.1f} |
| IN from COM1's line status | {serial[0]:.1f} | {serial[1]:.1f} |
| IN from a port without device | {port[0]:.1f} | {port[1]:.1f} |
| RDMSR of IA32_APIC_BASE | {msr[0]:.1f} | {msr[1]:.1f} |
| HLT, later than the timer was due (handler included) | {hlt[0]:.0f} | {hlt[1]:.0f} |

Without the loop a CPUID round trip is {trip:.1f} ticks; the goal is 200.

## virtio-blk

| | ticks for a MiB |
|---|---|
| read, direct, 1 MiB requests | {read:,.0f} |
| write, direct, 1 MiB requests | {write:,.0f} |

## Power-on to the guest

| | milliseconds of emulated time |
|---|---|
| power-on to stage 2 (the BIOS, and the boot sector) | {stage2:.1f} |
| stage 2 to all files in memory (BIOS disk services) | {loading:.1f} |
| files in memory to VMXON | {vmxon:.1f} |
| VMXON to VMLAUNCH | {launch:.1f} |

## Size

| | bytes |
|---|---|
| code (.text) | {size[text]:,} |
| constants (.rodata) | {size[rodata]:,} |
| data (.data) | {size[data]:,} |
| zeroed (.bss, with stacks) | {bss:,} |
| resident beside a 256 MiB guest | {resident:,} |
"""


def measured(name, result):
    """Shows the raw figures as they come: a whole run takes minutes."""
    print(f"bench: {name}: {result}", flush=True)
    return result


def report(bench):
    exits = measured("exits", exit_figures(bench))
    quiet = measured("quiet boot", boot_figures(bench, True))
    verbose = measured("verbose boot", boot_figures(bench, False))
    read, write = measured("disk", disk_figures(bench))
    size = sections(bench)
    loud = {kind: n for n, kind in verbose["exits"]}
    soft = {kind: n for n, kind in quiet["exits"]}
    kinds = sorted(loud.keys() | soft.keys(), key=lambda kind: -loud.get(kind, 0))
    rows = [f"| {kind} | {soft.get(kind, 0):,} | {loud.get(kind, 0):,} |" for kind in kinds]
    rows.append(f"| all | {sum(soft.values()):,} | {sum(loud.values()):,} |")
    with open(bench.path("guest", "vmlinuz"), "rb") as file:
        version = re.search(rb"\d+\.[\w.-]+-cloud-amd64", file.read(65536))
    return REPORT.format(
        ips=f"{IPS:,}", model=DEFAULT_MODEL, kernel=version.group().decode() if version else "linux-image-cloud-amd64",
        quiet=quiet, verbose=verbose, quiet_ratio=quiet["pxhv"] / quiet["bare"],
        verbose_ratio=verbose["pxhv"] / verbose["bare"], exits="\n".join(rows),
        loop=exits["nop"][0], trip=exits["cpuid"][1] - exits["nop"][1],
        cpuid=exits["cpuid"], serial=exits["port-3FD"], port=exits["port-80"],
        msr=exits["msr-1B"], hlt=exits["hlt"], read=read, write=write,
        stage2=quiet["stage2_us"] / 1000,
        loading=(quiet["loaded_us"] - quiet["stage2_us"]) / 1000,
        vmxon=(quiet["vmxon_us"] - quiet["loaded_us"]) / 1000,
        launch=(quiet["guest_us"] - quiet["vmxon_us"]) / 1000,
        size=size, bss=size.get("bss", 0) + size.get("stacks", 0),
        resident=quiet["resident_kib"] * 1024)


def main():
    bench = Bench(sys.argv[1])
    text = report(bench)
    with open(sys.argv[2], "w", encoding="ascii") as file:
        file.write(text)
    print(text)


if __name__ == "__main__":
    main()
