"""Guests that give themselves no rest, or no ground to stand on: the VMM and its consoles go on."""

import re
import time

import pytest

import machine

WAITING = "tiny: press a"


def exits(guest):
    """How many exits there were, by the monitor."""
    return int(re.search(r"^(\d+) exits", guest.monitor("info exits"), re.M).group(1))


def ends(guest):
    """How many interrupts the guest has ended, by the exits that only this needs."""
    text = guest.monitor("info exits")
    return sum(int(count) for count in
               re.findall(r"^ +(\d+)  (?:nested page fault|end of level interrupt)  ", text, re.M))


def wait_for_ends(guest, more, limit=600):
    """The storm goes on, in the moments that talking to the monitor leaves the guest."""
    first, late = ends(guest), time.monotonic() + limit
    while time.monotonic() < late:
        if ends(guest) >= first + more:
            return
    raise AssertionError(f"the storm is over after {ends(guest)} interrupts\n{guest.log[-3000:]}")


def test_a_level_storm_leaves_the_monitor_its_turn(platform, image, tiny, console):
    guest = console(platform, image(KERNEL=tiny("storm_forever"), MEMORY="32M"))
    guest.expect(WAITING)
    guest.enter_monitor()
    wait_for_ends(guest, 200)
    assert re.search(r"vCPU 0: running, 64-bit", guest.monitor("info cpu"))
    guest.monitor("pause")
    stopped = exits(guest)
    assert exits(guest) == stopped
    guest.monitor("resume")
    wait_for_ends(guest, 200)
    guest.line.send("\x01x")
    assert guest.wait_for_end(), guest.log


@pytest.mark.parametrize("name, where", (("stack_nowhere", "0xe0000ff8"), ("into_nowhere", "0xe0000020")))
def test_an_event_that_meets_no_memory_ends_in_one_line(platform, name, where, image, tiny):
    result = machine.run(image(KERNEL=tiny(name), MEMORY="32M"), platform)
    assert f"bad access: the delivery of an event used {where}, which isn't RAM" in result.text, result
    assert "Press r to restart" in result.text, result
