"""pxHV under KVM that nests: what `make run-kvm` meets on a laptop with AMD-V. The tests share one
chain of machines, run in this order, and each needs the ones before it."""

import re
import time

import chain as machines


def test_kvm_host_nests_by_itself(kvm_host):
    kvm_host.expect(re.escape(kvm_host.prompt))
    # A line wider than the terminal would come back wrapped.
    kvm_host.shell("stty cols 1000")
    assert "/dev/kvm" in kvm_host.shell("ls /dev/kvm")
    assert kvm_host.shell("cat /sys/module/kvm_amd/parameters/nested").strip() == "1"


def test_pxhv_enters_linux_with_amd_v(chain, guest):
    chain.start_pxhv()
    guest.expect_exact("running under KVM, which nests AMD-V.")
    guest.expect("AMD-V supported")
    guest.expect(r"entering linux with AMD-V|error: [^\n]*")
    assert "entering linux with AMD-V" in guest.log


def test_debian_reaches_its_shell(guest):
    guest.expect(re.escape(guest.prompt))
    guest.shell("stty cols 1000")
    assert "pxHV demo guest: Debian kernel" in guest.log
    assert re.search(r"6\.\d+\.\d+[-+]\w+-cloud-amd64", guest.shell("uname -r"))


def test_kernel_sees_a_hypervisor_but_no_amd_v(guest):
    flags = guest.shell("grep -m1 ^flags /proc/cpuinfo").split()
    assert "hypervisor" in flags and "svm" not in flags


def test_known_files_read_right(guest):
    with open(f"{machines.BUILD}/guest/MD5SUMS", encoding="ascii") as file:
        wanted = dict(reversed(line.split()) for line in file)
    assert guest.shell("mount /dev/vda /mnt") == ""
    text = guest.shell("md5sum /mnt/random.bin /mnt/hello.txt")
    assert wanted["random.bin"] in text and wanted["hello.txt"] in text


def test_written_data_reads_back_from_the_device(guest):
    guest.shell("dd if=/mnt/random.bin of=/mnt/copy bs=64k count=16 2>/dev/null; sync")
    # Out of the page cache, so that the next read asks the device.
    guest.shell("echo 3 > /proc/sys/vm/drop_caches")
    text = guest.shell("head -c 1048576 /mnt/random.bin | md5sum; md5sum < /mnt/copy")
    sums = re.findall(r"[0-9a-f]{32}", text)
    assert len(sums) == 2 and sums[0] == sums[1]


def test_time_passes_in_sleep(guest):
    began = time.monotonic()
    before, after = guest.shell("cut -d' ' -f1 /proc/uptime; sleep 2; cut -d' ' -f1 /proc/uptime").split()
    # The outermost clock is this computer's.
    most = time.monotonic() - began
    assert 1.98 < float(after) - float(before) <= most + 0.1


def test_no_warning_in_the_guests_log(guest):
    assert int(guest.shell("dmesg | wc -l").split()[-1]) > 100
    text = guest.shell("dmesg | grep -E 'WARNING: CPU|BUG:|Oops|I/O error'")
    # TCG runs the guest's XSETBV without the exit that KVM asks for; so KVM puts its own idea of XCR0
    # back, and the guest finds that it isn't what it wrote. No other warning is known.
    known = "fpu__init_system_xstate"
    assert [line for line in text.splitlines() if line.strip() and known not in line] == []


def test_kvm_has_no_complaint(kvm_host):
    """KVM logs once, at pr_info or louder, what a VMCB or an MSR access does wrong."""
    kvm = kvm_host.shell("dmesg | grep -i -E 'kvm|svm'")
    assert "Nested Virtualization enabled" in kvm
    known = r"Nested (Virtualization|Paging) enabled|PMU virtualization is disabled"
    assert [line for line in kvm.splitlines() if line.strip() and not re.search(known, line)] == []
    text = kvm_host.shell("dmesg | grep -E 'WARNING: CPU|BUG:|Oops|Call Trace'")
    assert text.strip() == ""


def test_poweroff_ends_guest_pxhv_and_qemu(kvm_host, guest):
    guest.line.send("poweroff\n")
    guest.expect("the guest powered off")
    guest.expect("pxHV: powering off")  # behind its account of the exits, each byte of it an exit of KVM's
    assert re.search(r"status 0\b", kvm_host.shell("wait $pxhv; echo status $?"))
    assert "qemu-system" not in guest.log  # a complaint would begin with its name


def test_kvm_host_powers_off(chain, kvm_host):
    kvm_host.line.send("poweroff\n")
    assert chain.wait_for_end() == 0
