"""The monitor beside a running Linux, on the machine that test_linux.py goes on with: it looks, stops
the guest and lets it go on, and leaves no trace. What ends a guest is in test_monitor.py."""

import re
import time

import pytest


@pytest.fixture
def monitor(linux):
    """The guest's console with the monitor open; afterwards it is the guest's again."""
    linux.enter_monitor()
    yield linux
    linux.leave_monitor()
    assert "alive-7" in linux.shell("echo alive-$((3 + 4))")


def test_help_lists_the_commands(monitor):
    text = monitor.monitor("help")
    for command in ("info TOPIC", "registers", "walk ADDRESS", "pause", "reset", "nmi"):
        assert re.search(f"^{re.escape(command)}", text, re.M), text


def test_info_knows_the_machine(monitor):
    assert f"by {monitor.platform.vendor}" in monitor.monitor("info cpu")
    assert "guest 256 MiB" in monitor.monitor("info memory")
    assert re.search(r"^ +\d{4,}  port I/O +[\d.]+ ms", monitor.monitor("info exits"), re.M)
    assert re.search(r"3f8-3ff +uart16550 +\d{4,} accesses", monitor.monitor("info devices"))
    assert re.search(r"^IRQ +0: \d+$", monitor.monitor("info pic"), re.M)
    text = monitor.monitor("info apic")
    assert re.search(r"^local APIC 0: x2?APIC mode, on", text, re.M), text
    assert re.search(r"^input +2: vector [0-9a-f]+, edge, active high, \d+ sent$", text, re.M), text
    assert "counter 0: mode" in monitor.monitor("info pit")
    assert "1af4:1042 class 0100, command 0406 memory master" in monitor.monitor("info pci")
    text = monitor.monitor("info virtio")
    assert "virtio-blk: status 0f acknowledged driver features running" in text, text
    assert re.search(r"^vda pxhv-disk.img: 16384 KiB, \d+ reads", monitor.monitor("info disks"), re.M)
    assert "Ctrl-A c opens the monitor" in monitor.monitor("info log 30")
    assert monitor.monitor("info version").startswith("pxHV ")
    assert re.search(r"date 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d", monitor.monitor("info time"))


def pause_at_rest(monitor):
    """While the shell sleeps, for its output is there: the guest stands in its kernel. Elsewhere the next
    instruction's page may not be mapped yet."""
    late = time.monotonic() + 600
    while "in HLT" not in monitor.monitor("info cpu"):
        assert time.monotonic() < late, monitor.log[-3000:]
    assert monitor.monitor("pause").startswith("paused\n")


def check_registers_and_memory(monitor):
    """Of a guest that stands still, wherever it was stopped: in the kernel, or in a program."""
    text = monitor.monitor("registers all")
    cr3 = int(re.search(r"CR3  0*([0-9a-f]+)", text)[1], 16)
    rip = int(re.search(r"RIP ([0-9a-f]{16})", text)[1], 16)
    assert "EFER 00000d01 SCE LME LMA NXE" in text and re.search(r"CR0  80.* PG$", text, re.M)
    # The command line, where the boot protocol's zero page points to it.
    assert monitor.monitor("xp/s 0x20000") == '20000: "console=hvc0 earlyprintk=ttyS0"\n'
    walk = monitor.monitor("walk $rip")
    assert f"level 4  {cr3 & ~0xfff:x}[{rip >> 39 & 511}]" in walk, (text, walk)
    found = re.search(f"^{rip:x} is guest physical ([0-9a-f]+), in a page of", walk, re.M)
    assert found, (text, walk)
    # The same bytes by both addresses; the next page may be elsewhere.
    count = min(16, 4096 - rip % 4096)
    virtual = monitor.monitor(f"x/{count}xb $rip").split(": ")[1]
    assert virtual == monitor.monitor(f"xp/{count}xb 0x{found[1]}").split(": ")[1]
    assert re.match(f"{rip:x}: +\\d+  {virtual[:2]}", monitor.monitor("x/i $rip"))
    assert monitor.monitor("x/4xb 0x10") == "10: nothing is mapped there, or no RAM\n"
    assert re.search(r"guest physical 100000 is host [0-9a-f]+, rwx, write-back, in a page of",
                     monitor.monitor("ept 0x100000"))
    assert "isn't mapped: a device's, or nothing" in monitor.monitor("ept 0xc0000000")


def test_registers_and_memory(monitor):
    pause_at_rest(monitor)
    check_registers_and_memory(monitor)
    assert monitor.monitor("resume") == "the guest goes on\n"


def test_registers_and_memory_of_a_program(linux):
    """Stopped behind its first instruction: at that one its page may not be mapped yet."""
    words = linux.shell("od -An -tx4 -j24 -N8 /bin/busybox").split()
    entry = int(words[1] + words[0], 16)
    second = [entry + 2, entry + 4]  # behind XOR EBP, EBP or ENDBR64
    linux.enter_monitor()
    linux.monitor("pause")
    assert all(linux.monitor(f"break 0x{address:x}") == "" for address in second)
    linux.monitor("resume")
    linux.leave_monitor()
    linux.line.send("/bin/busybox echo a-program-$((3 + 4))\n")
    linux.expect(f"pxHV monitor: .*at the break 0x({second[0]:x}|{second[1]:x})\r*\n")
    linux.expect(linux.MONITOR)
    text = linux.monitor("registers all")
    assert re.search("^CS   0033", text, re.M), text
    check_registers_and_memory(linux)
    assert all(linux.monitor(f"delete 0x{address:x}") == "" for address in second)
    linux.monitor("resume")
    linux.leave_monitor()
    linux.expect("a-program-7\r*\n")
    linux.expect(re.escape(linux.prompt))


def test_steps(monitor):
    pause_at_rest(monitor)
    lines = monitor.monitor("step 3").splitlines()
    assert len(lines) == 3 and all(re.match(r"[0-9a-f]+: +\d+  [0-9a-f]{2}", one) for one in lines)
    assert lines[2].split(":")[0] in monitor.monitor("info cpu")
    assert monitor.monitor("resume") == "the guest goes on\n"


def test_a_break_opens_the_monitor(linux):
    """At a system call that nobody makes by chance."""
    symbol = linux.shell("grep -m1 ' __x64_sys_sethostname$' /proc/kallsyms", 600)
    address = re.search(r"^([0-9a-f]{16}) ", symbol, re.M)[1]
    linux.enter_monitor()
    linux.monitor("pause")
    assert linux.monitor(f"break 0x{address}") == ""
    assert linux.monitor("break") == f"break 0x{address} 1\n"
    linux.monitor("resume")
    linux.leave_monitor()
    for name in ("one", "two"):
        linux.line.send(f"hostname {name}\n")
        linux.expect(f"pxHV monitor: .*at the break 0x{address}\r*\n{address}: ")
        linux.expect(linux.MONITOR)
        linux.monitor("resume")
        linux.leave_monitor()
        linux.expect(re.escape(linux.prompt))
        assert name in linux.shell("hostname")
    linux.enter_monitor()
    linux.monitor("pause")
    assert linux.monitor(f"delete 0x{address}") == ""
    linux.monitor("resume")
    linux.leave_monitor()
    assert linux.shell("hostname three; hostname").strip().endswith("three")


def clocks(monitor):
    """Guest time in seconds, and the host's TSC."""
    found = re.search(r"guest time (\d+\.\d+) s, TSC [0-9a-f]+, the host's ([0-9a-f]+)",
                      monitor.monitor("info time"))
    return float(found[1]), int(found[2], 16)


def test_time_stands_still_in_a_pause(linux):
    def uptime():
        return float(linux.shell("cat /proc/uptime").split()[0])

    # A guest that never sleeps: an emulator's time would leap then.
    linux.shell("while :; do :; done &")
    linux.enter_monitor()
    hz = float(re.search(r"TSC at ([\d.]+) MHz", linux.monitor("info cpu"))[1]) * 1e6
    begun = clocks(linux)[1]
    linux.leave_monitor()
    before = uptime()
    linux.enter_monitor()
    linux.monitor("pause")
    stopped, paused = clocks(linux)
    now, tsc = clocks(linux)
    while tsc - paused < 3 * hz:
        now, tsc = clocks(linux)
    assert now == stopped
    linux.monitor("resume")
    linux.leave_monitor()
    after = uptime()
    linux.enter_monitor()
    passed = clocks(linux)[1] - begun
    linux.leave_monitor()
    linux.shell("kill %1; wait")  # a shell tells of its end before a later prompt else
    assert after - before <= (passed - (tsc - paused)) / hz + 0.1


def test_an_nmi_reaches_linux(monitor):
    assert monitor.monitor("nmi") == "the guest gets an NMI\n"
    monitor.leave_monitor()
    assert "NMI received for unknown reason" in monitor.shell("dmesg | grep NMI")
    monitor.enter_monitor()


def test_nothing_that_the_guest_says_meanwhile_is_lost(linux):
    """The smaller flood fits the monitor's ring; the larger one, on the faster emulator, makes the
    guest stand still."""
    last = {"VT-x": 2000, "AMD-V": 6000}[linux.platform.vendor]
    linux.enter_monitor()
    linux.monitor("pause")
    linux.leave_monitor()
    linux.line.send(f"seq 1 {last}; echo end-$((1 + 1))\n")  # waits for the guest
    linux.enter_monitor()
    linux.monitor("resume")
    if last > 5000:
        linux.expect("the guest stands still: [0-9]+ bytes of its output wait")
        linux.expect(linux.MONITOR)
    else:
        size = sum(len(str(number)) + 2 for number in range(1, last + 1))
        while int(re.search(r"to be shown: (\d+)", linux.monitor("info devices"))[1]) < size:
            pass
    linux.leave_monitor()
    linux.expect("end-2\r*\n")
    numbers = re.findall(r"^(\d+)\r*$", linux.line.before, re.M)
    linux.expect(re.escape(linux.prompt))
    assert [int(number) for number in numbers] == list(range(1, last + 1))


def test_the_escape_key_twice_is_the_guests(linux):
    linux.line.send("head -c 3 | od -c\n")
    linux.expect(r"od -c\r*\n")
    linux.line.send("\x01\x01z\n")
    linux.expect(r"0000000 001   z  \\n")
    linux.expect(re.escape(linux.prompt))
    linux.line.send("head -c 3 | od -c\n")
    linux.expect(r"od -c\r*\n")
    linux.line.send("\x01z\n")  # no command of pxHV's: both are the guest's
    linux.expect(r"0000000 001   z  \\n")
    linux.expect(re.escape(linux.prompt))
    linux.line.send("\x01h")
    linux.expect("Ctrl-A c: the monitor, and back; Ctrl-A x: power off; Ctrl-A Ctrl-A: Ctrl-A for "
                 "the guest")


def test_top_shows_exits_until_a_key(monitor):
    monitor.line.send("top\r")
    for _ in range(2):
        monitor.expect("top exits: any key ends it")
        monitor.expect("port I/O")
    monitor.line.send("q")
    monitor.expect(monitor.MONITOR)


def test_nonsense_is_answered(monitor):
    assert "help" in monitor.monitor("nonsense")
    assert "no number" in monitor.monitor("x/4xb 0xnonsense")
    monitor.line.send("\x00\x1b[99;99;99~\x1bO\x80\xff" + "w" * 300 + "\x15")
    assert "1 to 1024 bytes" in monitor.monitor("x/99999999xg 0")
