"""What a person who never saw a hypervisor is told about each kind of exit and each device."""

KINDS = {
    "host interrupt": "a device of the real machine wants something: a timer, the serial line, a key",
    "host NMI": "the real machine reports something that can't be put off",
    "deadline": "the time has come at which one of the guest's timers is due",
    "interrupt window": "the guest can take an interrupt now that had to wait until here",
    "NMI window": "the guest can take a non-maskable interrupt now",
    "CPUID": "the guest asks what its CPU can do; pxHV answers for the CPU it shows",
    "HLT": "the guest has nothing to do and waits for an interrupt",
    "port I/O": "the guest talks to a device by one of its I/O ports",
    "RDMSR": "the guest reads a register of its CPU that pxHV keeps",
    "WRMSR": "the guest writes a register of its CPU that pxHV keeps",
    "MOV from CR": "the guest reads a control register",
    "MOV to CR": "the guest changes a control register, such as to switch paging on",
    "CLTS": "the guest wants to use its FPU",
    "MOV DR": "the guest uses a debug register",
    "XSETBV": "the guest chooses which vector registers it uses",
    "nested page fault": "the guest touched a place where a device is and no memory",
    "exception": "the guest's code met an exception that pxHV has to see",
    "triple fault": "the guest's own handlers failed: a PC would reset here",
    "WBINVD": "the guest wants its caches written back",
    "RDTSC": "the guest asks for the time",
    "hypercall": "the guest calls pxHV by name",
}

DEVICES = {
    "uart16550": "the serial port: every character of the console",
    "pic8259": "the interrupt controller",
    "pit8254": "the timer chip",
    "rtc146818": "the clock with the date, and its memory",
    "i8042": "the keyboard controller",
    "acpi_pm": "power management, and its timer",
    "pci": "where the guest finds its PCI cards",
    "virtio-blk": "the disk",
    "virtio-pci": "the disk's card",
}

MSRS = {0x1b: "IA32_APIC_BASE", 0x8b: "microcode revision", 0xfe: "IA32_MTRRCAP",
        0x2ff: "IA32_MTRR_DEF_TYPE", 0x1a0: "IA32_MISC_ENABLE", 0x277: "IA32_PAT",
        0xc0000080: "EFER", 0xc0010015: "HWCR", 0xc001001f: "NB_CFG", 0xc0010010: "SYSCFG",
        0xc0011029: "DE_CFG", 0x10: "IA32_TIME_STAMP_COUNTER", 0x3b: "IA32_TSC_ADJUST"}
