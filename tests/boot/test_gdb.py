"""GDB on the guest, by the stub on COM2: guest/tiny/gdb.asm, which waits for it, and Debian's kernel at
its shell."""

import os
import re
import struct
import subprocess
import threading

import pytest

import machine
from gdbline import Gdb, Line, gdb
from platforms import AMDV, BUILD, VTX

LABELS = ("main", "mixed", "written", "compared", "busy", "letter", "vector", "ends",
          "result", "spin", "message", "value", "crash", "upper", "wide")
STEPS = 1000
STEPS_S = 1500  # at the speed of Bochs' line, on a computer that has other work
ENTRY = 0x100200


def labels():
    """Where guest/tiny/gdb.asm has what."""
    with open(os.path.join(BUILD, "tiny", "gdb.bin"), "rb") as file:
        code = file.read()
    table = code.index(b"GDBTABLE") + 8
    return dict(zip(LABELS, struct.unpack_from(f"<{len(LABELS)}Q", code, table)))


AT = labels() if os.path.exists(os.path.join(BUILD, "tiny", "gdb.bin")) else {}


def wait_for_gdb(text):
    return text + "\n[pxhv]\ndebug = wait\n"


@pytest.fixture
def waiting(console, image, tiny):
    """A function that starts the tiny guest, which then waits for GDB."""
    def start(platform, edit=wait_for_gdb, kernel=None):
        own = image(edit=edit, KERNEL=kernel or tiny("gdb"), MEMORY="32M")
        one = console(platform, own, gdb=True)
        one.expect("waiting for GDB on COM2")
        return one
    return start


def test_break_look_and_change(platform, waiting):
    """Software and hardware breakpoints, a watchpoint, memory, general and vector registers, and what
    they change in what the guest says."""
    guest = waiting(platform)
    said = gdb(guest.machine,
               "info registers rip", "info registers cr0 efer",
               f"break *{AT['mixed']:#x}", "continue", "p/x $rcx",
               f"watch *(long *){AT['result']:#x}", "continue", "p $pc", "delete",
               f"hbreak *{AT['busy']:#x}", "continue",
               f"set {{char}}{AT['message'] + 6:#x} = 'N'", f"x/s {AT['message']:#x}",
               f"x/2i {AT['busy']:#x}",
               f"break *{AT['letter']:#x}", "continue", "set $al = 'Z'",
               f"break *{AT['vector']:#x}", "continue", "p $xmm0.v2_int64[0]",
               "set $xmm0.v2_int64[0] = 0x5678", "stepi", "p/x $rax", "info float",
               "detach")
    assert re.search(r"rip +0x100200 ", said), said
    assert re.search(r"cr0 +0x80000031 +\[ PE ET NE PG \]", said), said
    assert re.search(r"efer +0x500 +\[ LME LMA \]", said), said
    assert re.search(rf"Breakpoint 1, 0x0*{AT['mixed']:x} in", said), said
    assert "$1 = 0x0\n" in said, said
    assert re.search(r"Hardware watchpoint 2.*\n\nOld value = 0\nNew value = [1-9-]", said), said
    assert f"$2 = (void (*)()) {AT['written']:#x}\n" in said, said
    assert re.search(rf"Breakpoint 3, 0x0*{AT['busy']:x} in", said), said
    assert '"tiny: Nobody has changed this' in said, said
    assert re.search(r"test +%rdi,%rdi", said), said
    assert "$3 = 4660\n" in said and "$4 = 0x5678\n" in said, said
    assert "Status Word:         0x0000" in said, said
    assert re.search(r"\[Inferior 1 .* detached\]", said), said
    guest.expect("tiny: Nobody has changed this")
    guest.expect("tiny: the letter Z")
    guest.expect("tiny: PASS gdb")
    assert guest.wait_for_end(), guest.log


def test_avx_registers(platform, waiting):
    """What the guest has loaded is seen, once it has AVX on, and what is changed the guest stores."""
    guest = waiting(platform)
    said = gdb(guest.machine, f"hbreak *{AT['vector']:#x}", "continue", "p $ymm0.v4_int64",
               f"hbreak *{AT['upper']:#x}", "continue", "p/x $ymm0.v4_int64", "p/x $xmm0.v2_int64",
               "set $ymm0.v4_int64[1] = 0x77", "set $ymm0.v4_int64[3] = 0x99", "set $ymm15.v4_int64[2] = 5",
               "stepi", f"x/4gx {AT['wide']:#x}", "p/x $ymm15.v4_int64", "detach")
    assert "$1 = {4660, 0, <unavailable>, <unavailable>}\n" in said, said
    assert "$2 = {0x1111, 0x2222, 0x3333, 0x4444}\n" in said, said
    assert "$3 = {0x1111, 0x2222}\n" in said, said
    assert re.findall(r"\t(0x[0-9a-f]{16})", said) == [
        f"0x{value:016x}" for value in (0x1111, 0x77, 0x3333, 0x99)], said
    assert "$4 = {0x0, 0x0, 0x5, 0x0}\n" in said, said
    guest.expect("tiny: PASS gdb")
    assert guest.wait_for_end(), guest.log


def traced(target, tmp_path):
    """RIP and RCX at `main` and behind each step, until STEPS of them have moved one of the two."""
    script = tmp_path / "trace.gdb"
    script.write_text("\n".join((
        f"hbreak *{AT['main']:#x}", "continue", "delete", "python", "last, moves = None, -1",
        f"while moves < {STEPS}:",
        ' now = [int(gdb.parse_and_eval("(long)$" + name)) for name in ("rip", "rcx")]',
        ' print("at", *now)',
        " moves += now != last",
        " last = now",
        f' if moves < {STEPS}: gdb.execute("stepi", to_string=True)',
        "end")) + "\n")
    said = gdb(target, f"source {script}", timeout=STEPS_S)
    trace = [tuple(map(int, line.split())) for line in re.findall(r"^at (.+)$", said, re.M)]
    assert len(trace) > STEPS, said[-2000:]
    return trace


class BareMachine:
    """QEMU's own stub under the same kernel on the bare machine."""

    def __init__(self, path):
        self.gdb_path = path


def drain(line):
    """A machine waits where nobody reads what it says."""
    try:
        while line.recv(4096):
            pass
    except OSError:
        pass  # it is gone


def bare_trace(image, tiny, tmp_path):
    """What the same instructions do without pxHV: tests/bench/bare.c takes its place on the stick."""
    own = image(KERNEL=tiny("gdb"), MEMORY="32M")
    partition = f"{own}@@{machine.PARTITION}"
    subprocess.run(["mcopy", "-o", "-i", partition, os.path.join(BUILD, "bench", "bare.elf"),
                    "::/pxhv.elf"], check=True, capture_output=True)
    path = str(tmp_path / "qemu-gdb")
    emulator = AMDV.start(own, arguments=["-S", "-gdb", f"unix:{path},server=on,wait=off"])
    with emulator:
        emulator.qmp("query-status")  # the socket is there
        threading.Thread(target=drain, args=[emulator.connection], daemon=True).start()
        trace = traced(BareMachine(path), tmp_path)
    # QEMU's stub also calls it a step when an interrupt of its own comes first and nothing is
    # executed. Every instruction here changes RIP or, REP STOSB, RCX.
    return [step for last, step in zip([None, *trace], trace) if step != last]


# Bochs' line has the speed of a real one: there it takes minutes.
@pytest.mark.parametrize("platform", [pytest.param(AMDV, id=AMDV.ident),
                                      pytest.param(VTX, id=VTX.ident, marks=pytest.mark.full)])
def test_a_thousand_steps_are_those_of_the_bare_machine(platform, waiting, image, tiny, tmp_path):
    guest = waiting(platform)
    trace = traced(guest.machine, tmp_path)
    guest.expect("tiny: PASS gdb")
    bare = bare_trace(image, tiny, tmp_path)
    assert [rip for rip, _ in trace] == [rip for rip, _ in bare]


def test_ctrl_c_gets_out_of_a_busy_loop(platform, waiting):
    guest = waiting(platform)
    with Gdb(guest.machine, f"set {{long}}{AT['spin']:#x} = 1") as debugger:
        debugger.send("continue")
        debugger.child.expect("Continuing")
        debugger.interrupt()
        said = debugger.answer()
        assert "SIGINT" in said, said
        # It may have been on its way there still.
        debugger.tell(f"hbreak *{AT['busy']:#x}")
        debugger.tell("continue")
        debugger.tell("delete")
        debugger.send("continue")
        debugger.child.expect("Continuing")
        debugger.interrupt()
        said = debugger.answer()
        rip = int(re.search(r"0x([0-9a-f]+) in \?\?", said)[1], 16)
        assert AT["busy"] <= rip < AT["letter"], said
        debugger.tell(f"set {{long}}{AT['spin']:#x} = 0")
        debugger.tell("detach")
        guest.expect("tiny: PASS gdb")


def test_triple_fault_and_reset_under_the_debugger(platform, waiting):
    guest = waiting(platform)
    said = gdb(guest.machine, f"set {{long}}{AT['crash']:#x} = 1", "continue",
               "info registers rip", "stepi", "monitor reset", "maintenance flush register-cache",
               "info registers rip", f"x/gx {AT['crash']:#x}", f"hbreak *{AT['letter']:#x}",
               "continue", "kill")
    assert "SIGSEGV" in said, said
    assert "triple fault" in said, said
    rips = [int(rip, 16) for rip in re.findall(r"^rip +(0x[0-9a-f]+) ", said, re.M)]
    assert rips == [AT["ends"], ENTRY], said
    assert f"{AT['crash']:#x}:\t0x0000000000000000" in said, said  # loaded anew
    assert re.search(rf"Breakpoint \d, 0x0*{AT['letter']:x} in", said), said
    assert guest.wait_for_end(), guest.log  # "kill" is the power's end
    assert "tiny: PASS" not in guest.log


def test_a_reset_of_the_guests_own_keeps_the_debugger(platform, waiting, tiny):
    guest = waiting(platform, kernel=tiny("reboot_cf9"))
    said = gdb(guest.machine, "continue", "continue")
    assert "the guest asked for a reset" in said, said
    assert "exited normally" in said, said
    guest.expect("tiny: second boot")
    assert guest.wait_for_end(), guest.log


HOSTILE = [b"$", b"$#", b"$#0", b"$#zz", b"$?#00", b"#3f", b"}", b"$}#", b"\x03" * 50, b"-" * 50,
           b"$m" + b"f" * 20000 + b"#00", bytes(range(256)) * 4, b"$X100200,4:}", b"\xff" * 5000]
REFUSED = {
    b"m": b"E16", b"mffffffffffffffff,ffffffffffffffff": b"E0e", b"mfee00000,4": b"E0e",
    b"Mfee00000,1:00": b"E0e", b"Mffff8000,1:00": b"E0e", b"M100200,1:": b"E16",
    b"X100200,5:ab": b"E16", b"P1234=00": b"E16", b"P10=0000000000000080": b"E16", b"p": b"E16",
    b"Gzz": b"E16", b"Z0,fffffff0000,1": b"E0e", b"Z2,100200,1000": b"E1c", b"z0,1,1": b"E16",
    b"vCont;x": b"E16", b"qRcmd,zz": b"E16", b"Hg99": b"E16", b"vNothing": b"", b"~": b"",
}


def test_hostile_bytes_get_errors_and_the_machine_lives(platform, waiting):
    guest = waiting(platform)
    with Line(guest.machine) as line:
        for noise in HOSTILE:
            line.send(noise)
            # What was noise is over when a whole packet is answered.
            assert line.ask(b"qC") in (b"QC1", b"E07"), noise
            line.buffer = b""
    with Line(guest.machine) as line:
        line.ask(b"qSupported")
        for packet, reply in REFUSED.items():
            assert line.ask(packet) == reply, packet
        line.send(b"$m100200,")  # and vanishes in the middle
    said = gdb(guest.machine, "x/i $pc", "detach")
    assert "=> 0x100200:\tcld" in said, said
    guest.expect("tiny: PASS gdb")


def test_memory_on_the_line(platform, waiting):
    """How many bytes 64 KiB are: docs/DEBUGGING.md names the figures."""
    guest = waiting(platform)
    with Line(guest.machine) as line:
        line.ask(b"qSupported")
        line.ask(b"QStartNoAckMode")

        def read(address, letter):
            before, data = line.received, b""
            while len(data) < 2 * 65536:
                data += line.ask(b"%c%x,%x" % (letter, address + len(data) // 2, 0x2000))
            return data, line.received - before
        zeros, cost = read(0x1000000, b"m"[0])
        assert zeros == b"0" * 131072
        assert cost < 4400  # 0.4 s at 11,520 bytes a second
        _, cost = read(0x100000, b"m"[0])
        assert cost < 131072 + 8 * 4
        line.ask(b"D")
    guest.expect("tiny: PASS gdb")


def test_a_wait_without_a_line_is_refused(platform, image, tiny):
    result = machine.run(image(edit=wait_for_gdb, KERNEL=tiny("gdb")), platform)
    assert '"debug = wait" in pxhv.cfg waits for GDB on COM2' in result.text, result
    assert not result.ended


def test_a_kernel_at_work(linux):
    """Attached while it runs: a breakpoint by symbol, a user's memory through the kernel's tables, a
    watchpoint on a variable of the kernel, and the guest goes on."""
    def address(name):
        line = linux.shell(f"grep -m 1 ' {name}$' /proc/kallsyms", timeout=600).splitlines()[0]
        return int(line.split()[0], 16)
    call, names = address("__x64_sys_sethostname"), address("init_uts_ns")
    with Gdb(linux.machine, f"break *{call:#x}") as debugger:
        debugger.send("continue")
        debugger.child.expect("Continuing")
        linux.line.send("hostname fowl\n")
        said = debugger.answer()
        assert re.search(rf"Breakpoint 1, 0x0*{call:x} in", said), said
        # struct pt_regs has RDI at 70h: the name is in the program's memory.
        said = debugger.tell("x/s *(char **)($rdi + 0x70)")
        assert '"fowl"' in said, said
        debugger.tell("set {char}*(char **)($rdi + 0x70) = 'h'")
        debugger.tell("delete")
        # struct new_utsname: sysname, then nodename, of 65 bytes each.
        said = debugger.tell(f"find {names:#x}, +8, (char)'L'")
        where = int(re.search(r"0x[0-9a-f]+", said)[0], 16) + 65
        debugger.tell(f"watch *(char *){where:#x}")
        said = debugger.tell("continue")
        assert "Hardware watchpoint" in said and "New value = 104 'h'" in said, said
        said = debugger.tell("monitor phys on")
        assert "phys is on" in said, said
        debugger.tell("detach")
    linux.expect(re.escape(linux.prompt))
    assert linux.shell("hostname").strip() == "howl"
    # What the processor says is what the kernel knows.
    said = gdb(linux.machine, "info registers cr0 cr4 efer", "p $cs", "detach")
    assert re.search(r"cr0 .* PG \]", said) and re.search(r"efer .* SCE .* LMA", said), said
    assert linux.shell("echo $((6 * 7))").strip() == "42"
