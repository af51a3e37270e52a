"""Debian's kernel with its console on hvc0, and what other devices it finds. One machine on each
platform for all tests but the last two."""

import hashlib
import re

import pytest

import machine
import platforms
import qemu  # found through platforms
from conftest import by_ident

CLOCKSOURCE = "/sys/devices/system/clocksource/clocksource0/current_clocksource"


@pytest.fixture(scope="module", params=platforms.BOTH_VENDORS, ids=by_ident)
def hvc(request, tmp_path_factory):
    image = machine.make_image(str(tmp_path_factory.mktemp("hvc") / "hvc.img"),
                               CMDLINE="console=hvc0")
    console = machine.Console(request.param, request.param.start(image))
    try:
        console.wait_for_shell()
        yield console
    finally:
        console.close()


def test_hvc_shell_and_the_kernels_log_are_on_hvc0(hvc):
    assert hvc.shell("tty").strip() == "/dev/hvc0"
    assert "Linux version" in hvc.log
    assert "ttyS0" not in hvc.shell("cat /proc/interrupts")


def test_hvc_takes_long_lines_of_typing(hvc):
    line = "0123456789" * 40
    assert "401" in hvc.shell(f"echo {line} | wc -c")


def test_hvc_takes_a_paste_of_4_kib(hvc):
    text = "".join(f"{line:02} " + "the quick brown fox jumps over the lazy dog, 012345678".ljust(60)
                   + "\n" for line in range(64))
    assert len(text) == 4096
    hvc.line.send("cat > /tmp/paste\n")
    hvc.expect("paste\r*\n")
    hvc.line.send(text + "\x04")
    hvc.expect("/ # ")
    assert hashlib.md5(text.encode()).hexdigest() in hvc.shell("md5sum < /tmp/paste")


def test_hvc_brings_every_byte(hvc):
    # An emulated serial line has a speed in Bochs: each byte takes its time there.
    size = 1 << 20 if hvc.platform.debugger == "gdb" else 1 << 16
    hvc.shell("mount /dev/vda /mnt; base64 -w 0 /mnt/random.bin > /tmp/text")
    hvc.line.send(f"stty -opost; head -c {size} /tmp/text; stty opost; printf '<e%sd>' n\n")
    hvc.expect("printf '<e%sd>' n\r\n")
    # A window, else each piece would have all that came before searched again.
    hvc.line.expect_exact("<end>", searchwindowsize=16)
    text = hvc.line.before
    hvc.expect("/ # ")
    assert len(text) == size
    wanted = hvc.shell(f"head -c {size} /tmp/text | md5sum")
    assert hashlib.md5(text.encode()).hexdigest() in wanted


def test_hvc_typing_goes_to_the_console_that_was_written_to_last(hvc):
    hvc.line.send("sh -c 'echo say $((6 * 7)); read x; echo heard $x' </dev/ttyS0 >/dev/ttyS0\n")
    hvc.expect("say 42\r+\n")
    hvc.line.send("something\n")
    hvc.expect("heard something")
    hvc.expect("/ # ")
    assert "back" in hvc.shell("echo back")


def test_rng_is_offered_and_varies(hvc):
    assert "virtio_rng.0" in hvc.shell("cat /sys/class/misc/hw_random/rng_available")
    assert "crng init done" in hvc.shell("dmesg | grep random:")
    size = int(hvc.shell("head -c 65536 /dev/hwrng | gzip | wc -c").split()[-1])
    assert size > 65536  # nothing to compress


def test_hpet_is_a_clocksource(hvc):
    assert "3 comparators, 64-bit 100.000000 MHz counter" in hvc.shell("dmesg | grep hpet0:")
    text = hvc.shell(f"echo hpet > {CLOCKSOURCE}; cat {CLOCKSOURCE}")
    assert "hpet" in text.split()
    # By the HPET no more than by the RTC, which is read farther out and tells whole seconds.
    rtc, hpet = "cat /sys/class/rtc/rtc0/since_epoch", "cut -d' ' -f1 /proc/uptime"
    said = [float(word) for word in hvc.shell(f"{rtc}; {hpet}; sleep 2; {hpet}; {rtc}").split()]
    assert 1.98 < said[2] - said[1] < said[3] - said[0] + 1.1, said
    assert "hpet" in hvc.shell(f"cat {CLOCKSOURCE}")
    # Not the TSC: on a busy computer its measurement fails, and Linux then says so.
    bad = "clocksource.*hpet.*unstable|ACPI (Error|Warning|BIOS)"
    assert hvc.shell(f"dmesg | grep -i -E '{bad}'").strip() == ""


def test_hvc_guest_powers_off(hvc):
    hvc.line.send("poweroff\n")
    assert hvc.wait_for_end(), hvc.log[-2000:]
    assert "powered off" in hvc.log


def test_hvc_without_its_driver_is_seen_by_the_early_console(console, image):
    guest = console(platforms.AMDV,
                    image(CMDLINE="console=hvc0 earlyprintk=ttyS0 rdinit=/bin/true panic=-1"))
    guest.expect("Linux version")
    guest.expect("unable to open an initial console")
    guest.expect("Kernel panic - not syncing: Attempted to kill init!")


def test_rng_is_left_out_where_the_cpu_has_none(console, image):
    guest = console(platforms.AMDV, image(CMDLINE="console=hvc0 quiet"),
                    cpu=qemu.TCG_CPU + ",-rdrand")
    guest.wait_for_shell()
    assert "no RDSEED and no RDRAND" in guest.log
    assert guest.shell("cat /sys/class/misc/hw_random/rng_available").strip() == ""
