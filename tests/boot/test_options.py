"""Debian's kernel on ttyS0 with options that make it use other interrupt controllers and clocks: each
time to its shell, the interrupts of every device counted where they are expected. On VT-x, and where
one boot shows what another showed already, in `make test-full` only."""

import re

import pytest

import platforms

IO_APIC, PIC, MSI = "IO-APIC", "XT-PIC", "PCI-MSI"
SYSTEM = "/sys/devices/system"
# The TSC where the emulated CPU says that it is invariant, else KVM's clock.
CLOCK = {"VT-x": "tsc", "AMD-V": "kvm-clock"}
ALARM = "/sys/class/rtc/rtc0/wakealarm"


class Case:
    """Which controllers the devices of ISA and of PCI are counted at, where the tick comes from, and
    by which clock the kernel goes."""

    def __init__(self, options, isa=IO_APIC, pci=MSI, tick="lapic-deadline", clock=None, x2apic=True,
                 often=True):
        self.options = options
        self.isa = isa
        self.pci = pci
        self.tick = tick
        self.clock = clock
        self.x2apic = x2apic
        self.often = often  # in `make test`, on AMD-V


CASES = (
    Case(""),
    Case("nolapic", isa=PIC, pci=PIC, tick="hpet", x2apic=False),
    Case("noapic", isa=PIC, x2apic=False),
    Case("nox2apic", x2apic=False),
    Case("lapic=notscdeadline", tick="lapic"),
    Case("pci=nomsi", pci=IO_APIC),
    Case("acpi=off", isa=PIC, pci=PIC, tick="pit", x2apic=False),
    Case("pci=noacpi", isa=PIC, pci=PIC, tick="hpet", x2apic=False),
    Case("clocksource=tsc", clock="tsc"),
    Case("clocksource=hpet", clock="hpet", often=False),
    Case("clocksource=acpi_pm", clock="acpi_pm", often=False),
    Case("hpet=force", often=False),
    Case("pci=nommconf", often=False),
)


def parameters():
    for platform in (platforms.AMDV, platforms.VTX):
        for case in CASES:
            often = case.often and platform is platforms.AMDV
            yield pytest.param(platform, case, marks=[] if often else pytest.mark.full,
                               id=f"{platform.ident}-{case.options or 'plain'}")


def interrupts(guest):
    """Count and controller by the name of what asks for it; LOC by its own."""
    text = guest.shell("cat /proc/interrupts")
    found = {"LOC": (int(re.search(r"LOC:\s+(\d+)", text)[1]), "")}
    for count, controller, names in re.findall(
            r"^\s*\d+:\s+(\d+)\s+(\S+)(?: +\d+-\w+)? +(\S.*?)\r*$", text, re.M):
        if controller.startswith("PCI-MSIX-"):  # in Linux 6.12 each function has its own
            controller = MSI
        found.update((name, (int(count), controller)) for name in names.split(", "))
    assert re.search(r"ERR:\s+0\b", text) and re.search(r"SPU:\s+0\b", text), text
    return found


def has_alarm(case):
    """Without ACPI the kernel lets no program set one."""
    return case.options != "acpi=off"


def use_everything(guest, case):
    """An interrupt from each device that can be asked for one; the keyboard's came at its probe."""
    guest.shell("echo 3 > /proc/sys/vm/drop_caches; dd if=/dev/vda of=/dev/null bs=64k count=4")
    assert guest.shell("head -c 64 /dev/hwrng | wc -c").split()[-1] == "64"
    guest.line.send("sh -c 'echo say $((6 * 7)); read x; echo heard $x' </dev/hvc0 >/dev/hvc0\n")
    guest.expect("say 42\r+\n")
    guest.line.send("something\n")
    guest.expect("heard something")
    guest.expect(re.escape(guest.prompt))
    if has_alarm(case):
        guest.shell(f"echo +3 > {ALARM}; while [ -n \"$(cat {ALARM})\" ]; do sleep 1; done")


def names_of_pci(case):
    if case.pci == MSI:
        return ("virtio0-req.0", "virtio1-input", "virtio1-output", "virtio2-input")
    return ("virtio0", "virtio1", "virtio2")


def check_log(guest, case):
    """The kernel complains about nothing. Without a local APIC drivers/pci/msi of 6.1 does, twice, as it
    does on any machine: it has no parent for the MSIs that virtio-pci asks for. 6.12 doesn't."""
    bad = "WARNING: CPU|BUG:|Oops|nobody cared|I/O error|ACPI (BIOS )?(Error|Warning)|irmware [Bb]ug"
    lines = guest.shell(f"dmesg | grep -E '{bad}'").splitlines()
    lines = [line for line in lines if line.strip()]
    if case.pci == PIC:
        assert len(lines) in (0, 2) and all("at drivers/pci/msi/msi.h:" in line for line in lines), lines
    else:
        assert lines == []


@pytest.mark.parametrize("platform, case", parameters())
def test_every_device_is_heard_with(platform, case, console, image):
    guest = console(platform, image(CMDLINE=f"console=ttyS0 quiet {case.options}".strip()))
    guest.wait_for_shell()
    before = interrupts(guest)
    use_everything(guest, case)
    after = interrupts(guest)

    for name in ("timer", "i8042", "ttyS0", "rtc0"):
        assert after[name][1] == case.isa, (name, after)
    for name in ("timer", "i8042"):
        assert after[name][0] > 0, (name, after)
    for name in ("ttyS0", "rtc0") if has_alarm(case) else ("ttyS0",):
        assert after[name][0] > before[name][0], (name, before, after)
    for name in names_of_pci(case):
        assert after[name][1] == case.pci and after[name][0] > before[name][0], (name, before, after)
    tick = "LOC" if case.tick.startswith("lapic") else "timer"
    assert after[tick][0] > before[tick][0], (before, after)

    assert guest.shell(f"cat {SYSTEM}/clockevents/clockevent0/current_device").split() == [case.tick]
    clock = guest.shell(f"cat {SYSTEM}/clocksource/clocksource0/current_clocksource").split()
    assert clock == [case.clock or CLOCK[platform.vendor]]
    x2apic = guest.shell("dmesg | grep -cE 'routing to:? physical x2apic'").split() == ["1"]
    assert x2apic == case.x2apic
    check_log(guest, case)
