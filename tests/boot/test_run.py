"""`make run` and its kin as a person uses them, at a terminal; and what says whether KVM can be
used."""

import os
import struct
import subprocess
import sys

import pexpect
import pytest

import machine
import kvm  # found through platforms


# --- guest/kvm.py -------------------------------------------------------------------------------

def a_root(tmp_path, flags, **files):
    """A directory that looks like a machine's root; "dev__kvm" stands for dev/kvm."""
    for name, text in {"proc__cpuinfo": f"processor : 0\nflags\t\t: fpu {flags} nx\n",
                       **files}.items():
        path = tmp_path / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return str(tmp_path)


def test_cpu_without_virtualization(tmp_path):
    name, reason = kvm.probe(a_root(tmp_path, "lm"))
    assert name is None and "neither vmx nor svm" in reason and "firmware's setup" in reason


@pytest.mark.parametrize("flag, module", [("vmx", "kvm_intel"), ("svm", "kvm_amd")])
def test_module_that_is_not_loaded(tmp_path, flag, module):
    name, reason = kvm.probe(a_root(tmp_path, flag))
    assert name is None and f"modprobe {module}" in reason


def test_device_that_is_no_kvm(tmp_path):
    name, reason = kvm.probe(a_root(tmp_path, "svm", dev__kvm=""))
    assert name is None and "doesn't answer as KVM does" in reason


def test_device_without_permission(tmp_path, monkeypatch):
    def refused(*_):
        raise PermissionError(13, "Permission denied")
    monkeypatch.setattr(kvm.os, "open", refused)
    name, reason = kvm.probe(a_root(tmp_path, "svm"))
    assert name is None and "adduser USER kvm" in reason


@pytest.mark.parametrize("module, value", [("kvm_intel", "N"), ("kvm_amd", "0")])
def test_nesting_that_is_off(tmp_path, module, value):
    root = a_root(tmp_path, "svm", **{f"sys__module__{module}__parameters__nested": value})
    assert f"modprobe {module} nested=1" in kvm.why_no_nesting(root)


class FakeKvm:
    """Answers the ioctls; CPUID entries are (leaf, ecx)."""

    def __init__(self, entries, machines=True):
        self.entries = entries
        self.machines = machines

    def __call__(self, _, request, argument=None):
        if request == kvm.KVM_GET_API_VERSION:
            return 12
        if request == kvm.KVM_GET_SUPPORTED_CPUID:
            struct.pack_into("I", argument, 0, len(self.entries))
            for i, (leaf, ecx) in enumerate(self.entries):
                struct.pack_into("7I", argument, 8 + 40 * i, leaf, 0, 0, 0, 0, ecx, 0)
            return 0
        if not self.machines:
            raise OSError(16, "Device or resource busy")
        return os.open(os.devnull, os.O_RDONLY)


@pytest.mark.parametrize("entries, machines, name, words", [
    ([(0, 0), (1, 1 << 5)], True, "VT-x", None),
    ([(1, 0x80000000), (0x80000001, 1 << 2)], True, "AMD-V", None),
    ([(1, ~(1 << 5) & 0xffffffff), (0x80000001, ~(1 << 2) & 0xffffffff)], True, None,
     "neither VT-x nor AMD-V"),
    ([(1, 1 << 5)], False, None, "Device or resource busy"),
])
def test_what_kvm_offers(tmp_path, monkeypatch, entries, machines, name, words):
    monkeypatch.setattr(kvm.fcntl, "ioctl", FakeKvm(entries, machines))
    found, reason = kvm.probe(a_root(tmp_path, "svm", dev__kvm=""))
    assert found == name
    assert words is None and reason is None or words in reason


# --- at a terminal ------------------------------------------------------------------------------

def at_terminal(*command):
    return pexpect.spawn(command[0], list(command[1:]), cwd=machine.ROOT, timeout=300,
                         encoding="utf-8", codec_errors="replace", dimensions=(25, 200))


def test_make_run_gives_a_shell_and_ends_with_poweroff():
    name, reason = kvm.probe()
    chosen = f"under KVM, which nests {name}" if name else f"AMD-V, not under KVM: {reason}"
    child = at_terminal("make", "--no-print-directory", "run")
    child.expect_exact(f"{chosen}.")
    child.expect("/ # ")
    child.send("echo $((6 * 7))-here\n")
    child.expect("42-here")
    child.send("\x01\x01c")  # the terminal's program takes the first Ctrl-A
    child.expect("pxHV monitor: ")
    child.send("\x01\x01c")
    child.expect("back at the guest's console")
    child.send("poweroff\n")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


def test_ctrl_a_x_leaves():
    child = at_terminal("make", "--no-print-directory", "run-tcg", "MACHINE=q35", "RAM=1024")
    child.expect_exact("emulation of a PC with AMD-V.")
    child.expect("Stage 2: Hypervisor loader")
    child.send("\x01x")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


def test_run_kvm_without_nesting_says_why_and_fails():
    name, reason = kvm.probe()
    if name:  # then it must run, which test_make_run... has seen
        return
    done = subprocess.run(["make", "--no-print-directory", "run-kvm"], cwd=machine.ROOT,
                          capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert f"pxHV: not under KVM: {reason}." in done.stderr


def test_missing_emulator_is_named(tmp_path):
    done = subprocess.run([sys.executable, "guest/run.py", "tcg", "build/pxhv.img"],
                          cwd=machine.ROOT, env={"PATH": str(tmp_path)}, capture_output=True,
                          text=True, check=False)
    assert done.returncode != 0 and "qemu-system-x86" in done.stderr
