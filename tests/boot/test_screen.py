"""Screen and keyboard as the console, beside the serial line: QEMU shows the picture and presses the
keys."""

import os
import re

import pytest

import machine
import platforms
from screen import Screen

# A loader that sets a mode: gdb does it here, at the VMM's first instruction in C. QEMU's VGA takes
# width, height, depth and "on, linear" as its registers 1 to 4, at ports 1CEh and 1CFh.
LINEAR = 0xFD000000
FORMATS = {32: (16, 8, 8, 8, 0, 8), 24: (16, 8, 8, 8, 0, 8), 16: (11, 5, 5, 6, 0, 5),
           15: (10, 5, 5, 5, 0, 5)}
FIELDS = ("red_shift", "red_bits", "green_shift", "green_bits", "blue_shift", "blue_bits")


def set_mode(width, height, bits):
    """Commands for gdb."""
    for register, value in ((4, 0), (1, width), (2, height), (3, bits), (4, 0x41)):
        yield f"monitor o/h 0x1ce {register}"
        yield f"monitor o/h 0x1cf {value}"
    screen = dict(zip(FIELDS, FORMATS[bits]), type=2, width=width, height=height,
                  bits_per_pixel=bits, pitch_bytes=width * ((bits + 7) // 8), address=LINEAR)
    for field, value in screen.items():
        yield f"set ((struct boot_info *)$rdi)->screen.{field} = {value}"
    # In place of what the loader has said, a text that is at hand: pxhv.cfg.
    yield "set ((struct boot_info *)$rdi)->log_address = ((struct boot_info *)$rdi)->config_address"
    yield "set ((struct boot_info *)$rdi)->log_size_bytes = " \
          "((struct boot_info *)$rdi)->config_size_bytes"


@pytest.fixture(scope="module")
def shell():
    """The demo guest at its shell, on a VGA in text mode; nobody types on the serial line."""
    image = os.path.join(platforms.BUILD, "pxhv.img")
    guest = machine.Console(platforms.AMDV, platforms.AMDV.start(image))
    guest.expect(re.escape(guest.prompt))
    guest.screen = Screen(guest.machine)
    yield guest
    guest.close()


def test_the_screen_shows_what_the_serial_line_shows(shell):
    shell.screen.wait_for(r"^/ #$", "^pxHV demo guest: Debian kernel",
                          within=shell.log.replace("\r", ""))


def test_what_is_typed_reaches_the_shell(shell):
    shell.screen.type("echo $((6*7)) 'It'\\''s' \"[OK]\" | cat; stty size\n")
    shell.expect(r"42 It's \[OK\]\r+\n")
    shell.screen.wait_for(r"^42 It's \[OK\]$")


def test_a_program_is_told_where_the_cursor_is(shell):
    shell.screen.type("clear; stty raw -echo; printf '\\033[3;7H\\033[6n'; "
                      "a=`dd bs=1 count=6 | od -c`; stty -raw echo; echo $a\n")
    shell.screen.wait_for(r"0000000 033 \[ 3 ; 7 R")


def test_an_editor_has_the_whole_screen(shell):
    shell.screen.type("vi /etc/inittab\n")
    shell.screen.wait_for("^- /etc/inittab", until=lambda rows: (
        rows[2].startswith("::shutdown:") and rows[3] == "~" and rows[22] == "~"))
    shell.screen.press("down")
    shell.screen.type("dd:q!\n")
    shell.screen.wait_for(r"^/ #$", until=lambda rows: "~" not in rows)


def test_shift_pgup_shows_what_scrolled_off(shell):
    shell.screen.type("clear; seq 1 60\n")
    shell.screen.wait_for("^38$", r"^/ #$", until=lambda rows: rows[22] == "60" and "30" not in rows)
    shell.screen.press("shift", "pgup")
    shell.screen.wait_for(until=lambda rows: rows[0] == "15" and rows[23] == "38")
    shell.screen.press("shift", "down")
    shell.screen.wait_for(until=lambda rows: rows[0] == "16" and rows[23] == "39")
    shell.screen.press("ret")
    shell.screen.wait_for("^60$")


def test_the_monitor_is_on_the_screen_too(shell):
    shell.screen.press("ctrl", "a")
    shell.screen.press("c")
    shell.screen.wait_for("^pxHV monitor: ", r"^\(pxhv\)$")
    shell.screen.type("info cpi")
    shell.screen.press("backspace")
    shell.screen.type("u\n")
    shell.screen.wait_for(r"^vCPU 0: (in HLT|running), ", r"^\(pxhv\)$")
    shell.screen.press("up")
    shell.screen.wait_for(r"^\(pxhv\) info cpu$")
    shell.screen.press("ctrl", "u")
    shell.screen.type("pause\n")
    shell.screen.wait_for("^paused$")
    shell.screen.type("resume\n")
    shell.screen.wait_for("^the guest goes on$")
    shell.screen.press("ctrl", "a")
    shell.screen.press("c")
    shell.screen.wait_for("^back at the guest's console$")
    shell.screen.type("clear; echo back-$((4*4))\n")
    shell.screen.wait_for("^back-16$")


def test_the_status_line_tells_what_runs(shell):
    line = re.compile(r"linux \d+:\d\d:\d\d . \d+ exits/s . guest 256 MiB, pxHV \d+ KiB")
    shell.screen.wait_for(until=lambda rows: line.match(rows[24]))


def test_a_refusal_can_be_read_and_the_log_paged_through(image, tiny, console):
    guest = console(platforms.AMDV, image(KERNEL=tiny("hlt"), MEMORY="8G"))
    screen = Screen(guest.machine)
    screen.wait_for("The machine can be switched off now",
                    "^pxHV: error: the guest's memory doesn't fit",
                    until=lambda rows: rows[24].startswith("stopped"))
    screen.press("home")
    screen.wait_for("^log: line 1 of", "CPU: AuthenticAMD",
                    until=lambda rows: rows[0].startswith("pxHV: Pixel Hypervisor v"))
    screen.press("ret")
    screen.wait_for("^stopped")


@pytest.mark.parametrize("width, height, bits", [
    (1024, 768, 32), (1920, 1080, 32), (800, 600, 16), (640, 480, 15), (1280, 1024, 24)])
def test_a_framebuffer_shows_the_log(image, tiny, width, height, bits):
    path = image(KERNEL=tiny("hlt"), MEMORY="8G")
    commands = list(set_mode(width, height, bits))
    with platforms.AMDV.start_and_break(path, commands, at="vmm_main") as emulator:
        # No glyph is half drawn either.
        Screen(emulator).wait_for(
            "The machine can be switched off now", "^kernel  = vmlinuz", "^pxHV: CPU: AuthenticAMD",
            f"screen: {width} x {height} pixels", until=lambda rows: (
                any(row.startswith("stopped") for row in rows[-2:]) and "?" not in "".join(rows)))


def test_a_mode_that_pxhv_cfg_asks_for(image, tiny, console):
    path = image(KERNEL=tiny("hlt"), MEMORY="8G",
                 edit=lambda text: text + "[pxhv]\nscreen = framebuffer\n")
    guest = console(platforms.AMDV, path)
    Screen(guest.machine).wait_for("The machine can be switched off now", until=lambda rows: (
        len(rows) == 48 and rows[0].startswith("pxHV: Pixel Hypervisor v")
        and rows[47].startswith("stopped")))


def test_after_a_panic_the_log_can_be_read(image, tiny):
    path = image(KERNEL=tiny("hlt"))
    with platforms.AMDV.start_and_break(path, ["set $rip = 16"]) as emulator:
        screen = Screen(emulator)
        screen.wait_for("an issue of the project")
        screen.press("home")
        screen.wait_for("^log: line 1 of", "CPU: AuthenticAMD")
        screen.press("pgdn")
        screen.wait_for("^log: line 2[0-9] of")


@pytest.mark.parametrize("keyboard", ["console", "ps2"])
def test_after_a_stop_keys_restart_and_power_off(image, tiny, keyboard):
    """The guest's first start fails. A keyboard that is the guest's is the console's again then."""
    path = image(KERNEL=tiny("cpuid"), edit=lambda text: text + f"[pxhv]\nkeyboard = {keyboard}\n")
    mistake = "set ((struct svm_vcpu *)vm.vcpu.backend_state)->vmcb->save.efer = 0"
    guest = machine.Console(platforms.AMDV, platforms.AMDV.start_and_break(path, [mistake]))
    try:
        screen = Screen(guest.machine)
        guest.expect("Press r to restart it, p to power")  # the line is read, or it would get stuck
        rows = screen.wait_for("Press r to restart it, p to power", "^stopped")
        if keyboard == "ps2":
            screen.press("p")
            guest.expect("powering off")
        else:
            screen.press("x")  # no answer to this question
            screen.press("home")
            screen.wait_for("^log: line 1 of")
            screen.press("r")
            guest.expect("tiny: PASS cpuid")
        assert guest.wait_for_end(), (guest.log, rows)
    finally:
        guest.close()
