"""`make bench`: what pxHV costs, in emulated instructions, against the bare machine in the same
run, on both vendors' CPUs. Usage: bench.py BUILD REPORT

Bare metal means tests/bench/bare.c: it takes the VMM's place on the stick and jumps into the same
kernel at the same instruction.
"""

import os
import re
import struct
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "guest"))

import micro  # noqa: E402
from platforms import GHZ, GUEST_MEGS, HOST_MEGS, PLATFORMS  # noqa: E402
from report import FAST, HVC, write_report  # noqa: E402

DISK_MIB = 16  # as tests/bench/disk.asm
# The last: what both cost without a local APIC.
CONSOLE = {"quiet": "console=ttyS0 quiet", "verbose": "console=ttyS0",
           "quiet, nolapic": "console=ttyS0 quiet nolapic"}
BARE, PXHV, PLAIN = "bench/bare.elf", "pxhv.elf", "bench/plain/pxhv.elf"
SCREEN = "bench/screen.bin"
TRACE = "[pxhv]\ntrace = on\n"


class Images:
    """Sticks for the measurements, each built once for both platforms."""

    def __init__(self, build):
        self.build = build
        self.folder = tempfile.TemporaryDirectory(prefix="pxhv-bench-")

    def path(self, *names):
        return os.path.join(self.build, *names)

    def stick(self, vmm, kernel, cmdline="", settings="", **files):
        """An image with `vmm` in the VMM's place; files: initrd=, disk=."""
        name = re.sub(r"\W", "-", " ".join([vmm, kernel, cmdline, settings, *files.values()]))
        out = os.path.join(self.folder.name, name + ".img")
        if os.path.exists(out):
            return out
        config = os.path.join(self.folder.name, name + ".cfg")
        with open(config, "w", encoding="ascii") as text:
            text.write(f"{settings}[vm bench]\nkernel = vmlinuz\nmemory = {GUEST_MEGS}M\n")
            if cmdline:
                text.write(f"cmdline = {cmdline}\n")
            for key in files:
                text.write(f"{key} = {key}.img\n")
        subprocess.run(
            [os.path.join(ROOT, "boot", "image.sh"), out, config, self.path("boot.bin"),
             self.path("stage2.bin"), self.path(vmm), f"vmlinuz={self.path(kernel)}"] +
            [f"{key}.img={self.path(path)}" for key, path in files.items()],
            check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
        return out


def at_1_ghz(platform):
    return platform if platform.hz == GHZ else type(platform)(GHZ)


def listen(platform, machine, until):
    """The serial output of a machine up to a line that holds `until`."""
    text = ""
    with machine:
        while not re.search(re.escape(until) + r".*\n", text):
            data = platform.read(machine)
            if not data:
                raise SystemExit(f"{platform.name}: no {until!r} in\n{text}\n{machine.report()}")
            text += data.decode("ascii", "replace").replace("\r", "")
    return text


def on_bare_metal(platform, image, until):
    return listen(platform, platform.boot(image, GUEST_MEGS), until)


def under_pxhv(platform, image, until="pxHV: powering off"):
    return listen(platform, platform.boot(image, HOST_MEGS), until)


def figures(text):
    found = {name: int(value, 0)
             for name, value in re.findall(r"bench: (\S+) (0x[0-9A-F]+|\d+)", text)}
    if not found:
        raise SystemExit(f"no figures in\n{text}")
    return found


def part(pattern, text):
    found = re.search(pattern, text, re.S)
    if not found:
        raise SystemExit(f"nothing like {pattern!r} in\n{text[-3000:]}")
    return found.groups()


def counts(text):
    """Lines of a number and a name, as pxHV's reports have them; times may follow."""
    return {name: int(number)
            for number, name in re.findall(r"^ +(\d+)  (\S.*?)(?:  .*)?$", text, re.M)}


def boot_files(console):
    return {"kernel": "guest/vmlinuz", "cmdline": CONSOLE[console], "initrd": "bench/initrd.img"}


def boot_figures(images, platform, console):
    """Ticks from power-on and from the kernel's first instruction to init's, bare and under pxHV,
    and the exits."""
    files = boot_files(console)
    bare = figures(on_bare_metal(platform, images.stick(BARE, **files), "bench: init"))
    text = under_pxhv(platform, images.stick(PXHV, **files))
    stages = [int(us) for us in part(r"power-on: stage 2 (\d+), files read (\d+), "
                                     r"virtualization on (\d+), guest (\d+)", text)]
    kinds, details, ports = part(r"exits by kind:[^\n]*\n(.*)most of it went to:\n(.*)exits by RIP"
                                 r".*accesses by port[^\n]*\n(.*)", text)
    vmm_ms = float(part(r"ms the guest ran for [\d.]+, pxHV for ([\d.]+)", text)[0])
    init = figures(text)["init"]
    return {
        "bare": bare["init"], "bare_kernel": bare["init"] - bare["enter"],
        "pxhv": init, "pxhv_kernel": init - stages[-1] * platform.hz // 1_000_000,
        "exits": counts(kinds), "details": counts(details), "ports": counts(ports), "stages": stages,
        "vmm": vmm_ms * platform.hz / 1000,
        "loading": [float(n) for n in part(r"files +([\d.]+) MiB +([\d.]+) MiB/s", text)],
        "resident_kib": int(part(r"(\d+) KiB resident", text)[0]),
    }


def hvc_figures(images, platform):
    """The exits of the demo guest, verbose on its own console, until it is off again."""
    stick = images.stick(PXHV, "guest/vmlinuz", "console=hvc0",
                         initrd="bench/off-initrd.img", disk="guest/disk.img")
    text = under_pxhv(at_1_ghz(platform), stick)
    if "pxHV demo guest" not in text:
        raise SystemExit(f"the demo guest didn't come up:\n{text[-3000:]}")
    return {"exits": counts(part(r"exits by kind:[^\n]*\n(.*)most of it went to", text)[0])}


def bios_figures(images, platform):
    """When the BIOS starts the boot sector, in milliseconds, and how many MiB/s it reads of the
    kernel's sectors when tests/bench/read.asm asks it, with nothing else done."""
    with open(images.path("guest", "vmlinuz"), "rb") as file:
        kernel = file.read()
    stick = images.stick(PXHV, **boot_files("quiet"))
    with open(stick, "rb") as file:
        data = bytearray(file.read())
    with open(images.path("bench", "read.bin"), "rb") as file:
        data[:440] = file.read()
    sectors = len(kernel) // 512
    struct.pack_into("<II", data, 8, data.index(kernel) // 512, sectors)
    out = stick.replace(".img", "-read.img")
    with open(out, "wb") as file:
        file.write(data)
    found = figures(listen(platform, platform.boot(out, HOST_MEGS), "bench: end"))
    return {"start": found["start"] / platform.hz * 1000,
            "mib_s": sectors / 2048 / (found["read"] / platform.hz)}


def micro_rows(text):
    if "PASS micro" not in text:
        raise SystemExit(f"the microbenchmark failed:\n{text[-3000:]}")
    return micro.rows(text)


def exit_figures(images, platform):
    """{operation of guest/micro/: its mean ticks on the bare machine and under pxHV}, None where it
    isn't offered; and a screen of text."""
    bare = micro_rows(on_bare_metal(platform, images.stick(BARE, micro.KERNEL), "PASS micro"))
    pxhv = micro_rows(under_pxhv(platform, images.stick(PXHV, micro.KERNEL), "PASS micro"))
    result = {name: tuple(side[name][1] if side.get(name) else None for side in (bare, pxhv))
              for name in pxhv}
    screens = (on_bare_metal(platform, images.stick(BARE, SCREEN), "bench: screen"),
               under_pxhv(platform, images.stick(PXHV, SCREEN), "bench: screen"))
    result["screen"] = tuple(figures(text)["screen"] for text in screens)
    return result


def account_figures(images, platform):
    """Ticks for each operation of guest/micro/ without accounting, with it, and with tracing on."""
    sticks = (images.stick(PLAIN, micro.KERNEL), images.stick(PXHV, micro.KERNEL),
              images.stick(PXHV, micro.KERNEL, settings=TRACE))
    found = [micro_rows(under_pxhv(platform, stick, "PASS micro")) for stick in sticks]
    return {name: tuple(side[name][1] for side in found) for name in found[0] if found[0][name]}


def disk_figures(images, platform):
    """Ticks for a MiB through virtio-blk, past the page cache."""
    stick = images.stick(PXHV, "guest/vmlinuz", CONSOLE["quiet"], initrd="bench/disk-initrd.img", disk="guest/disk.img")
    found = figures(under_pxhv(platform, stick))
    return {way: found[way] / DISK_MIB for way in ("read", "write")}


def qemu_kernel_figure(images, platform):
    """Power-on to init by QEMU's own loader: the bare figure that other projects give."""
    machine = platform.boot_kernel(images.path("guest", "vmlinuz"),
                                   images.path("bench", "initrd.img"), CONSOLE["quiet"],
                                   GUEST_MEGS)
    return figures(listen(platform, machine, "bench: init"))["init"]


def sections(images):
    out = subprocess.run(["size", "-A", images.path(PXHV)], check=True, capture_output=True,
                         text=True).stdout
    return {name: int(size) for name, size in re.findall(r"^\.(\w+) +(\d+)", out, re.M)}


def kernel_version(images):
    with open(images.path("guest", "vmlinuz"), "rb") as file:
        found = re.search(rb"\d+\.[\w.+-]+-cloud-amd64", file.read(65536))
    return found.group().decode() if found else "linux-image-cloud-amd64"


def measure(images, platform):
    """All figures of a platform; they are shown as they come, for a whole run takes minutes."""
    steps = {"bios": bios_figures, "exits": exit_figures, "account": account_figures,
             "disk": disk_figures, HVC: hvc_figures}
    steps.update({console: lambda i, p, c=console: boot_figures(i, p, c) for console in CONSOLE})
    if platform.hz != GHZ:
        steps[FAST] = lambda i, p: boot_figures(i, at_1_ghz(p), "quiet")
    if hasattr(platform, "boot_kernel"):
        steps["qemu_kernel"] = qemu_kernel_figure
    result = {}
    for name, step in steps.items():
        result[name] = step(images, platform)
        print(f"bench: {platform.name}: {name}: {result[name]}", flush=True)
    return result


def main():
    images = Images(sys.argv[1])
    results = {platform: measure(images, platform) for platform in PLATFORMS}
    text = write_report(results, sections(images), kernel_version(images))
    with open(sys.argv[2], "w", encoding="ascii") as file:
        file.write(text)
    print(text)


if __name__ == "__main__":
    main()
