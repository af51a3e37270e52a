"""What a person reads when something is wrong inside pxHV itself. No input can cause that, so the
emulator's debugger does: it stops the VMM at a function and puts something wrong under it."""

import os
import re
import subprocess

import pytest

import machine
from platforms import VTX, symbol

# What goes wrong, in each debugger's words.
JUMP_TO_16 = {"bochs": "set rip = 16", "gdb": "set $rip = 16"}


def test_panic_says_where_and_how_it_came_there(platform, image, tiny):
    broken = platform.start_and_break(image(KERNEL=tiny("hlt")), [JUMP_TO_16[platform.debugger]])
    result = machine.listen(platform, broken)
    text = result.text
    assert "page fault" in text.lower(), result
    assert re.search(r"RIP\W+0*10\b", text), result
    # The call trace names who called what isn't there, and how all began.
    assert re.search(r"Call trace.*\bvcpu_run\+.*\bvmm_main\+", text, re.S), result
    # The guest's registers come too: it was about to start at its 64-bit entry.
    assert re.search(r"RIP 0000000000100200 .*exits by kind", text, re.S), result
    assert not result.ended


LAYOUT = """\
#include "vm.h"
#include <stdio.h>
int main(void) { printf("%zu", offsetof(struct vm, vcpu) + offsetof(struct vcpu, rflags)); }
"""


def guest_rflags(tmp_path):
    """Where the VMM keeps the guest's RFLAGS."""
    source = tmp_path / "layout.c"
    source.write_text(LAYOUT)
    subprocess.run(["gcc", "-I", os.path.join(machine.ROOT, "vmm"), source, "-o",
                    tmp_path / "layout"], check=True)
    offset = subprocess.run([tmp_path / "layout"], check=True, capture_output=True, text=True)
    return symbol("vm") + int(offset.stdout)


def test_failed_entry_names_the_error_and_shows_the_guest(platform, image, tiny, tmp_path):
    """VT-x: RFLAGS bit 1 is always 1 (SDM "Checks on Guest RIP, RFLAGS, and SSP"). AMD-V: EFER.SVME
    is always set (APM "Canonicalization and Consistency Checks")."""
    mistake, report = {
        "VT-x": (f"setpmem {guest_rflags(tmp_path):#x} 4 0", r"guest RFLAGS +0000000000000000"),
        "AMD-V": ("set ((struct svm_vcpu *)vm.vcpu.backend_state)->vmcb->save.efer = 0",
                  r"EFER\.SVME is clear"),
    }[platform.vendor]
    console = machine.Console(platform,
                              platform.start_and_break(image(KERNEL=tiny("cpuid")), [mistake]))
    try:
        console.expect("Press r to restart it, p to power the machine off")
        assert "invalid guest state" in console.log, console.log
        assert re.search(report, console.log), console.log
        # The machine lives, and the next start is a good one.
        console.line.send("r")
        console.expect("tiny: PASS cpuid")
        assert console.wait_for_end(), console.log
    finally:
        console.close()


def test_the_screen_shows_what_the_serial_line_shows(platform, image, tiny):
    show = {"bochs": "xp /2000hx 0xb8000", "gdb": "x/2000hx 0xb8000"}[platform.debugger]
    with platform.start_and_break(image(KERNEL=tiny("hlt")), [show]) as emulator:
        assert emulator.wait(600), emulator.report()
        dump = platform.debugger_output(emulator)
    cells = re.findall(r"0x([0-9a-f]{4})\b(?!:)", dump[re.search("0x0*b8000", dump).start():])
    screen = "".join(chr(int(cell, 16) & 0xFF) for cell in cells)
    rows = [screen[at:at + 80].rstrip() for at in range(0, 2000, 80)]
    # Its first lines may have left it already.
    for line in ("Stage 2: Hypervisor loader", f"{platform.vendor} supported", "Long mode enabled",
                 platform.enabled, f"vm: entering linux with {platform.vendor}"):
        assert any(row.startswith(line) for row in rows), (line, rows)


# Its BIOS waits three seconds, of as many instructions as it has.
@pytest.mark.full
def test_a_fast_cpu_waits_until_its_line_has_sent_the_end(image, tiny):
    fast = VTX.start(image(KERNEL=tiny("cpuid")), ips=1_000_000_000)
    machine.passes(machine.listen(VTX, fast, timeout=600), "^pxHV: powering off$")
