"""Whether this machine's KVM can run pxHV: it must offer its guests VT-x or AMD-V ("nesting").

KVM itself is asked, by the ioctls of the Linux kernel's "The Definitive KVM API Documentation";
files under /sys and /proc only serve to say what is missing.
"""

import errno
import fcntl
import os
import struct

KVM_GET_API_VERSION = 0xAE00
KVM_CREATE_VM = 0xAE01
KVM_GET_SUPPORTED_CPUID = 0xC008AE05

CPUID_ENTRIES = 256
VMX, SVM = (1, 2, 5), (0x80000001, 2, 2)  # leaf, place of ECX behind EAX, bit

MODULES = {"vmx": "kvm_intel", "svm": "kvm_amd"}


def read_line(path):
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.readline().strip()
    except OSError:
        return ""


def cpu_flag(root):
    """"vmx" or "svm", whichever the kernel sees on this CPU, else None."""
    try:
        with open(os.path.join(root, "proc/cpuinfo"), encoding="ascii", errors="replace") as file:
            for line in file:
                if line.startswith("flags"):
                    words = line.split()
                    return next((flag for flag in MODULES if flag in words), None)
    except OSError:
        pass
    return None


def why_no_device(root):
    """/dev/kvm can't be used at all: what is missing below it."""
    flag = cpu_flag(root)
    if flag is None:
        return ("there is no VT-x or AMD-V here (neither vmx nor svm in /proc/cpuinfo): switch it "
                "on in the firmware's setup or, in a virtual machine, nesting outside of it")
    return f"the module {MODULES[flag]} isn't loaded: modprobe {MODULES[flag]}"


def offered(device):
    """"VT-x", "AMD-V" or None: what KVM gives a guest's CPU."""
    table = bytearray(8 + 40 * CPUID_ENTRIES)
    struct.pack_into("I", table, 0, CPUID_ENTRIES)
    fcntl.ioctl(device, KVM_GET_SUPPORTED_CPUID, table)
    for i in range(struct.unpack_from("I", table)[0]):
        leaf, _, _, *registers = struct.unpack_from("7I", table, 8 + 40 * i)
        for name, (wanted, register, bit) in (("VT-x", VMX), ("AMD-V", SVM)):
            if leaf == wanted and registers[register] >> bit & 1:
                return name
    return None


def why_no_nesting(root):
    """KVM works, but its guests get no virtualization."""
    for module in MODULES.values():
        parameter = os.path.join(root, "sys/module", module, "parameters/nested")
        if os.path.exists(parameter) and read_line(parameter) not in ("Y", "1"):
            return (f"{module} runs with nested={read_line(parameter)}: as root, "
                    f"'modprobe -r {module}; modprobe {module} nested=1', and for good "
                    f"'echo options {module} nested=1 >/etc/modprobe.d/kvm.conf'")
    return ("KVM offers its guests neither VT-x nor AMD-V: neither kvm_intel nor kvm_amd with "
            "nested=1 is behind it")


def ask_kvm(device, root):
    if fcntl.ioctl(device, KVM_GET_API_VERSION) != 12:
        return None, "/dev/kvm speaks another version of the KVM API than 12"
    name = offered(device)
    if name is None:
        return None, why_no_nesting(root)
    try:
        os.close(fcntl.ioctl(device, KVM_CREATE_VM, 0))
    except OSError as what:
        return None, (f"KVM can't make a virtual machine ({what.strerror}): does another hypervisor "
                      "(VirtualBox, VMware) hold the CPU?")
    return name, None


def probe(root="/"):
    """("VT-x" or "AMD-V", None) when KVM can run pxHV, else (None, one sentence why not)."""
    path = os.path.join(root, "dev/kvm")
    try:
        device = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError as what:
        if what.errno in (errno.EACCES, errno.EPERM):
            return None, ("/dev/kvm may not be opened by this user: as root, 'adduser USER kvm', "
                          "then log in anew")
        if what.errno in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
            return None, why_no_device(root)
        return None, f"/dev/kvm can't be opened: {what.strerror}"
    try:
        return ask_kvm(device, root)
    except OSError as what:
        return None, f"/dev/kvm doesn't answer as KVM does: {what.strerror}"
    finally:
        os.close(device)
