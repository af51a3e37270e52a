"""The tiny guests: a few instructions each, and what the manuals say that they do."""

import os
import re

import pytest

import machine
from platforms import AMDV_BOCHS, AMDV_TICKS, FOR_TINY_GUESTS, VTX

# Somebody has to press a key, or to restart it; or another file has more to ask: test_apic.py,
# test_storms.py, test_time.py.
ELSEWHERE = ("apic_typed", "keyboard", "idle", "hour", "halt_forever", "wait_forever", "storm_forever",
             "stack_nowhere", "into_nowhere")

NAMES = sorted(name.removesuffix(".asm")
               for name in os.listdir(os.path.join(machine.ROOT, "guest", "tiny"))
               if name.endswith(".asm") and not name.startswith(ELSEWHERE))

# What else must be on the serial line, in this order.
EXPECTED = {
    "rep_outs": ["tiny: this line came by REP OUTSB"],
    "triple_fault": ["tiny: first boot", "triple fault", "tiny: second boot"],
    "reboot_cf9": ["tiny: first boot", "tiny: second boot"],
    "reboot_kbd": ["tiny: first boot", "tiny: second boot"],
}


# What a guest of AMD-V does without an exit is the emulator's own work, and these are its lacks.
# - task_switch: neither emulator sets DR6.BT. trap_and_mov_ss: TCG doesn't hold traps, nor knows
#   INT1; Bochs forgets a held trap at an exit.
# - native_checks: TCG takes any segment base, and for a bad CR3 it ends the guest's turn as if VMRUN
#   had failed.
# - triple_fault: Bochs resets the machine although shutdown is intercepted; entry32_modes: it raises
#   #GP for a MOV to CR0 before the intercept, and that ends the same way; single_step, nmi,
#   task_events: it carries a pending trap over the exit into the host, without DR6.BS; sti_hlt, apic_changed,
#   priorities: with the guest's IF at 0 it lets no interrupt of the host end the guest's turn, so that
#   no time passes for a guest that polls.
# - apic_masked: Bochs delivers a virtual interrupt in spite of a clear IF while one of the host's is
#   pending. test_apic.py runs it without virtual-interrupt delivery.
NOT_ON = {
    "task_switch": (AMDV_TICKS, AMDV_BOCHS),
    "native_checks": (AMDV_TICKS,),
    "triple_fault": (AMDV_BOCHS,),
    "entry32_modes": (AMDV_BOCHS,),
    "single_step": (AMDV_BOCHS,),
    "nmi": (AMDV_BOCHS,),
    "task_events": (AMDV_BOCHS,),
    "priorities": (AMDV_BOCHS,),
    "trap_and_mov_ss": (AMDV_TICKS, AMDV_BOCHS),
    "sti_hlt": (AMDV_BOCHS,),
    "apic_changed": (AMDV_BOCHS,),
    "apic_masked": (VTX,),
}
CASES = [pytest.param(platform, name, id=f"{platform.ident}-{name}")
         for platform in FOR_TINY_GUESTS for name in NAMES if platform not in NOT_ON.get(name, ())]


@pytest.mark.parametrize("platform, name", CASES)
def test_tiny_guest(platform, name, image, tiny, tmp_path):
    disk = tmp_path / "disk.img"
    disk.write_bytes(bytes(1 << 20))
    result = machine.run(image(KERNEL=tiny(name), DISK=disk, MEMORY="32M"), platform)
    assert f"entering linux with {platform.vendor}" in result.text, result
    assert "tiny: FAIL" not in result.text, result
    assert f"tiny: PASS {name}" in result.text, result
    place = 0
    for words in EXPECTED.get(name, []):
        place = result.text.find(words, place)
        assert place >= 0, (words, result)
    assert result.ended, result


def test_boot_lines_appear_in_order(platform, image, tiny):
    result = machine.run(image(KERNEL=tiny("cpuid"), MEMORY="32M"), platform)
    place = 0
    for words in ("pxHV: Pixel Hypervisor v", "Jumping to hypervisor...",
                  "Stage 2: Hypervisor loader", f"{platform.vendor} supported",
                  "Long mode enabled", platform.enabled, "tiny: PASS cpuid"):
        place = result.text.find(words, place)
        assert place >= 0, (words, result)


@pytest.mark.parametrize("model", ["corei5_arrandale_m520", "corei7_sandy_bridge_2600k",
                                   "corei7_ivy_bridge_3770k", "corei7_haswell_4770",
                                   "corei7_skylake_x", "corei3_cnl", "corei7_icelake_u",
                                   "tigerlake"])
def test_other_processors_with_all_that_is_needed(model, image, tiny):
    """From the first one with an unrestricted guest to the newest."""
    result = machine.run(image(KERNEL=tiny("cr"), MEMORY="32M"), VTX, model=model)
    assert "tiny: PASS cr" in result.text and result.ended, result


@pytest.mark.parametrize("model, exits", [("corei5_arrandale_m520", False),
                                          ("corei7_sandy_bridge_2600k", True)])
def test_preemption_timer_with_an_erratum(model, exits, image, tiny):
    """The host's timer in its place: no exit of its own."""
    result = machine.run(image(KERNEL=tiny("apic_timer"), MEMORY="32M"), VTX, model=model)
    assert "tiny: PASS apic_timer" in result.text and result.ended, result
    assert (re.search(r"^ +\d+  deadline ", result.text, re.M) is not None) == exits, result
