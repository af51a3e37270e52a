"""What a person reads when something is wrong inside pxHV itself. No input can cause that, so the
emulator's debugger does: it stops the VMM at a function and puts something wrong under it."""

import os
import re
import subprocess

import machine

LAYOUT = """\
#include "vm.h"
#include <stdio.h>
int main(void) { printf("%zu", offsetof(struct vm, vcpu) + offsetof(struct vcpu, rflags)); }
"""


def symbol(name):
    """The address of a symbol of the VMM, static ones included."""
    out = subprocess.run(["nm", os.path.join(machine.BUILD, "pxhv-debug.elf")], check=True,
                         capture_output=True, text=True).stdout
    return int(re.search(rf"^([0-9a-f]+) \w {name}$", out, re.M).group(1), 16)


def guest_rflags(tmp_path):
    """Where the VMM keeps the guest's RFLAGS."""
    source = tmp_path / "layout.c"
    source.write_text(LAYOUT)
    subprocess.run(["gcc", "-I", os.path.join(machine.ROOT, "vmm"), source, "-o",
                    tmp_path / "layout"], check=True)
    offset = subprocess.run([tmp_path / "layout"], check=True, capture_output=True, text=True)
    return symbol("vm") + int(offset.stdout)


def at_first_entry(*commands):
    """Debugger commands that run when the VMM is about to enter the guest for the first time."""
    return "".join(line + "\n" for line in
                   (f"lb {symbol('vmx_run'):#x}", "c", *commands, "d 1", "c"))


def test_panic_says_where_and_how_it_came_there(image, tiny):
    path = image(KERNEL=tiny("hlt"))
    result = machine.run(path, debugger=at_first_entry("set rip = 16"))
    text = result.text
    assert "page fault" in text.lower(), result
    assert re.search(r"RIP\W+0*10\b", text), result
    # The call trace names who called what isn't there, and how all began.
    assert re.search(r"Call trace.*\bvcpu_run\+.*\bvmm_main\+", text, re.S), result
    # The guest's registers come too: it was about to start at its 64-bit entry.
    assert re.search(r"RIP 0000000000100200 .*exits by kind", text, re.S), result
    assert not result.ended


def test_failed_entry_names_the_error_and_shows_the_guest(image, tiny, tmp_path):
    # RFLAGS bit 1 is always 1: SDM "Checks on Guest RIP, RFLAGS, and SSP".
    break_rflags = at_first_entry(f"setpmem {guest_rflags(tmp_path):#x} 4 0")
    console = machine.Console(image(KERNEL=tiny("hlt")), debugger=break_rflags)
    try:
        console.expect("Press r to restart it, p to power the machine off")
        assert "invalid guest state" in console.log, console.log
        assert re.search(r"guest RFLAGS +0000000000000000", console.log), console.log
        # The machine lives, and the next start is a good one.
        console.line.send("r")
        console.expect("tiny: PASS hlt")
        assert console.wait_for_end(), console.log
    finally:
        console.close()


def test_the_screen_shows_what_the_serial_line_shows(image, tiny):
    path = image(KERNEL=tiny("hlt"))
    with machine.Bochs(path, debugger=at_first_entry("xp /2000hx 0xb8000")) as emulator:
        assert emulator.wait(60), emulator.report()
        with open(os.path.join(emulator.folder, "stdout"), encoding="ascii",
                  errors="replace") as file:
            dump = file.read()
    cells = re.findall(r"0x([0-9a-f]{4})\b(?!:)", dump[dump.index("0x00000000000b8000"):])
    screen = "".join(chr(int(cell, 16) & 0xFF) for cell in cells)
    rows = [screen[at:at + 80].rstrip() for at in range(0, 2000, 80)]
    for line in ("pxHV: Pixel Hypervisor v", "Jumping to hypervisor...",
                 "Stage 2: Hypervisor loader", "VT-x supported", "Long mode enabled",
                 "VMXON executed successfully!"):
        assert any(row.startswith(line) for row in rows), (line, rows)
