# pxHV. `make help` lists the targets.

BUILD ?= build
CC ?= gcc
ifeq ($(origin CC),default)
CC := gcc
endif
CLANG ?= clang
PYTHON ?= /usr/bin/python3
FUZZ_SECONDS ?= 60
.DEFAULT_GOAL := all
MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.SECONDARY:
.DELETE_ON_ERROR:

Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-8s %s\n' '$(1)' '$(2)')

VERSION := $(shell cat VERSION)

# --- what a target needs that may be missing ----------------------------------------------------

# Each need-NAME is an order-only prerequisite: it names the Debian package when the tool is gone.
PACKAGE_gcc := gcc
PACKAGE_clang := clang
PACKAGE_clang-format := clang-format
PACKAGE_ld := binutils
PACKAGE_nasm := nasm
PACKAGE_iasl := acpica-tools
PACKAGE_sfdisk := fdisk
PACKAGE_mkfs.vfat := dosfstools
PACKAGE_mcopy := mtools
PACKAGE_mke2fs := e2fsprogs
PACKAGE_cpio := cpio
PACKAGE_unxz := xz-utils
PACKAGE_cppcheck := cppcheck
PACKAGE_bochs := bochs
PACKAGE_gdb := gdb
PACKAGE_qemu-system-x86_64 := qemu-system-x86
PACKAGE_python3 := python3
PACKAGE_grub-mkrescue := grub-common
PACKAGE_xorriso := xorriso
PACKAGE_chromium := chromium
TOOLS := gcc clang clang-format ld nasm iasl sfdisk mkfs.vfat mcopy mke2fs cpio unxz cppcheck bochs gdb \
         qemu-system-x86_64 python3 grub-mkrescue xorriso chromium
NEED_TOOLS := $(TOOLS:%=need-%)

# A file that stands for a package without a command of its own.
NEED_FILES := need-cmocka need-pytest need-pexpect need-bios need-vgabios need-zydis need-ovmf \
              need-grub-pc need-grub-efi
FILE_cmocka := /usr/include/cmocka.h
FILE_zydis := /usr/include/Zydis/Zydis.h
FILE_pytest := /usr/lib/python3/dist-packages/pytest
FILE_pexpect := /usr/lib/python3/dist-packages/pexpect
FILE_bios := /usr/share/bochs/BIOS-bochs-latest
FILE_vgabios := /usr/share/vgabios/vgabios.bin
PACKAGE_cmocka := libcmocka-dev
PACKAGE_zydis := libzydis-dev
PACKAGE_pytest := python3-pytest
PACKAGE_pexpect := python3-pexpect
PACKAGE_bios := bochsbios
PACKAGE_vgabios := vgabios
# Debian 13 has the firmware of 4 MiB only.
FILE_ovmf := $(firstword $(wildcard /usr/share/OVMF/OVMF_CODE.fd) /usr/share/OVMF/OVMF_CODE_4M.fd)
FILE_grub-pc := /usr/lib/grub/i386-pc
FILE_grub-efi := /usr/lib/grub/x86_64-efi
PACKAGE_ovmf := ovmf
PACKAGE_grub-pc := grub-pc-bin
PACKAGE_grub-efi := grub-efi-amd64-bin

.PHONY: $(NEED_TOOLS) $(NEED_FILES)
missing = { echo "pxHV: $(1) is missing: it is in the Debian package '$(2)'." \
            "Run ./build.sh deps, or: apt-get install $(2)" >&2; exit 1; }
$(NEED_TOOLS): need-%:
	@PATH="$$PATH:/usr/sbin:/sbin" command -v $* >/dev/null || $(call missing,the command '$*',$(PACKAGE_$*))
$(NEED_FILES): need-%:
	@test -e $(FILE_$*) || $(call missing,$(FILE_$*),$(PACKAGE_$*))

# --- sources ------------------------------------------------------------------------------------

find = $(sort $(shell find $(1) -name '$(2)' 2>/dev/null))

VMM_C := $(call find,vmm,*.c)
VMM_ASM := $(call find,vmm,*.asm)
VMM_OBJ := $(VMM_C:%.c=$(BUILD)/%.o) $(VMM_ASM:%.asm=$(BUILD)/%.asm.o)
VMM_CLANG_OBJ := $(VMM_C:%.c=$(BUILD)/clang/%.o)

LOADER_C := $(addprefix vmm/lib/,cksum.c config.c fmt.c ini.c manifest.c mem.c memmap.c)
STAGE2_C := $(wildcard stage2/*.c) $(LOADER_C)
STAGE2_ASM := $(wildcard stage2/*.asm)
STAGE2_OBJ := $(STAGE2_ASM:%.asm=$(BUILD)/stage2/%.asm.o) $(STAGE2_C:%.c=$(BUILD)/stage2/%.o)
EFI_C := $(wildcard stage2/efi/*.c) $(addprefix stage2/,cpu.c elf.c progress.c vbemode.c) $(LOADER_C)
EFI_OBJ := $(BUILD)/efi/stage2/efi/entry.asm.o $(EFI_C:%.c=$(BUILD)/efi/%.o)

ASL := $(call find,vmm,*.asl)
ACPI := $(ASL:%.asl=$(BUILD)/gen/%.aml)
FONT := $(BUILD)/gen/vmm/hw/font.bin

WARN := -Wall -Wextra -Werror
# Without "reloc" (a reference into another section is no mistake), which NASM before 2.16.02 doesn't know.
NASM := nasm -w+all -w-unknown-warning -w-reloc -Werror
# ACCOUNT=0: a VMM that doesn't count and time its exits, for `make bench`.
NO_ACCOUNT := $(if $(filter 0,$(ACCOUNT)),-DPXHV_NO_ACCOUNT)
# The VMM runs with the guest's FPU and SSE registers live: general registers only.
BARE := -std=gnu11 -ffreestanding -fno-pic -fno-pie -mno-red-zone -mgeneral-regs-only \
        -fno-stack-protector -fcf-protection=none -fno-omit-frame-pointer \
        -fno-asynchronous-unwind-tables -fno-strict-aliasing $(WARN) \
        -DPXHV_VERSION='"$(VERSION)"' -Ivmm $(NO_ACCOUNT)
# What every VM exit runs through is compiled for speed, and what draws; the rest for size.
HOT := vmm/virt/% vmm/emu/% vmm/dev/gmem.c vmm/dev/iobus.c vmm/dev/uart16550.c vmm/dev/pic8259.c \
       vmm/dev/pit8254.c vmm/dev/pit_counter.c vmm/dev/lapic%.c vmm/dev/virtqueue.c vmm/dev/virtio_blk.c \
       vmm/dev/ramdisk.c vmm/pc/pc_run.c \
       vmm/pc/pc_apic.c vmm/lib/mem.c \
       vmm/term/surface.c vmm/hw/framebuffer.c
speed = $(if $(filter $(HOT),$(1)),-O2,-Os)
# An i586, so that a CPU without long mode still says so; -Os because stage 2 must fit below 1 MiB with its buffers.
BARE32 := -m32 -march=i586 -Os $(filter-out -mno-red-zone,$(BARE)) -I.

# The firmware puts its program anywhere.
BARE_EFI := -Os $(filter-out -fno-pic -fno-pie,$(BARE)) -fpie -fvisibility=hidden -I.

.PHONY: all run run-tcg run-kvm run-bochs test unit fuzz fuzz-replay check boot-test bench guest image iso usb clean help

all: $(BUILD)/pxhv.img
	@size $(BUILD)/pxhv.elf | awk 'NR == 2 { printf "pxHV: $(BUILD)/pxhv.img is ready; the VMM is" \
	    " %d bytes: text %d, data %d, bss %d\n", $$1 + $$2 + $$3, $$1, $$2, $$3 }'

# --- the VMM ------------------------------------------------------------------------------------

$(BUILD)/%.o: %.c Makefile | need-gcc
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(BARE) $(call speed,$<) -g -MMD -MP -c $< -o $@

$(BUILD)/clang/%.o: %.c Makefile | need-clang
	$(call say,CLANG,$<)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BARE) $(call speed,$<) -MMD -MP -c $< -o $@

$(BUILD)/%.asm.o: %.asm | need-nasm $(ACPI) $(FONT)
	$(call say,NASM,$<)
	@mkdir -p $(@D)
	$(Q)$(NASM) -f elf64 -g -F dwarf $(NO_ACCOUNT) -Ivmm/ -I$(BUILD)/gen/vmm/ -MD $(@:.o=.d) -MT $@ $< -o $@

# What NASM takes in with INCBIN.
$(BUILD)/gen/%.aml: %.asl | need-iasl
	$(call say,IASL,$<)
	@mkdir -p $(@D)
	$(Q)iasl -ve -p $(@:.aml=) $< >$(@:.aml=.log) 2>&1 || { cat $(@:.aml=.log); exit 1; }

# The font is one of Debian's console fonts, its glyphs in the terminal's order.
$(BUILD)/font.deb: guest/fetch.sh
	$(Q)guest/fetch.sh $(BUILD) console-setup-linux font

$(FONT): vmm/hw/font.py vmm/term/charset.c $(BUILD)/font.deb | need-python3
	$(call say,FONT,$@)
	@mkdir -p $(@D)
	$(Q)dpkg-deb --fsys-tarfile $(BUILD)/font.deb | \
	    tar -xO ./usr/share/consolefonts/Uni2-VGA16.psf.gz >$(BUILD)/font.psf.gz
	$(Q)$(PYTHON) vmm/hw/font.py $(BUILD)/font.psf.gz vmm/term/charset.c $@

LINK := ld -m elf_x86_64 -static -nostdlib --build-id=none -z noexecstack -z max-page-size=4096

# Linked twice: the first time to learn where the functions lie, the second with the table of their
# names that a report's call trace reads. The table comes last, so that nothing moves.
$(BUILD)/pxhv-bare.elf: linker.ld $(VMM_OBJ) | need-ld
	$(call say,LD,$@)
	$(Q)$(LINK) -T linker.ld $(VMM_OBJ) -o $@

$(BUILD)/symbols.asm: $(BUILD)/pxhv-bare.elf vmm/hw/symbols.sh
	$(Q)sh vmm/hw/symbols.sh $< >$@

$(BUILD)/symbols.o: $(BUILD)/symbols.asm | need-nasm
	$(Q)nasm -f elf64 $< -o $@

$(BUILD)/pxhv-debug.elf: linker.ld $(VMM_OBJ) $(BUILD)/symbols.o
	$(call say,LD,$@)
	$(Q)$(LINK) -T linker.ld $(VMM_OBJ) $(BUILD)/symbols.o -o $@

# What goes onto the stick needs no debug information; pxhv-debug.elf keeps it for addr2line and gdb.
$(BUILD)/pxhv.elf: $(BUILD)/pxhv-debug.elf
	$(Q)strip -o $@ $<

# --- the boot chain -----------------------------------------------------------------------------

$(BUILD)/boot.bin: boot/boot.asm $(wildcard boot/*.inc) | need-nasm
	$(call say,NASM,$<)
	@mkdir -p $(@D)
	$(Q)$(NASM) -f bin -DPXHV_VERSION='"$(VERSION)"' -Iboot/ $< -o $@

$(BUILD)/stage2/%.o: %.c Makefile | need-gcc
	$(call say,CC32,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(BARE32) -MMD -MP -c $< -o $@

$(BUILD)/stage2/%.asm.o: %.asm | need-nasm
	$(call say,NASM32,$<)
	@mkdir -p $(@D)
	$(Q)$(NASM) -f elf32 -Istage2/ -MD $(@:.o=.d) -MT $@ $< -o $@

$(BUILD)/stage2.elf: stage2/stage2.ld $(STAGE2_OBJ) | need-ld
	$(call say,LD,$@)
	$(Q)ld -m elf_i386 -static -nostdlib --build-id=none -z noexecstack --no-warn-rwx-segments -T stage2/stage2.ld \
	    $(STAGE2_OBJ) -o $@

$(BUILD)/stage2.bin: $(BUILD)/stage2.elf
	$(Q)objcopy -O binary $< $@

$(BUILD)/efi/%.o: %.c Makefile | need-gcc
	$(call say,CCEFI,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(BARE_EFI) -MMD -MP -c $< -o $@

$(BUILD)/efi/%.asm.o: %.asm | need-nasm
	$(call say,NASM,$<)
	@mkdir -p $(@D)
	$(Q)$(NASM) -f elf64 -MD $(@:.o=.d) -MT $@ $< -o $@

$(BUILD)/bootx64.elf: stage2/efi/efi.ld $(EFI_OBJ) | need-ld
	$(call say,LD,$@)
	$(Q)ld -m elf_x86_64 -pie --no-dynamic-linker -nostdlib --build-id=none -z noexecstack -z norelro \
	    -T stage2/efi/efi.ld $(EFI_OBJ) -o $@

$(BUILD)/BOOTX64.EFI: $(BUILD)/bootx64.elf
	$(Q)objcopy -O binary $< $@

# --- unit tests: each file under both compilers -------------------------------------------------

SANITIZE := -std=gnu11 -g -O1 $(WARN) -fsanitize=address,undefined -fno-sanitize-recover=all \
            -Ivmm -Itests/unit -DPXHV_VERSION='"$(VERSION)"'
# T=uart16550 picks one unit test or fuzzer.
UNIT := $(sort $(wildcard tests/unit/test_$(or $(T),*).c))
FUZZ := $(sort $(wildcard tests/fuzz/fuzz_$(or $(T),*).c))
UNIT_BIN := $(UNIT:tests/unit/%.c=$(BUILD)/unit/gcc/%) $(UNIT:tests/unit/%.c=$(BUILD)/unit/clang/%)
FUZZ_BIN := $(FUZZ:tests/fuzz/%.c=$(BUILD)/fuzz/%)
REPLAY_BIN := $(FUZZ:tests/fuzz/%.c=$(BUILD)/replay/%)

# A test names the sources it needs besides in its first line, and libraries in one of the next.
needs = $(shell sed -n 's|^/\* needs: *\(.*[^ ]\) *\*/$$|\1|p' $(1) | head -n 1)
libs = $(shell sed -n 's|^/\* libs: *\(.*[^ ]\) *\*/$$|\1|p' $(1) | head -n 1)

$(BUILD)/unit/gcc/%.o: %.c | need-gcc need-cmocka
	@mkdir -p $(@D)
	$(Q)$(CC) $(SANITIZE) -MMD -MP -c $< -o $@

$(BUILD)/unit/clang/%.o: %.c | need-clang need-cmocka
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(SANITIZE) -MMD -MP -c $< -o $@

$(BUILD)/fuzz/%.o: %.c | need-clang
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(SANITIZE) -fsanitize=fuzzer-no-link -MMD -MP -c $< -o $@

$(BUILD)/replay/%.o: %.c | need-gcc
	@mkdir -p $(@D)
	$(Q)$(CC) $(SANITIZE) -MMD -MP -c $< -o $@

# program: name, its own source, compiler, folder of objects, more sources, more libraries
define program
$(BUILD)/$(4)/$(1): $(patsubst %.c,$(BUILD)/$(4)/%.o,$(2) tests/unit/support.c $(5) $(call needs,$(2)))
	$$(call say,LINK,$$@)
	$$(Q)$(3) $$(SANITIZE) $$^ $(6) $(call libs,$(2)) -o $$@
endef
name = $(basename $(notdir $(1)))
$(foreach t,$(UNIT),$(eval $(call program,$(call name,$(t)),$(t),$$(CC),unit/gcc,,-lcmocka)))
$(foreach t,$(UNIT),$(eval $(call program,$(call name,$(t)),$(t),$$(CLANG),unit/clang,,-lcmocka)))
$(foreach t,$(FUZZ),$(eval $(call program,$(call name,$(t)),$(t),$$(CLANG),fuzz,,-fsanitize=fuzzer)))
$(foreach t,$(FUZZ),$(eval $(call program,$(call name,$(t)),$(t),$$(CC),replay,tests/fuzz/replay.c,)))

unit: $(UNIT_BIN)
	$(Q)$(PYTHON) tests/run.py unit $(BUILD)/results $(UNIT_BIN)

fuzz-replay: $(REPLAY_BIN)
	$(Q)$(PYTHON) tests/run.py fuzz-replay $(BUILD)/results $(REPLAY_BIN)

fuzz: $(FUZZ_BIN)
	$(Q)for f in $(FUZZ_BIN); do \
	    name=$${f##*/fuzz_}; found=$(BUILD)/found/$$name; mkdir -p $$found; \
	    echo "fuzzing $$name for $(FUZZ_SECONDS) s"; \
	    $$f -max_total_time=$(FUZZ_SECONDS) -print_final_stats=1 -verbosity=1 \
	        -artifact_prefix=$$found/crash- $$found tests/fuzz/corpus/$$name || exit 1; done

# --- checks -------------------------------------------------------------------------------------

# CHECKS= picks some by name: layers headers format length leftovers cppcheck clang.
check: need-gcc need-clang need-clang-format need-cppcheck need-python3
	$(Q)$(PYTHON) tests/check/check.py $(BUILD) $(CHECKS)

.PHONY: clang-vmm
clang-vmm: $(VMM_CLANG_OBJ)

# --- images and machines ------------------------------------------------------------------------

# What `make image` takes; nothing of these means the demo guest.
OWN := $(strip $(KERNEL)$(INITRD)$(DISK)$(CMDLINE)$(MEMORY))
OUT ?= $(BUILD)/$(if $(OWN),custom,pxhv).img
IMAGE ?= $(BUILD)/pxhv.img
IMAGE_PARTS := $(BUILD)/boot.bin $(BUILD)/stage2.bin $(BUILD)/pxhv.elf $(BUILD)/BOOTX64.EFI
export BUILD KERNEL INITRD DISK CMDLINE MEMORY QUIET VERSION

GUEST := $(BUILD)/guest/vmlinuz $(BUILD)/guest/initrd.img $(BUILD)/guest/disk.img

# One script makes all of them: a grouped target.
$(GUEST) $(BUILD)/guest/MD5SUMS &: guest/build.sh guest/init.sh guest/inittab guest/fetch.sh | need-cpio need-unxz need-mke2fs need-python3
	$(call say,GUEST,$(BUILD)/guest)
	$(Q)guest/build.sh $(BUILD)/guest

guest: $(GUEST)

$(BUILD)/pxhv.img: $(IMAGE_PARTS) $(GUEST) boot/image.sh boot/sums.sh guest/image.sh | need-sfdisk need-mkfs.vfat need-mcopy
	$(call say,IMAGE,$@)
	$(Q)env -u KERNEL -u INITRD -u DISK -u CMDLINE -u MEMORY guest/image.sh $@

ifeq ($(OWN)$(filter-out $(BUILD)/pxhv.img,$(OUT)),)
image: all
else
image: $(IMAGE_PARTS) $(if $(KERNEL),,$(GUEST)) | need-sfdisk need-mkfs.vfat need-mcopy
	$(call say,IMAGE,$(OUT))
	$(Q)guest/image.sh '$(OUT)'
endif

# The same guest on a CD or stick that GRUB boots.
ISO := need-grub-mkrescue need-xorriso need-mcopy need-grub-pc need-grub-efi

$(BUILD)/pxhv.iso: $(BUILD)/pxhv.elf $(GUEST) boot/iso.sh boot/sums.sh guest/image.sh | $(ISO)
	$(call say,ISO,$@)
	$(Q)env -u KERNEL -u INITRD -u DISK -u CMDLINE -u MEMORY guest/image.sh $@

ifeq ($(OWN),)
iso: $(BUILD)/pxhv.iso
else
iso: OUT := $(if $(filter %.iso,$(OUT)),$(OUT),$(BUILD)/custom.iso)
iso: $(BUILD)/pxhv.elf $(if $(KERNEL),,$(GUEST)) | $(ISO)
	$(call say,ISO,$(OUT))
	$(Q)guest/image.sh '$(OUT)'
endif

# Writes IMAGE to a stick: DEV=/dev/sdX, FORCE=1 for a disk that is no removable one.
usb: $(IMAGE)
	$(Q)boot/usb.sh $(if $(FORCE),--force) '$(IMAGE)' '$(DEV)'

BOCHS := need-bochs need-bios need-vgabios need-python3

# The PC that pxHV itself gets: MACHINE=pc or q35, RAM= its memory in MiB, FIRMWARE=bios or uefi.
MACHINE ?= pc
FIRMWARE ?= bios
QEMU := need-python3 need-qemu-system-x86_64 $(if $(filter uefi,$(FIRMWARE)),need-ovmf)
RAM ?= 512

run: $(IMAGE) | $(QEMU)
	$(Q)$(PYTHON) guest/run.py auto $(IMAGE) $(MACHINE) $(RAM) $(FIRMWARE)

run-tcg: $(IMAGE) | $(QEMU)
	$(Q)$(PYTHON) guest/run.py tcg $(IMAGE) $(MACHINE) $(RAM) $(FIRMWARE)

run-kvm: $(IMAGE) | $(QEMU)
	$(Q)$(PYTHON) guest/run.py kvm $(IMAGE) $(MACHINE) $(RAM) $(FIRMWARE)

run-bochs: $(IMAGE) | $(BOCHS)
	$(Q)$(PYTHON) guest/run.py bochs $(IMAGE) pc $(RAM)

# --- debuggers ------------------------------------------------------------------------------------

# The guest waits for GDB on COM2, which is a socket: IMAGE= is another image, EMULATOR= as in run-*.
EMULATOR ?= auto
DEBUG_IMAGE := $(if $(filter file,$(origin IMAGE)),$(BUILD)/debug.img,$(IMAGE))

$(BUILD)/debug.img: $(IMAGE_PARTS) $(GUEST) boot/image.sh guest/image.sh | need-sfdisk need-mkfs.vfat need-mcopy
	$(call say,IMAGE,$@)
	$(Q)env -u KERNEL -u INITRD -u DISK -u CMDLINE -u MEMORY DEBUG_WAIT=1 guest/image.sh $@

.PHONY: debug gdb debug-vmm
debug: $(DEBUG_IMAGE) | $(if $(filter bochs,$(EMULATOR)),$(BOCHS),$(QEMU))
	$(Q)$(PYTHON) guest/run.py --gdb=$(BUILD)/gdb.sock $(EMULATOR) $(DEBUG_IMAGE) $(MACHINE) $(RAM) $(FIRMWARE)

# VMLINUX= is the guest's kernel with its symbols, GDB= other arguments.
gdb: | need-gdb
	$(Q)test -S $(BUILD)/gdb.sock || { echo "pxHV: no machine waits for gdb: start one with" \
	    "'make debug' in another terminal." >&2; exit 1; }
	$(Q)gdb -q -ex 'set architecture i386:x86-64' -ex 'target remote $(BUILD)/gdb.sock' $(GDB) $(VMLINUX)

# pxHV itself, by QEMU's stub: stops at the VMM's first line of C.
debug-vmm: $(IMAGE) $(BUILD)/pxhv-debug.elf | $(QEMU) need-gdb
	$(Q)$(PYTHON) guest/debug_vmm.py $(BUILD) $(IMAGE) $(MACHINE) $(RAM) $(FIRMWARE) $(GDB)

# --- the profile: docs/PROFILE.md ---------------------------------------------------------------

# PLATFORM=amdv (QEMU) or vtx (Bochs); VMLINUX=, a kernel with symbols or its System.map, names the
# guest's functions.
PLATFORM ?= amdv

# Where it lies is where its symbols say.
$(BUILD)/profile.img: $(IMAGE_PARTS) $(GUEST) boot/image.sh guest/image.sh | need-sfdisk need-mkfs.vfat need-mcopy
	$(call say,IMAGE,$@)
	$(Q)env -u KERNEL -u INITRD -u DISK -u MEMORY TRACE=1 CMDLINE='console=ttyS0 nokaslr' guest/image.sh $@

.PHONY: profile
profile: $(BUILD)/profile.img $(BUILD)/pxhv-debug.elf | $(if $(filter vtx,$(PLATFORM)),$(BOCHS),$(QEMU))
	$(Q)$(PYTHON) guest/profile/run.py $(PLATFORM) $< $(BUILD)/pxhv-debug.elf $(BUILD)/profile.html $(VMLINUX)

# --- tests on emulators -------------------------------------------------------------------------

TINY := $(patsubst guest/tiny/%.asm,$(BUILD)/tiny/%.bin,$(sort $(wildcard guest/tiny/*.asm)))

$(BUILD)/tiny/%.bin: guest/tiny/%.asm $(wildcard guest/tiny/*.inc) | need-nasm
	$(call say,NASM,$<)
	@mkdir -p $(@D)
	$(Q)$(NASM) -f bin -Iguest/tiny/ $< -o $@

# PYTEST= passes more to pytest, such as -k linux or -x.
BOOT_TESTS := $(PYTHON) -m pytest -p no:cacheprovider --color=no -q -rs --durations=10 tests/boot
BOOT_NEEDS := $(BOCHS) need-qemu-system-x86_64 need-gdb need-ovmf need-pytest need-pexpect need-chromium

boot-test: all $(TINY) $(BUILD)/pxhv.iso $(addprefix $(BUILD)/bench/,bare.elf micro.bin) | $(BOOT_NEEDS)
	$(Q)$(PYTHON) tests/run.py pytest-halves $(BUILD)/results boot $(BOOT_TESTS) $(PYTEST)

# What `make test` has, and every firmware with every disk.
.PHONY: test-full
test-full: all $(TINY) $(BUILD)/pxhv.iso $(addprefix $(BUILD)/bench/,bare.elf micro.bin) | $(BOOT_NEEDS)
	$(Q)FULL=1 $(PYTHON) tests/run.py pytest-halves $(BUILD)/results boot $(BOOT_TESTS) $(PYTEST)

include tests/bench/bench.mk
include tests/nested/nested.mk

TEST_PARTS := check unit fuzz-replay boot
test: test-parts
	@$(PYTHON) tests/run.py summary $(BUILD)/results $(TEST_PARTS)

# Each part runs even when one before it failed; the summary judges.
.PHONY: test-parts
test-parts:
	@rm -rf $(BUILD)/results
	@for part in check unit fuzz-replay boot-test; do \
	    echo "== make $$part"; $(MAKE) --no-print-directory $$part; done; true

clean:
	rm -rf $(BUILD)

help:
	@cat docs/make-help.txt

-include $(shell find $(BUILD) -name '*.d' -type f 2>/dev/null)
