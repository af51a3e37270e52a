"""What time costs and whether it is right: idle guests, an hour in HLT, Linux's clocksource watchdog."""

import re

import pytest

import machine
import platforms

PERIODS = 200  # as guest/tiny/idle.asm has them


def exits_by_kind(text):
    """The numbers of the report at a guest's end."""
    table = text.split("exits by kind:")[1].split("most of it went to:")[0]
    return {name.strip(): int(count) for count, name in
            re.findall(r"^ +(\d+)  (.*?) +\d+\.\d+ ms", table, re.M)}


@pytest.mark.parametrize("platform", [platforms.VTX, platforms.AMDV_TICKS], ids=lambda it: it.ident)
def test_an_idle_guest_makes_its_timers_exits_and_the_cpu_sleeps(platform, image, tiny):
    result = machine.run(image(KERNEL=tiny("idle"), MEMORY="32M"), platform)
    assert "tiny: PASS idle" in result.text and result.ended, result
    count = exits_by_kind(result.text)
    assert PERIODS <= count["HLT"] <= PERIODS + 2, result
    # The deadline ends the sleep, which is no exit; what is left came before the first HLT.
    others = sum(count.get(name, 0) for name in ("deadline", "host interrupt", "interrupt window"))
    assert others <= 20, result
    # Where no hardware ends an interrupt, its end is one exit.
    assert count.get("nested page fault", 0) <= PERIODS + 30, result
    ran, asleep = re.search(r"^of ([\d.]+) ms .* and ([\d.]+) were slept in HLT", result.text,
                            re.M).groups()
    assert float(asleep) > 0.9 * float(ran), result


def test_a_guest_that_waits_for_nothing_makes_no_exits(platform, image, tiny, console):
    guest = console(platform, image(KERNEL=tiny("wait_forever"), MEMORY="32M"))
    guest.expect("tiny: press a")
    guest.enter_monitor()
    assert any("in HLT" in guest.monitor("info cpu") for _ in range(100)), guest.log
    counts = [re.search(r"^(\d+) exits", guest.monitor("info exits"), re.M).group(1)
              for _ in range(5)]
    assert len(set(counts)) == 1, counts
    guest.line.send("\x01x")
    assert guest.wait_for_end(), guest.log


# Milliseconds awake: QEMU's CPU has 1 GHz here, Bochs' 50 MHz.
@pytest.mark.parametrize("platform, awake", [
    pytest.param(platforms.VTX, 10_000, marks=pytest.mark.full, id=platforms.VTX.ident),
    pytest.param(platforms.AMDV_TICKS, 1000, id=platforms.AMDV_TICKS.ident)])
def test_an_hour_in_hlt_is_an_hour_on_every_clock(platform, awake, image, tiny):
    """RTC, PM timer, HPET, PIT and TSC. On QEMU with -icount, where time leaps while the CPU sleeps; Bochs
    counts it down, in minutes. And the VMM has no tick of its own: one a millisecond is seen."""
    started = platform.start(image(KERNEL=tiny("hour"), MEMORY="32M"))
    result = machine.listen(platform, started, timeout=900)
    assert "tiny: PASS hour" in result.text and result.ended, result
    ran, asleep = map(float, re.search(r"^of ([\d.]+) ms .* and ([\d.]+) were slept in HLT", result.text,
                                       re.M).groups())
    assert ran > 3_600_000 and ran - asleep < awake, result


def test_linux_trusts_its_clocks_for_ten_minutes(console, image):
    """Its watchdog measures the TSC by another clock twice a second. Here, too, time leaps while the CPU
    sleeps."""
    guest = console(platforms.AMDV_TICKS, image(CMDLINE="console=ttyS0 quiet no-kvmclock"))
    guest.wait_for_shell()
    clocks = "/sys/devices/system/clocksource/clocksource0"
    assert "tsc" in guest.shell(f"cat {clocks}/current_clocksource")
    # In one line, for time leaps while the shell waits for a key, too.
    read = "cut -d. -f1 /proc/uptime; date +%s"
    said = [int(word) for word in guest.shell(f"{read}; sleep 600; {read}").split()]
    passed = [end - begin for begin, end in zip(said[:2], said[2:])]
    assert len(passed) == 2 and all(600 <= seconds <= 602 for seconds in passed), said
    assert "tsc" in guest.shell(f"cat {clocks}/current_clocksource")
    assert guest.shell("dmesg | grep -iE 'clocksource.*(watchdog|unstable|skew)'").split() == []
