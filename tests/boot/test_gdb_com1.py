"""GDB on the console's own serial line: "gdb = com1", with the escape key between the two."""

import re
import signal
import time

import pexpect
import pytest

import machine
import platforms
from gdbline import Gdb, Lent, Line, gdb
from screen import Screen
from test_gdb import AT

BACK = "the serial line is the console's again"
SILENCE_S = 3  # more than SHARE_SILENCE_S of vmm/debug/share.h


def with_com1(more=""):
    return lambda text: text + f"\n[pxhv]\ngdb = com1\n{more}"


@pytest.fixture
def waiting(console, image, tiny):
    """A function that starts the tiny guest, which then waits for GDB."""
    def start(platform, kernel="gdb"):
        own = image(edit=with_com1("debug = wait\n"), KERNEL=tiny(kernel), MEMORY="32M")
        one = console(platform, own)
        one.expect("waiting for GDB on COM1")
        one.expect("Ctrl-A d takes it back\r\n")
        return one
    return start


def take_back(guest):
    """Behind half a packet the key counts after a silence. Where the emulator was too busy to notice it,
    the key is one more byte of the packet, and a person who sees nothing tries again: not at once, for
    a second key that counts would give the line away again."""
    for _ in range(5):
        time.sleep(SILENCE_S)
        guest.line.send("\x01d")
        try:
            guest.line.expect(BACK, timeout=60)
            return
        except pexpect.TIMEOUT:
            pass
    raise AssertionError(f"{guest.platform}: the line did not come back\n{guest.log[-2000:]}")


def test_from_the_first_instruction_to_a_detach(platform, waiting, tmp_path):
    """What the guest says while GDB waits is on GDB's screen, what it says later on the line."""
    guest = waiting(platform)
    with Lent(guest, tmp_path / "gdb") as lent:
        said = gdb(lent, "info registers rip", f"break *{AT['letter']:#x}", "continue",
                   "set $al = 'Z'", "detach")
    assert re.search(r"rip +0x100200 ", said), said
    assert "tiny: nobody has changed this" in said and "tiny: the letter " in said, said
    assert "Breakpoint 1" in said and "detached]" in said, said
    assert guest.wait_for_end(), guest.log
    assert re.search(BACK + r"\r\nZ\r\ntiny: PASS gdb", lent.said()), lent.said()
    assert "tiny: nobody" not in lent.said()


def test_the_guests_end_gives_the_line_back(platform, waiting, tmp_path):
    guest = waiting(platform)
    with Lent(guest, tmp_path / "gdb") as lent:
        said = gdb(lent, "continue")
    assert "tiny: PASS gdb" in said and "exited normally" in said, said
    assert guest.wait_for_end(), guest.log
    assert re.search(BACK + ".*the guest powered off; its exits:", lent.said(), re.S), lent.said()
    # A guest that ends otherwise is pxHV's then.
    guest = waiting(platform)
    with Lent(guest, tmp_path / "other") as lent:
        said = gdb(lent, f"set {{long}}{AT['crash']:#x} = 1", "continue", "continue")
    assert "triple fault" in said and "terminated with signal SIGSEGV" in said, said
    assert guest.wait_for_end(), guest.log  # pxHV starts it anew
    assert re.search(BACK + ".*triple fault.*tiny: PASS gdb", lent.said(), re.S), lent.said()


def test_a_person_takes_the_line_from_nobody(platform, waiting):
    guest = waiting(platform)
    guest.line.send("+-$\x01x")  # noise, and no command
    take_back(guest)
    guest.expect("tiny: PASS gdb")
    assert guest.wait_for_end(), guest.log


def test_a_person_takes_the_line_from_a_debugger_that_vanished(platform, waiting, tmp_path):
    guest = waiting(platform)
    with Lent(guest, tmp_path / "gdb") as lent, Line(lent) as line:
        line.ask(b"qSupported")
        # In a packet the escape key's byte is GDB's.
        assert line.ask(b"X%x,2:\x01d" % AT["value"]) == b"OK"
        assert line.ask(b"m%x,2" % AT["value"]) == b"0164"
        assert line.ask(b"M%x,1:01" % AT["spin"]) == b"OK"
        assert line.ask(b"Z1,%x,1" % AT["busy"]) == b"OK"
        line.send(b"$c#63")
        line.read_until(rb"\$T05")  # it stands there
        line.send(b"+$m1002")
    take_back(guest)
    guest.enter_monitor()
    guest.monitor("pause")
    said = guest.monitor("registers")
    rip = int(re.search(r"RIP ([0-9a-f]+)", said)[1], 16)
    assert AT["busy"] <= rip < AT["letter"], said
    assert "the guest goes on" in guest.monitor("resume")
    # And once more to a debugger, out of the monitor.
    guest.line.send("\x01d")
    guest.expect("this serial line is GDB's until it detaches[^\n]*\n")
    with Lent(guest, tmp_path / "second") as lent:
        said = gdb(lent, "p $pc >= %d && $pc < %d" % (AT["busy"], AT["letter"]),
                   f"set {{long}}{AT['spin']:#x} = 0", "continue")
    assert "$1 = 1\n" in said and "tiny: PASS gdb" in said, said
    assert guest.wait_for_end(), guest.log


def test_the_keyboard_and_the_screen_stay_the_consoles(console, image, tmp_path):
    """The shell of a Linux whose line GDB has."""
    guest = console(platforms.AMDV, image(edit=with_com1()))
    guest.expect("Ctrl-A d hands COM1 to GDB")
    guest.wait_for_shell()
    screen = Screen(guest.machine)
    guest.line.send("\x01d")
    guest.expect("this serial line is GDB's until it detaches[^\n]*\n")
    screen.type("echo held-$((6*7))\n")  # GDB isn't there yet
    screen.wait_for("^held-42$")
    with Lent(guest, tmp_path / "gdb") as lent:
        with Gdb(lent) as debugger:
            debugger.send("continue")
            debugger.child.expect("held-42")
            screen.type("echo seen-$((6*7))\n")
            debugger.child.expect("seen-42")
            debugger.child.expect(guest.prompt)
            debugger.interrupt()
            assert "SIGINT" in debugger.answer()
            debugger.child.kill(signal.SIGKILL)  # without a word; the guest stands still
    screen.press("ctrl", "a")
    screen.press("c")
    screen.wait_for("pxHV monitor: ")
    screen.type("resume\n")
    screen.wait_for("^GDB holds the guest: ")
    screen.type("resume force\n")
    screen.wait_for("^GDB counts as detached$", "^the guest goes on$")
    guest.expect(BACK)
    guest.leave_monitor()
    assert guest.shell("echo still-$((6*7))").strip() == "still-42"
    assert "seen-42" not in guest.log


def test_an_escape_key_is_needed(image, tiny):
    result = machine.run(image(edit=with_com1("escape = off\n"), KERNEL=tiny("gdb")),
                         platforms.AMDV)
    assert ('"gdb = com1" shares the console\'s line by the escape key, which "escape = off" takes '
            "away: delete one of the two lines") in result.text, result
    assert not result.ended


def test_a_guest_that_has_ended_is_none_for_gdb(platform, console, image, tiny):
    guest = console(platform, image(edit=with_com1(), KERNEL=tiny("halt_forever")))
    guest.expect("Press r to restart it")
    guest.line.send("\x01d")
    guest.expect("there is no guest for GDB: it has ended")
    guest.line.send("p")  # the line is still the console's
    assert guest.wait_for_end(), guest.log
