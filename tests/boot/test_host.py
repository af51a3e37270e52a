"""Machines that differ from the usual one: CPUs, memory, and what a PC may lack."""

import re
import struct

import pytest

import machine
from machine import passes
from platforms import AMDV, AMDV_Q35, AMDV_TICKS, VTX


# --- CPUs ---------------------------------------------------------------------------------------

def test_other_cpus_wait_for_a_start_up(stick):
    """The BIOS leaves them halted in a loop of its own. Bochs' log ends with each CPU's state."""
    result = passes(machine.run(stick, VTX, count=2))
    with_state = re.findall(r"\[CPU1 +\] CPU is in .*\((.*)\)", result.report)
    assert with_state == ["waiting for SIPI"], result


def test_four_cpus(stick):
    passes(machine.run(stick, AMDV, arguments=["-smp", "4"]))


def test_x2apic_left_on_by_firmware(stick, tmp_path):
    machine.chain_before(stick, tmp_path / "sector", X2APIC=1)
    passes(machine.run(stick, VTX), "^lapic: x2APIC, left on by the firmware$")


def test_interrupts_left_on_in_the_io_apic(console, image, tiny, tmp_path):
    """COM1's come twice before the VMM takes the machine, as vector 99h for the second time."""
    stick = image(KERNEL=tiny("keyboard_both"), edit=lambda text: text + "[pxhv]\nkeyboard = both\n")
    one = console(AMDV_Q35, machine.chain_before(stick, tmp_path / "sector", IOAPIC=1))
    one.expect("ioapic: 1 interrupts that the firmware left on are masked")
    one.expect("tiny: press a")
    one.line.send("xyz")  # three interrupts of the host's
    one.machine.press("a")
    one.expect("tiny: FAIL|tiny: PASS")
    assert one.wait_for_end()
    assert "nobody expects" not in one.log, one.log


def test_an_smi_in_the_io_apic_stays(stick, tmp_path):
    machine.chain_before(stick, tmp_path / "sector", SMI=1)
    result = passes(machine.run(stick, AMDV_Q35))
    assert "left on" not in result.text, result


def test_hpet_left_on_by_firmware(image, tiny, tmp_path):
    """Its messages came on vector 98h until the VMM took the machine; the last one waits still."""
    stick = machine.chain_before(image(KERNEL=tiny("hlt")), tmp_path / "sector", HPET=1)
    result = machine.run(stick, AMDV_Q35, arguments=["-global", "hpet.msi=on"])
    assert "tiny: PASS hlt" in result.text and result.ended, result
    assert result.text.count("nobody expects") <= 1, result


# --- memory -------------------------------------------------------------------------------------

@pytest.mark.parametrize("platform", [AMDV, AMDV_Q35], ids=["pc", "q35"])
def test_memory_above_4_gib(stick, platform):
    """The hole below 4 GiB is 1 GiB on pc and 2 GiB on q35."""
    passes(machine.run(stick, platform, megs=6144), r"^pxHV: memory: 614\d MiB usable$",
           r"5[89]\d\d MiB free$")


def test_guest_larger_than_what_lies_below_4_gib(image, tiny):
    passes(machine.run(image(KERNEL=tiny("cpuid"), MEMORY="5G"), AMDV, megs=6144),
           "linux: 5120 MiB for the guest")


# --- what a PC may lack -------------------------------------------------------------------------

@pytest.mark.parametrize("options, line", [
    ("i8042=off", "^keyboard: no i8042"),
    ("pit=off", r"^time: TSC at \d+\.\d+ MHz by HPET$"),
    ("pit=off,hpet=off", r"^time: TSC at \d+\.\d+ MHz by ACPI PM timer$"),
    ("hpet=off", r"^time: TSC at \d+\.\d+ MHz by PIT$"),
])
@pytest.mark.parametrize("board", ["pc", "q35"])
def test_legacy_free(stick, board, options, line):
    passes(machine.run(stick, AMDV, machine=f"{board},{options}"), line)


def test_loader_does_not_wait_for_a_pit_that_is_not_there(stick):
    """Each look at it is a microsecond or more on hardware; here they count as instructions."""
    def loading_us(board):
        result = passes(machine.run(stick, AMDV_TICKS, machine=board))
        begin, end = re.search(r"stage 2 (\d+), files read (\d+)", result.text).groups()
        return int(end) - int(begin)

    assert loading_us("pc,pit=off") < loading_us("pc")


@pytest.mark.parametrize("iommu", ["intel-iommu", "amd-iommu"])
def test_iommu(stick, iommu):
    passes(machine.run(stick, AMDV_Q35, arguments=["-device", iommu]))


@pytest.mark.parametrize("address", [0x100000, 0x8000000, 0x7FFFFFFFF000])
def test_timer_registers_where_memory_is(stick, tmp_path, address):
    """A table of the firmware's says that the HPET is where the VMM, free memory or nothing is."""
    table = bytearray(struct.pack("<4sIBB6s8sI4sII4BQBHB", b"HPET", 56, 1, 0, b"BOCHS ", b"BXPCHPET",
                                  1, b"TEST", 1, 0x8086A201, 0, 64, 0, 0, address, 0, 0, 0))
    table[9] = -sum(table) & 0xFF
    path = tmp_path / "hpet"
    path.write_bytes(table)
    passes(machine.run(stick, AMDV, machine="pc,hpet=off",
                       arguments=["-acpitable", f"file={path}"]), "^time: TSC at .* by PIT$")
