"""The monitor's commands that end or restart a guest, and the escape key's other forms; with guests of
a few instructions. test_console.py has what one asks about a running Linux."""

import re

import platforms
from screen import Screen

WAITING = "tiny: press a"


def with_key(key):
    return lambda text: text + f"[pxhv]\nescape = {key}\n"


def test_reset_and_power_off(platform, image, tiny, console):
    guest = console(platform, image(KERNEL=tiny("keyboard")))
    guest.expect(WAITING)
    guest.enter_monitor()
    guest.line.send("reset\r")
    guest.expect("the monitor resets the guest")
    guest.expect("entering linux")
    guest.expect(guest.MONITOR)
    # The console is still the monitor's: the guest's words wait.
    while re.search(r"to be shown: 0$", guest.monitor("info devices"), re.M):
        pass
    guest.leave_monitor()
    guest.expect(WAITING)
    guest.enter_monitor()
    guest.monitor("pause")
    guest.line.send("reset\r")  # also of a guest that stands still
    guest.expect("entering linux")
    guest.expect(guest.MONITOR)
    guest.line.send("power off\r")
    assert guest.wait_for_end(), guest.log
    assert "switched off at the console; the guest's exits:" in guest.log


def test_ctrl_a_x_switches_off(platform, image, tiny, console):
    guest = console(platform, image(KERNEL=tiny("keyboard")))
    guest.expect(WAITING)
    guest.line.send("\x01x")
    assert guest.wait_for_end(), guest.log
    assert "pxHV: powering off" in guest.log


def test_a_dead_guest_can_be_looked_at(platform, image, tiny, console):
    guest = console(platform, image(KERNEL=tiny("halt_forever")))
    guest.expect("Press r to restart it")
    guest.expect("Ctrl-A c opens the monitor")
    guest.enter_monitor()
    assert "ended: halted forever: " in guest.monitor("info cpu")
    assert re.search(r"RIP 0*[1-9a-f]", guest.monitor("registers"))
    assert re.search(r"^[0-9a-f]+: +\d+  ", guest.monitor("x/i $rip"))
    assert "the guest has ended" in guest.monitor("resume")
    assert "the guest has ended" in guest.monitor("step")
    guest.line.send("reset\r")
    guest.expect("entering linux")
    guest.expect("Press r to restart it")
    guest.line.send("\x01cx/i $rip\r\x01cp")  # p, at the question, is the power
    assert guest.wait_for_end(), guest.log


def test_another_escape_key(image, tiny, console):
    guest = console(platforms.AMDV, image(KERNEL=tiny("keyboard"), edit=with_key("ctrl-t")))
    guest.expect("Ctrl-T c opens the monitor")
    guest.expect(WAITING)
    guest.line.send("\x01c\x01x")  # the guest's, which doesn't read them
    guest.enter_monitor("\x14")
    assert re.search(r"typed, waiting for it: \d+ bytes", guest.monitor("info devices"))
    guest.line.send("\x14x")
    assert guest.wait_for_end(), guest.log


def test_no_escape_key(image, tiny, console):
    guest = console(platforms.AMDV, image(KERNEL=tiny("keyboard"), edit=with_key("off\nkeyboard = ps2")))
    guest.expect(WAITING)
    guest.line.send("\x01c\x01h\x01x")
    guest.machine.press("a")
    guest.expect("tiny: PASS|tiny: FAIL|Press r")
    assert "monitor" not in guest.log and "Ctrl-" not in guest.log


def test_keys_of_a_ps2_keyboard_open_it(image, tiny, console):
    path = image(KERNEL=tiny("wait_forever"), edit=lambda text: text + "[pxhv]\nkeyboard = ps2\n")
    guest = console(platforms.AMDV, path)
    guest.expect(WAITING)
    screen = Screen(guest.machine)
    screen.press("ctrl", "a")
    screen.press("c")
    guest.expect(guest.MONITOR)
    screen.type("info version\n")
    guest.expect("pxHV [0-9.]+, built by")
    guest.expect(guest.MONITOR)
