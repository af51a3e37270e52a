"""What one exit costs, stage by stage, in instructions of this very build: the emulator's debugger
steps through the VMM from behind the guest's last instruction to the next entry, and the debug
information says of each instruction which function it came from, inlined ones included."""

import collections
import os
import re
import subprocess

from bochs import Bochs

USED_COM1, STEPS = 400, 400_000  # of Bochs: how often the UART was read before it, and how long

# Stages in the order of an exit's way.
STAGES = (
    ("stub", "Entry stub", "takes the time and saves the guest's registers"),
    ("decode", "Decode", "reads the CPU's report and puts it into neutral words"),
    ("account", "Account", "counts the exit and keeps it in the ring"),
    ("decide", "Decide", "the handler for this kind of exit; moves RIP"),
    ("device", "Device", "the bus finds the device, the device answers"),
    ("inject", "Inject", "looks for interrupts and deadlines, queues what is due"),
    ("resume", "Resume", "writes back what changed, loads registers, takes the time, enters the guest"),
)

ACCOUNT = re.compile(r"virt/(trace|account|timeline)\.")
# The functions that only an entry has; the loop around them is one piece of code.
ENTRY = {"VT-x": {"write_changes", "vmx_enter"}, "AMD-V": {"write_hot_state", "svm_enter"}}


class Walk:
    """Which stage an instruction belongs to, by its function and file and by what came before."""

    def __init__(self, vendor):
        self.entry = ENTRY[vendor]
        self.at = "stub"

    def stage(self, function, file):
        in_stub = file.endswith((".asm", ".inc"))
        if self.at == "stub" and not in_stub:
            self.at = "decode"
        elif self.at == "decode" and file.endswith("virt/exit_loop.h"):
            self.at = "decide"
        elif self.at in ("decide", "inject") and (in_stub or function in self.entry):
            self.at = "resume"
        elif self.at == "decide" and file.endswith("virt/run.c"):
            self.at = "inject"
        if self.at != "decide":
            return self.at
        if ACCOUNT.search(file):
            return "account"
        return "decide" if "/virt/" in file else "device"


def run(*command, text=None):
    return subprocess.run(command, check=True, capture_output=True, text=True, input=text).stdout


class Vmm:
    """What is known of the VMM's addresses."""

    def __init__(self, elf):
        self.elf = elf
        self.symbols = {}
        for line in run("nm", elf).splitlines():
            address, _, name = line.split()
            self.symbols[name] = int(address, 16)
        self._places = {}

    def entry_and_exit(self, vendor):
        """Where the guest is entered, and the first instruction of the VMM behind it."""
        if vendor == "VT-x":
            names = ("vmx_resume", "vmresume"), self.symbols["vmx_exit_point"]
        else:
            names = ("svm_vmrun", "vmrun"), None
        (function, mnemonic), behind = names
        lines = run("objdump", "-d", "--no-show-raw-insn", f"--disassemble={function}", self.elf)
        found = re.search(rf"^ *([0-9a-f]+):\s+{mnemonic}.*\n *([0-9a-f]+):", lines, re.M)
        return int(found[1], 16), behind or int(found[2], 16)

    def places(self, addresses):
        """For each address the innermost function and its file."""
        new = sorted(set(addresses) - set(self._places))
        if new:
            out = run("addr2line", "-afi", "-e", self.elf, text="".join(f"{a:#x}\n" for a in new))
            for block in re.split(r"^(?=0x)", out, flags=re.M)[1:]:
                lines = block.splitlines()
                self._places[int(lines[0], 16)] = (lines[1], lines[2].split(":")[0])
        return [self._places[address] for address in addresses]


def by_stage(vmm, vendor, path):
    """The stages, with their functions by how many of the instructions are theirs."""
    counts = {key: collections.Counter() for key, _, _ in STAGES}
    walk = Walk(vendor)
    for function, file in vmm.places(path):
        counts[walk.stage(function, file)][function, file.split("vmm/")[-1]] += 1
    return [{"stage": key, "name": name, "what": what, "instructions": sum(counts[key].values()),
             "functions": [{"function": function, "file": file, "instructions": number}
                           for (function, file), number in counts[key].most_common()]}
            for key, name, what in STAGES]


def names_of(vmm, path):
    return {function for function, _ in vmm.places(path)}


# The exits that are shown: what, and the functions that are on its way and not on it.
SHOWN = (
    ("A read of a device's register",
     "The guest asks COM1, its serial port, whether the next character may be sent.",
     {"pio_exit", "uart16550_read"}, {"run_attend", "irq_ack", "isr_common"}),
    ("An exit that ends in an interrupt",
     "Something has happened outside, and the guest gets an interrupt for it.",
     {"run_inject_irq", "irq_ack"}, set()),
)


def choose(vmm, vendor, paths):
    """Of each kind that is to be shown, the shortest exit that was met."""
    result = []
    for title, text, with_these, without in SHOWN:
        fitting = [path for path in paths
                   if with_these <= names_of(vmm, path) and not without & names_of(vmm, path)]
        if fitting:
            path = min(fitting, key=len)
            result.append({"title": title, "text": text, "instructions": len(path),
                           "stages": by_stage(vmm, vendor, path)})
    return result


def paths_in(addresses, entry, behind):
    """Cuts a list of executed instructions into ways from the guest to the guest."""
    paths, path = [], None
    for address in addresses:
        if address == behind:
            path = []
        if path is not None:
            path.append(address)
            if address == entry:
                paths.append(path)
                path = None
    return paths


# --- QEMU: its log of what it runs ----------------------------------------------------------------

def log_filter(vmm):
    """QEMU's arguments that keep the guest out of its log."""
    return ["-dfilter", f"{vmm.symbols['__text_start']:#x}..{vmm.symbols['__text_end']:#x}"]


def watch_qemu(vmm, machine, busy):
    """The ways of the exits that a QEMU started with log_filter() has while busy() lasts."""
    def monitor(command):
        machine.qmp("human-monitor-command", **{"command-line": command})

    path = os.path.join(machine.folder, "exec.log")
    monitor("logfile " + path)
    monitor("singlestep on")  # so that each instruction is a block of its own
    monitor("log exec,nochain")
    busy()
    monitor("log none")
    monitor("singlestep off")
    with open(path, encoding="ascii", errors="replace") as file:
        addresses = [int(line.split("/")[1], 16) for line in file if line.startswith("Trace ")]
    return paths_in(addresses, *vmm.entry_and_exit("AMD-V"))


# --- Bochs: its own debugger ----------------------------------------------------------------------

def watch_bochs(vmm, image):
    """Likewise of a Bochs with VT-x that boots the image: its debugger prints what it runs, once COM1
    has been used for a while."""
    entry, behind = vmm.entry_and_exit("VT-x")
    uart = vmm.symbols["uart16550_read"]
    script = [f"lb {uart:#x}", *["c"] * USED_COM1, "d 1", f"lb {behind:#x}", "c", "d 2", "trace on",
              f"s {STEPS}", "q", ""]
    machine = Bochs(image, debugger="\n".join(script))
    try:
        if not machine.wait(300):
            raise RuntimeError(f"Bochs' debugger did not come to an end\n{machine.report()}")
        with open(os.path.join(machine.folder, "stdout"), encoding="ascii", errors="replace") as file:
            text = file.read()
    finally:
        machine.stop()
    lines = re.finditer(r"^\(0\)\.\[\d+\] \[0x[0-9a-f]+\] 0008:([0-9a-f]+)", text, re.M)
    return paths_in((int(line[1], 16) for line in lines), entry, behind)
