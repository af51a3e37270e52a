"""The demo guest: Debian's kernel, unmodified, at its shell. The tests share one machine and run in
this order; the last two start it anew and switch it off."""

import base64
import re
import subprocess

import pytest

import machine
from test_console import clocks


def test_kernel_says_who_it_is(linux):
    assert "pxHV demo guest: Debian kernel" in linux.log
    # 6.1.0-56-cloud-amd64 on Debian 12, 6.12.117+deb13-cloud-amd64 on Debian 13
    assert re.search(r"6\.\d+\.\d+[-+]\w+-cloud-amd64", linux.shell("uname -r"))


def test_console_is_hvc0_and_the_early_messages_came_by_ttys0(linux):
    assert linux.shell("tty").strip() == "/dev/hvc0"
    assert linux.shell("cat /proc/consoles").split()[0] == "hvc0"
    assert linux.log.count("Linux version") == 1
    assert re.search(r"Linux version.*printk: (legacy )?console \[hvc0\] enabled", linux.log, re.S)
    assert re.search(r"printk: (legacy )?bootconsole \[earlyser0\] disabled", linux.log)


def test_no_warning_in_the_kernel_log(linux):
    text = linux.shell("dmesg | grep -E 'WARNING: CPU|BUG:|Oops|Call Trace|I/O error'")
    assert text.strip() == ""


def test_no_word_about_acpi_or_pci_in_the_kernel_log(linux):
    text = linux.shell("dmesg | grep -i -E 'ACPI (BIOS )?(Error|Warning|Exception)|firmware bug|PCI: (MMCONFIG|ECAM)'")
    assert [line for line in text.splitlines() if "PCI: " not in line] == []
    assert re.search(r"\[mem 0xfeb00000-0xfebfffff\].* for domain 0000 \[bus 00-00\]|"
                     r" for domain 0000 \[bus 00-00\] at \[mem 0xfeb00000-0xfebfffff\]", text)
    assert re.search(r"(MMCONFIG at|ECAM) \[mem 0xfeb00000-0xfebfffff\] reserved (in|as) ", text)
    iomem = linux.shell("cat /proc/iomem")
    assert re.search(r"feb00000-febfffff : PCI (MMCONFIG|ECAM) 0000 \[bus 00-00\]", iomem)
    assert re.search(r"feb00000-febfffff : pnp 00:", iomem)  # the DSDT reserves it, too


@pytest.mark.parametrize("name", ["APIC", "DSDT", "FACP", "FACS", "HPET", "MCFG"])
def test_acpi_tables_survive_iasl(linux, name, tmp_path):
    """Taken apart and compiled again they are the same, and iasl has nothing to say about them."""
    table = base64.b64decode(linux.shell(f"base64 /sys/firmware/acpi/tables/{name}"))
    (tmp_path / "table").write_bytes(table)
    for options in (["-d", "table"], ["-p", "again", "table.dsl"]):
        done = subprocess.run(["iasl", *options], cwd=tmp_path, capture_output=True, text=True,
                              check=True)
    assert "0 Errors, 0 Warnings" in done.stdout, done
    again = (tmp_path / "again.aml").read_bytes()

    def body(data):  # without checksum and maker, which are iasl's own
        return data[:9] + data[10:28] + data[36:]
    assert body(again) == body(table)


def test_disk_mounts(linux):
    assert linux.shell("mount /dev/vda /mnt") == ""
    assert "/dev/vda on /mnt type ext4" in linux.shell("mount")


def test_known_files_read_right(linux):
    with open(f"{machine.BUILD}/guest/MD5SUMS", encoding="ascii") as file:
        wanted = file.read().split()
    text = linux.shell("md5sum /mnt/random.bin /mnt/hello.txt")
    assert wanted[0] in text and wanted[2] in text
    assert "Hello from the disk" in linux.shell("cat /mnt/hello.txt")


def test_written_data_reads_back_from_the_device(linux):
    linux.shell("dd if=/mnt/random.bin of=/mnt/copy bs=64k count=16 2>/dev/null; sync")
    # Out of the page cache, so that the next read asks the device.
    linux.shell("echo 3 > /proc/sys/vm/drop_caches")
    text = linux.shell("head -c 1048576 /mnt/random.bin | md5sum; md5sum < /mnt/copy")
    sums = re.findall(r"[0-9a-f]{32}", text)
    assert len(sums) == 2 and sums[0] == sums[1]


def test_interrupts_are_counted(linux):
    """Those of all devices, and with ttyS0: test_options.py."""
    text = linux.shell("cat /proc/interrupts")
    counts = {name: int(count) for count, name in
              re.findall(r"^\s*\d+:\s+(\d+)\s.*\s(\S+)$", text, re.M)}
    assert counts["virtio0-req.0"] > 0
    assert counts["virtio1-input"] > 0 and counts["virtio1-output"] > 0  # the console
    assert "ttyS0" not in counts
    assert re.search(r"IO-APIC\s+2-edge\s+timer", text)
    assert re.search(r"IO-APIC\s+9-fasteoi\s+acpi", text)
    assert re.search(r"PCI-MSI.*virtio0-req", text)
    # The tick comes from the local APIC, in the end.
    assert int(re.search(r"LOC:\s+(\d+)", text).group(1)) > 0
    assert re.search(r"SPU:\s+0 ", text) and re.search(r"ERR:\s+0\b", text)


def test_date_is_the_hosts(linux):
    """When the guest began: since then its emulated clock has run at a speed of its own."""
    date, uptime = linux.shell("date +%s; cut -d. -f1 /proc/uptime").split()
    assert abs(int(date) - int(uptime) - linux.started) < 3600


def test_time_passes_in_sleep(linux):
    """As much as was asked for, and no more than the machine itself sees."""
    linux.enter_monitor()
    hz = float(re.search(r"TSC at ([\d.]+) MHz", linux.monitor("info cpu"))[1]) * 1e6
    begun = clocks(linux)[1]
    linux.leave_monitor()
    before, after = linux.shell("cut -d' ' -f1 /proc/uptime; sleep 2; cut -d' ' -f1 /proc/uptime").split()
    linux.enter_monitor()
    most = (clocks(linux)[1] - begun) / hz
    linux.leave_monitor()
    assert 1.98 < float(after) - float(before) <= most + 0.1


def test_memory_is_what_was_asked_for(linux):
    kib = int(re.search(r"MemTotal:\s+(\d+) kB", linux.shell("cat /proc/meminfo")).group(1))
    assert 200 << 10 < kib <= 256 << 10


def test_virtualization_is_hidden(linux):
    flags = linux.shell("grep -m1 ^flags /proc/cpuinfo")
    assert " hypervisor" in flags and " vmx" not in flags and " svm" not in flags


def test_ctrl_c_ends_the_job_in_the_foreground(linux):
    # Longer than the emulator, whose time runs fast while the guest sleeps, gets in the timeout.
    # The answer tells that the job has the terminal: before, Ctrl-C is a key of the line editor's.
    linux.line.send("sh -c 'echo job $((6 * 7)) runs; exec sleep 1000000'\n")
    linux.expect("job 42 runs")
    linux.line.send("\x03")
    linux.expect("/ # ")
    assert "alive" in linux.shell("echo alive")


def test_job_control(linux):
    assert "Running" in linux.shell("sleep 1000000 & jobs")
    linux.shell("kill %1")


def test_reboot_starts_the_guest_anew(linux):
    linux.shell("echo kept > /mnt/kept; touch /tmp/gone; sync")
    linux.line.send("reboot\n")
    linux.expect("pxHV demo guest: Debian kernel")
    linux.expect("/ # ")
    assert "No such file" in linux.shell("ls /tmp/gone")
    # The RAM disk belongs to the machine, not to the boot.
    assert "kept" in linux.shell("mount /dev/vda /mnt; cat /mnt/kept")


def test_poweroff_ends_the_machine(linux):
    linux.line.send("poweroff\n")
    assert linux.wait_for_end(), linux.log[-2000:]
    assert "powered off" in linux.log
