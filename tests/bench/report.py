"""docs/BENCHMARKS.md, from the figures of tests/bench/bench.py."""

import micro
from platforms import GUEST_MEGS

PORT_ROWS = 12
FAST, HVC = "quiet, 1 GHz", "hvc0"
CONSOLES = ("quiet", FAST, "verbose", "quiet, nolapic")
STAGES = ("power-on to stage 2 (the BIOS, and the boot sector)",
          "stage 2 to all files in memory (BIOS disk services)",
          "files in memory to virtualization on",
          "virtualization on to the guest's first instruction")
# Operations of guest/micro/ whose cost with and without accounting is shown.
ACCOUNTED = ("CPUID, leaf 0", "IN from COM1's line status", "IN from the 8259A's mask",
             "IN from the 8254's counter 2", "IN from a port without a device",
             "RDMSR of IA32_APIC_BASE")

REPORT = """\
# Benchmarks

Written by `make bench`; do not edit. One run measures all of it, on two emulated machines whose
time is instructions:

{machines}

The kernel is Debian's `{kernel}`. Bare metal and pxHV boot from the same stick by the same stage 2;
on the bare one, [tests/bench/bare.c](../tests/bench/bare.c) takes the VMM's place and enters the
same kernel at the same instruction in the same state. The guest and the bare machine have
{megs} MiB each. "Init" is the first instruction of the first program; a tick while the CPU is
halted counts like any other.

## Power-on to init

{power_on}

The goal is 1.05 with a quiet console.{qemu_kernel} A ratio below 1 comes from what the
guest is spared: on the bare machine Linux measures the local APIC's timer for 100 ms, and on VT-x it
waits for a UART that sends at 115200 baud; pxHV tells the frequencies, and its serial line hands bytes
on as they come. With `nolapic` both do without a local APIC.

## Kernel entry to init

{kernel_entry}

## Exits of these boots

From the kernel's first instruction to init, which switches the guest off by its ACPI port; the goal is
3,000 with a quiet console. The tick comes 250 times a second of the guest's, and {slow} ticks a second
are a slow CPU: its boot lasts so much longer that the tick is most of what it makes. "{fast}" is the same
machine with 1,000,000,000 ticks a second.

{exits}

The dearest of them for pxHV, and where they come from:

{details}

What is left is the guest's own: CPUID and RDMSR (a stock kernel asks for each feature and register
anew), the tick (on AMD-V the interrupt of the host's timer is its deadline, for there is no preemption
timer), the probing of the UARTs, the i8042, the 8259A and the PM timer, and CR4, whose writes AMD-V has to
see. Linux uses PCI's ports for all registers below 100h, ECAM or not.

The demo guest, verbose on virtio-console (`console=hvc0`), from the kernel's first instruction to the place
of its shell and off again, with 1,000,000,000 ticks a second on both. The goal is 8,000. As it comes it has
`earlyprintk=ttyS0` as well: each of those bytes is two exits, as on `ttyS0`
([CONSOLE.md](CONSOLE.md#ttys0-or-hvc0)).

{hvc}

## Accesses by port

The busiest; the guest's writes and reads together, exits or not. A byte on the console is two: 3F8h and
3FDh.

{ports}

## Ticks for one operation

[The microbenchmark guest](../guest/micro/micro.asm), which any hypervisor can run (`make micro`): the mean
of 1,000 rounds, beyond what an empty round takes. KVM's figures were measured on the same
emulators before this guest was there, with one like it; the goal is a fifth of them, and no exit where
KVM makes none.

{operations}

Ticks for a screen of text, 2,000 times OUT to COM1, shown and sent:

{screen}

## What accounting and tracing cost

Every exit is counted and timed ([PROFILE.md](PROFILE.md)). The same build without that, with it, and
with the trace of the last 4,092 exits on; ticks for a whole round trip, as above.

{account}

Over the exits of the quiet boot, each at what the instruction above that is most like it pays:

{account_mean}

The goals are 5 % and, with tracing, 15 %.

## virtio-blk

Ticks for a MiB, past the page cache, in requests of a MiB; the disk is in pxHV's memory.

{disk}

## Power-on to the guest

Milliseconds of emulated time, the quiet boot's.

{stages}

## Reading the files

The BIOS's own rate is that of the kernel's sectors, asked for in the loader's packets by
[a boot sector](../tests/bench/read.asm) that does nothing else. The loader's, by its own count, is that
of all files, with its copies out of the buffer below 1 MiB, checksums and the bar.

{reading}

## Size

| | bytes |
|---|---|
| code (.text), both vendors | {size[text]:,} |
| constants (.rodata) | {size[rodata]:,} |
| data (.data) | {size[data]:,} |
| zeroed (.bss, with stacks) | {bss:,} |
{resident}
"""


def table(head, rows):
    lines = [head, ["---"] * len(head)] + rows
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def ratios(results, bare, pxhv):
    rows = [[platform.name, console, f"{boot[bare]:,}", f"{boot[pxhv]:,}",
             f"{boot[pxhv] / boot[bare]:.3f}"]
            for platform, result in results.items()
            for console in CONSOLES if console in result for boot in [result[console]]]
    return table(["", "kernel's options", "bare metal", "pxHV", "ratio"], rows)


def boots_of(results, what, consoles=("quiet", FAST, "verbose")):
    return {f"{platform.name}, {console}": result[console][what]
            for platform, result in results.items() for console in consoles if console in result}


def counts(boots, head, most=None):
    """A column for each boot; the rows by their sum, the busiest first."""
    names = sorted({name for boot in boots.values() for name in boot},
                   key=lambda name: -sum(boot.get(name, 0) for boot in boots.values()))
    rows = [[name] + [f"{boot[name]:,}" if name in boot else "" for boot in boots.values()]
            for name in names[:most]]
    if most is None:
        rows.append(["all"] + [f"{sum(boot.values()):,}" for boot in boots.values()])
    return table([head] + list(boots), rows)


# Where the exits of a boot come from, by the names of pxHV's report.
CAUSES = {
    "write of MSR 6e0": "the deadline of the tick",
    "write of MSR 80b": "the end of the tick's interrupt",
    "page fec00000": "I/O APIC: Linux saves, clears and sets 24 inputs, each by an index and its data",
    "page fed00000": "HPET: Linux polls it for 2 ms, to learn what an access takes",
    "port cf8": "PCI: the search for functions, and the walks through their capabilities",
    "port cfc": "PCI's data, where it doesn't follow its address at once",
    "port cfe": "PCI's data, where it doesn't follow its address at once",
    "port 70": "RTC: the date and the alarm",
    "port 71": "RTC: the date and the alarm",
    "port 3f8": "COM1: the search for UARTs, and the console",
    "port 3fd": "COM1: the console",
    "port 64": "i8042: the search for keyboard and mouse",
}


def details(results):
    boots = boots_of(results, "details")
    names = sorted({name for boot in boots.values() for name in boot},
                   key=lambda name: -sum(boot.get(name, 0) for boot in boots.values()))
    return table(["", *boots, ""], [[name] + [f"{boot[name]:,}" if name in boot else ""
                                              for boot in boots.values()] + [CAUSES.get(name, "")]
                                    for name in names])


def cell(ticks):
    return "" if ticks is None else f"{ticks:,.1f}"


def operations(results):
    """The bare machine, pxHV, KVM, a fifth of that; for each platform."""
    head = [""] + [f"{platform.name}, {what}" for platform in results
                   for what in ("bare", "pxHV", "KVM", "goal")]
    rows = []
    for name in next(iter(results.values()))["exits"]:
        if name == "screen":
            continue
        row = [name]
        for platform, result in results.items():
            bare, pxhv = result["exits"].get(name, (None, None))
            kvm, goal = micro.KVM[platform.name].get(name), micro.goal(platform.name, name)
            row += [cell(bare), cell(pxhv)]
            row += ["", ""] if kvm is None else [f"{kvm:,}", f"{goal:,}"] if kvm else ["no exit"] * 2
        rows.append(row)
    return table(head, rows)


def screen(results):
    names = [f"{platform.name}, {where}" for platform in results for where in ("bare", "pxHV")]
    return table(names, [[f"{ticks:,}" for result in results.values()
                          for ticks in result["exits"]["screen"]]])


def stages(results):
    """The times of the stages' ends, as differences."""
    columns = []
    for result in results.values():
        ends = result["quiet"]["stages"]
        columns.append([end - begin for begin, end in zip([0] + ends, ends)])
    rows = [[text] + [f"{us / 1000:,.1f}" for us in times]
            for text, *times in zip(STAGES, *columns)]
    return table([""] + [platform.name for platform in results], rows)


def reading(results):
    """The loader against what the BIOS can do, and what is left of the time beside that."""
    columns = []
    for result in results.values():
        bios, (mib, mib_s) = result["bios"], result["quiet"]["loading"]
        whole = result["quiet"]["stages"][2] / 1000 - bios["start"]
        alone = mib / bios["mib_s"] * 1000
        columns.append([f"{bios['mib_s']:,.1f}", f"{mib_s:,.1f}", f"{mib_s / bios['mib_s']:.2f}",
                        f"{whole:,.1f}", f"{alone:,.1f}", f"{whole - alone:,.1f}"])
    names = ["the BIOS alone, MiB/s", "the loader, MiB/s", "the loader against the BIOS",
             "boot sector to virtualization on, ms", "the BIOS alone for these files, ms",
             "beside the reading, ms (the goal in QEMU is 50)"]
    return table([""] + [platform.name for platform in results],
                 [[name, *cells] for name, *cells in zip(names, *columns)])


def account(results):
    names = [f"{platform.name}, {how}" for platform in results
             for how in ("without", "with", "tracing")]
    rows = [[name] + [f"{ticks:,.1f}" for result in results.values()
                      for ticks in result["account"][name]] for name in ACCOUNTED]
    return table(["instruction"] + names, rows)


# Which operation an exit of a boot is like.
LIKE_PORT = {"021 pic8259": "IN from the 8259A's mask", "020 pic8259": "IN from the 8259A's mask",
             "042 pit8254": "IN from the 8254's counter 2",
             "040 pit8254": "IN from the 8254's counter 2"}
LIKE_KIND = {"RDMSR": "RDMSR of IA32_APIC_BASE", "WRMSR": "EOI",
             "nested page fault": "MMIO: read of the I/O APIC's window",
             "MOV to CR": "RDMSR of IA32_APIC_BASE"}


def mean_costs(result):
    """Ticks of pxHV's for one exit of the quiet boot, and how many of them accounting and then tracing
    add."""
    boot, figures = result["quiet"], result["account"]
    exits = sum(boot["exits"].values())
    like = {}
    for name, count in boot["ports"].items():
        key = LIKE_PORT.get(name, "IN from a port without a device" if name.startswith("without")
                            else "IN from COM1's line status")
        like[key] = like.get(key, 0) + count
    for name, count in boot["exits"].items():
        if name != "port I/O":
            key = LIKE_KIND.get(name, "CPUID, leaf 0")
            like[key] = like.get(key, 0) + count
    weight = sum(like.values())
    added, traced = (sum(count * (figures[key][later] - figures[key][earlier])
                         for key, count in like.items()) / weight for earlier, later in ((0, 1), (1, 2)))
    return boot["vmm"] / exits, added, traced


def account_mean(results):
    costs = [mean_costs(result) for result in results.values()]
    rows = [["pxHV's ticks for one exit, with accounting"] + [f"{mean:,.1f}" for mean, _, _ in costs],
            ["of which accounting"] + [f"{added:,.1f} ({added / (mean - added):.1%})"
                                       for mean, added, _ in costs],
            ["tracing on top"] + [f"{traced:,.1f} ({traced / mean:.1%})" for mean, _, traced in costs]]
    return table([""] + [platform.name for platform in results], rows)


def qemu_kernel(results):
    for platform, result in results.items():
        if "qemu_kernel" in result:
            bare, pxhv = result["qemu_kernel"], result["quiet"]["pxhv"]
            return (f" QEMU's own loader (`-kernel`, no disk to\nread) brings the bare {platform.name} "
                    f"machine to a quiet init in {bare:,} ticks: the ratio to that is\n"
                    f"{pxhv / bare:.3f}.")
    return ""


def write_report(results, size, kernel):
    machines = "\n".join(f"- **{platform.name}**: {platform.machine}, {platform.hz:,} ticks a second."
                         for platform in results)
    disk = table([""] + [platform.name for platform in results],
                 [[way] + [f"{result['disk'][way]:,.0f}" for result in results.values()]
                  for way in ("read", "write")])
    resident = "\n".join(
        f"| resident beside a {GUEST_MEGS} MiB guest, {platform.name} | "
        f"{result['quiet']['resident_kib'] * 1024:,} |" for platform, result in results.items())
    return REPORT.format(
        machines=machines, kernel=kernel, megs=GUEST_MEGS,
        power_on=ratios(results, "bare", "pxhv"),
        kernel_entry=ratios(results, "bare_kernel", "pxhv_kernel"),
        hvc=counts(boots_of(results, "exits", [HVC]), "kind"), qemu_kernel=qemu_kernel(results), exits=counts(boots_of(results, "exits"), "kind"),
        details=details(results), slow=f"{min(platform.hz for platform in results):,}", fast=FAST,
        ports=counts(boots_of(results, "ports"), "port", PORT_ROWS), operations=operations(results),
        screen=screen(results),
        account=account(results), account_mean=account_mean(results), disk=disk,
        stages=stages(results), size=size, reading=reading(results),
        bss=size.get("bss", 0) + size.get("stacks", 0), resident=resident)
