"""Machines of QEMU's two kinds, from 256 MiB to 8 GiB: the guest gets what was asked for, or what
there is; and what pxHV takes for itself."""

import os
import re

import pytest

import machine
from platforms import AMDV, AMDV_Q35


def mem_total_mib(text):
    return int(re.search(r"MemTotal:\s+(\d+) kB", text).group(1)) >> 10


# The guest's MemTotal is less than its memory: the kernel keeps some. Where pxhv.cfg gives no
# memory, a machine of 256 MiB has less than the default, for the files lie in it too.
@pytest.mark.parametrize("platform, megs, memory, least, most", [
    pytest.param(AMDV, 256, None, 100, 220, id="amdv-pc-256M"),
    pytest.param(AMDV_Q35, 256, None, 100, 220, id="amdv-q35-256M"),
    pytest.param(AMDV_Q35, 512, None, 200, 256, id="amdv-q35-512M"),
    pytest.param(AMDV, 4096, "3584M", 3400, 3584, id="amdv-pc-4G"),
    pytest.param(AMDV, 8192, "7G", 6800, 7168, id="amdv-pc-8G"),
    pytest.param(AMDV_Q35, 8192, "7G", 6800, 7168, id="amdv-q35-8G"),
])
def test_memory(platform, megs, memory, least, most, image, console):
    files = os.path.join(machine.BUILD, "guest")
    asked = {"MEMORY": memory} if memory else {}
    path = image(KERNEL=f"{files}/vmlinuz", INITRD=f"{files}/initrd.img",
                 CMDLINE="console=ttyS0 quiet", **asked)
    guest = console(platform, path, megs=megs)
    guest.wait_for_shell()
    assert least <= mem_total_mib(guest.shell("cat /proc/meminfo")) <= most
    guest.shell("mount -t tmpfs -o size=90% tmpfs /mnt")
    guest.shell("dd if=/dev/urandom of=/mnt/a bs=1M count=32 2>/dev/null; cp /mnt/a /mnt/b")
    assert "same" in guest.shell("cmp /mnt/a /mnt/b && echo same")
    guest.line.send("poweroff\n")
    assert guest.wait_for_end(), guest.log[-2000:]


def test_less_than_a_mib_is_pxhvs_beside_the_guest(platform, image, tiny):
    result = machine.run(image(KERNEL=tiny("cpuid"), MEMORY="256M"), platform)
    machine.passes(result)
    kib = int(re.search(r"256 MiB for the guest, (\d+) KiB resident", result.text).group(1))
    assert 512 < kib < 1024, result
