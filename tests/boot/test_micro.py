"""The microbenchmark guest: under pxHV it prints all of its rows; and it starts without pxHV, as
anybody's kernel does."""

import os
import re
import subprocess

import pytest

import machine
from bench.micro import KVM, rows
from platforms import AMDV_TICKS, VTX

SOURCE = os.path.join(machine.ROOT, "guest", "micro", "micro.asm")
KERNEL = os.path.join(machine.BUILD, "bench", "micro.bin")
# Printed in the place of the rows that need the mode.
WITHOUT_DEADLINE = "TSC deadline"


def all_rows():
    with open(SOURCE, encoding="ascii") as file:
        return set(re.findall(r'^ +(?:SAY_)?ROW +"(.*?)"', file.read(), re.M))


@pytest.mark.parametrize("platform", (VTX, AMDV_TICKS), ids=lambda platform: platform.ident)
def test_each_row_is_printed(platform, image):
    result = machine.run(image(KERNEL=KERNEL, MEMORY="32M"), platform)
    assert "tiny: PASS micro" in result.text and result.ended, result
    found = rows(result.text)
    assert set(found) == all_rows() - {WITHOUT_DEADLINE}, result
    for name in KVM[platform.vendor]:
        assert found[name], (name, result)
    assert all(least <= mean + 0.05 for least, mean in filter(None, found.values())), result


def test_starts_by_the_real_mode_entry_without_pxhv():
    """QEMU's own loader; its CPU has neither an x2APIC nor the deadline mode. With time in
    instructions each row takes those that it is made of."""
    done = subprocess.run(
        ["qemu-system-x86_64", "-nodefaults", "-display", "none", "-serial", "stdio", "-m", "64",
         "-accel", "tcg", "-cpu", "EPYC", "-icount", "shift=0,sleep=off", "-kernel", KERNEL],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600, check=True)
    found = rows(done.stdout.replace("\r", ""))
    assert found["CPUID, leaf 0"] == found["IN from the 8259A's mask"] == (1, 1.0), done
    assert found["MOV to CR0, twice: WP"] == (2, 2.0), done
    assert found["self-IPI, STI"][0] > 10 and found[WITHOUT_DEADLINE] is None, done
