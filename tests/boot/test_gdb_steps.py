"""Single steps over all that loses, keeps or holds off a trap, by gdb on guest/tiny/gdb_steps.asm; with
interrupts held off, which is how it begins, and taken."""

import os
import re
import struct

import pytest

from gdbline import gdb
from platforms import BUILD

MOST = 1500


def table():
    """The instructions' addresses in their order and where they end; the handler's first byte and the
    one behind its last."""
    with open(os.path.join(BUILD, "tiny", "gdb_steps.bin"), "rb") as file:
        code = file.read()
    place = code.index(b"GDBTABLE") + 8
    rows = []
    while address := struct.unpack_from("<Q", code, place + 8 * len(rows))[0]:
        rows.append(address)
    return rows[:-2], range(rows[-2], rows[-1])


def trace(target, first, last, *before):
    """Where each step from `first` on led to, until it is `last`."""
    steps = (f"python\nfor i in range({MOST}):\n gdb.execute(\"stepi\", to_string=True)\n "
             f"pc = int(gdb.parse_and_eval(\"(long)$pc\"))\n print(\"rip %x\" % pc)\n "
             f"if pc == {last}: break\nend")
    with open(target.gdb_path + ".steps", "w", encoding="ascii") as file:
        file.write(steps)
    said = gdb(target, f"hbreak *{first:#x}", "continue", "delete", *before, f"source {file.name}", "detach",
               timeout=600)
    os.remove(file.name)
    return [first] + [int(word, 16) for word in re.findall(r"^rip ([0-9a-f]+)$", said, re.M)]


@pytest.mark.parametrize("events", ["held-off", "taken"])
def test_every_instruction_is_one_step(platform, events, console, image, tiny):
    own = image(edit=lambda text: text + "\n[pxhv]\ndebug = wait\n", KERNEL=tiny("gdb_steps"), MEMORY="32M")
    guest = console(platform, own, gdb=True)
    guest.expect("waiting for GDB on COM2")
    expected, handler = table()
    choice = ["monitor step-events on"] if events == "taken" else []
    rips = trace(guest.machine, expected[0], expected[-1], *choice)
    in_handler = [rip for rip in rips if rip in handler]
    assert bool(in_handler) == (events == "taken"), [hex(rip) for rip in rips]
    # An iteration of REP is a step.
    main = [rip for rip in rips if rip not in handler]
    main = [rip for rip, before in zip(main, [0] + main) if rip != before]
    # What is behind MOV SS goes along, but with the monitor trap flag, which Bochs' CPUs have since 3.0.
    along = expected[:4] + expected[5:]
    assert main == along or (main == expected and platform.vendor == "VT-x"), [hex(rip) for rip in rips]
    guest.expect("tiny: PASS gdb_steps")
    assert guest.wait_for_end(), guest.log
