"""Guests that give themselves no rest, or no ground to stand on: the VMM and its consoles go on."""

import re

import machine

WAITING = "tiny: press a"


def exits(guest):
    """How many exits there were, by the monitor."""
    return int(re.search(r"^(\d+) exits", guest.monitor("info exits"), re.M).group(1))


def test_a_level_storm_leaves_the_monitor_its_turn(platform, image, tiny, console):
    guest = console(platform, image(KERNEL=tiny("storm_forever"), MEMORY="32M"), timeout=60)
    guest.expect(WAITING)
    guest.enter_monitor()
    before = exits(guest)
    assert re.search(r"vCPU 0: running, 64-bit", guest.monitor("info cpu"))
    assert exits(guest) > before
    guest.monitor("pause")
    stopped = exits(guest)
    assert exits(guest) == stopped
    guest.monitor("resume")
    assert exits(guest) > stopped
    guest.line.send("\x01x")
    assert guest.wait_for_end(), guest.log


def test_an_interrupt_without_a_stack_ends_in_one_line(platform, image, tiny):
    result = machine.run(image(KERNEL=tiny("stack_nowhere"), MEMORY="32M"), platform)
    assert "bad access: the delivery of an event used 0xe0000ff8, which isn't RAM" in result.text, result
    assert "Press r to restart" in result.text, result
