"""The CPU's help for the guest's local APIC: what it saves, and that guests find the same without."""

import os
import re

import pytest

import machine
from platforms import AMDV_BOCHS, AMDV_TICKS, FOR_TINY_GUESTS, VTX, qemu_version

HELP = {
    (VTX, "on"): r"TPR shadow, APIC-register virtualization, virtual-interrupt delivery, .*",
    (VTX, "tpr"): "TPR shadow",
    (AMDV_TICKS, "on"): "V_TPR",
    (AMDV_BOCHS, "on"): "V_TPR",
}
ROUNDS = 300  # of each loop of guest/tiny/apic_help.asm


def needs_reads_of_cr8_to_exit(platform):
    """Without help a guest's TPR is pxHV's alone, and V_TPR is not it."""
    if platform is AMDV_TICKS and qemu_version() >= (10, 0):
        pytest.skip("the TCG of QEMU 10.0 lets MOV from CR4 and CR8 run in spite of their intercepts")


def run(image, tiny, platform, name, apicv, **options):
    def edit(config):
        return config + f"apicv = {apicv}\n"
    result = machine.run(image(edit, KERNEL=tiny(name), MEMORY="32M"), platform, **options)
    assert f"tiny: PASS {name}" in result.text and result.ended, result
    return result


def help_of(result):
    return re.search(r"help for the guest's local APIC: (.*)", result.text)[1]


def exits(result, kind):
    """How many there were, by the account that pxHV prints at the end."""
    found = re.search(rf"^ +(\d+)  {re.escape(kind)}  ", result.text, re.M)
    return int(found[1]) if found else 0


def by_ident(platform):
    return platform.ident


@pytest.mark.parametrize("platform", FOR_TINY_GUESTS, ids=by_ident)
def test_cr8_exits_only_without_help(platform, image, tiny):
    result = run(image, tiny, platform, "apic_help", "on")
    assert re.fullmatch(HELP[platform, "on"], help_of(result)), result
    assert exits(result, "MOV to CR") + exits(result, "MOV from CR") == 0, result
    needs_reads_of_cr8_to_exit(platform)
    result = run(image, tiny, platform, "apic_help", "off")
    assert help_of(result) == "none", result
    assert exits(result, "MOV to CR") == 2 * ROUNDS, result
    assert exits(result, "MOV from CR") == ROUNDS, result


def test_self_ipi_and_eoi_and_tpr_dont_exit_with_virtual_interrupt_delivery(image, tiny):
    result = run(image, tiny, VTX, "apic_help", "on")
    # Switching modes, the I/O APIC, LVTs; but the handler's look at IA32_APIC_BASE always exits.
    assert exits(result, "WRMSR") < 20, result
    assert exits(result, "nested page fault") < 100, result
    assert exits(result, "RDMSR") < 2 * ROUNDS + 50, result
    # While software has disabled the APIC, and in Bochs for what a level's end brings.
    assert exits(result, "interrupt window") < 10, result
    assert exits(result, "end of level interrupt") == 6, result
    result = run(image, tiny, VTX, "apic_help", "tpr")
    assert help_of(result) == "TPR shadow", result
    assert exits(result, "MOV to CR") == 0, result
    assert exits(result, "WRMSR") > 3 * ROUNDS, result
    # Accesses that follow one another share an exit.
    assert exits(result, "nested page fault") > ROUNDS, result
    assert exits(result, "RDMSR") > 5 * ROUNDS, result


# guest/tiny/apic_registers.asm: so many writes of its table are the VMM's to know, in each of so many
# rounds.
WRITES, WRITE_ROUNDS = 20, 100


def test_registers_are_read_without_an_exit_and_written_without_an_instruction(image, tiny):
    result = run(image, tiny, VTX, "apic_registers", "on")
    told = exits(result, "APIC write")
    assert WRITES * WRITE_ROUNDS < told < WRITES * WRITE_ROUNDS + 50, result
    # Registers that aren't there or only to be read, PPR and the current count.
    assert exits(result, "nested page fault") < 40, result
    result = run(image, tiny, VTX, "apic_registers", "off")
    assert exits(result, "APIC write") == 0, result
    # Accesses that follow one another share an exit, 32 at most.
    assert exits(result, "nested page fault") > WRITES * WRITE_ROUNDS // 10, result


@pytest.mark.parametrize("platform", FOR_TINY_GUESTS, ids=by_ident)
def test_a_request_waits_for_the_end_of_its_handler(platform, image, tiny, console):
    guest = console(platform, image(KERNEL=tiny("apic_typed"), MEMORY="32M"))
    guest.expect("tiny: type")
    guest.line.send("." * 1000)
    guest.expect(r"tiny: (PASS|FAIL) apic_typed.*\n")
    assert "PASS" in guest.line.match[0], guest.log
    assert guest.wait_for_end(), guest.log


# Processors of Bochs that take posted interrupts, and have no AVX-512 for Linux: see guest/bochs.py.
POSTED, POSTED_LINUX = "corei7_skylake_x", "arrow_lake"
BUSY_ROUNDS = 400  # of guest/tiny/apic_posted.asm: timers that expire while it is busy


@pytest.fixture(scope="module")
def posted(tmp_path_factory):
    """A processor with posted interrupts, where this Bochs has one."""
    own = str(tmp_path_factory.mktemp("posted") / "own.img")
    stick = machine.make_image(own, KERNEL=os.path.join(machine.BUILD, "tiny", "cpuid.bin"), MEMORY="32M")
    result = machine.passes(machine.run(stick, VTX, model=POSTED))
    if "posted interrupts" not in help_of(result):
        pytest.skip(f"this Bochs' {POSTED} has no posted interrupts: Bochs 3.0 or newer has")
    return POSTED


def test_a_busy_guests_timer_makes_no_exit_with_posted_interrupts_on_vtx(posted, image, tiny):
    result = run(image, tiny, VTX, "apic_posted", "on", model=posted)
    assert exits(result, "deadline") < 10, result
    # From HLT each is posted, taken back and asked for in the ordinary way.
    assert exits(result, "HLT") < 25, result
    result = run(image, tiny, VTX, "apic_posted", "delivery", model=posted)
    assert "posted" not in help_of(result), result
    assert exits(result, "deadline") > BUSY_ROUNDS * 9 // 10, result


@pytest.mark.parametrize("name", ("apic", "apic_modes", "apic_timer", "apic_changed", "apic_registers",
                                  "sti_hlt", "hlt_race", "shadows", "delivery", "priorities", "nmi", "tsc",
                                  "idle"))
def test_guests_find_the_same_with_posted_interrupts_on_vtx(posted, name, image, tiny):
    run(image, tiny, VTX, name, "on", model=posted)


def test_linux_ticks_without_exits_with_posted_interrupts_on_vtx(posted, console, image):
    # Quiet: Bochs delivers too soon when an interrupt of the host's, such as its UART's, joins.
    guest = console(VTX, image(QUIET=1), model=POSTED_LINUX, ips=1_000_000_000)
    guest.wait_for_shell()
    ticks = int(re.search(r"LOC: +(\d+)", guest.shell("grep LOC /proc/interrupts"))[1])
    guest.enter_monitor()
    told = guest.monitor("info exits")
    asleep = int(re.search(r"^ +(\d+)  HLT  ", told, re.M)[1])
    served = int(re.search(r"^ +(\d+)  deadline  ", told, re.M)[1])
    assert ticks > 100 and served < ticks - asleep, (ticks, told)


LESS = [pytest.param(platform, apicv, id=f"{platform.ident}-{apicv}")
        for platform, apicv in ((VTX, "tpr"), (VTX, "off"), (AMDV_TICKS, "off"))]


@pytest.mark.parametrize("name", ("apic", "apic_modes", "apic_timer", "apic_masked", "apic_changed",
                                  "apic_registers", "sti_hlt", "hlt_race", "shadows", "delivery",
                                  "priorities"))
@pytest.mark.parametrize("platform, apicv", LESS)
def test_guests_find_the_same_with_less_help(platform, apicv, name, image, tiny):
    if name == "apic":
        needs_reads_of_cr8_to_exit(platform)
    run(image, tiny, platform, name, apicv)


@pytest.mark.parametrize("model, words", [("corei7_sandy_bridge_2600k", "TPR shadow"),
                                          ("corei7_skylake_x", HELP[VTX, "on"])])
def test_other_processors(model, words, image, tiny):
    """One without virtual-interrupt delivery, and a server's."""
    for name in ("apic", "apic_help"):
        result = run(image, tiny, VTX, name, "on", model=model)
        assert re.fullmatch(words, help_of(result)), result
