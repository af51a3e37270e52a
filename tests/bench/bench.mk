# What `make bench` builds besides the image: the bare-metal loader that takes the VMM's place, and
# the programs that print the figures.

BARE_OBJ := $(addprefix $(BUILD)/,tests/bench/bare.o vmm/dev/gmem.o vmm/lib/config.o vmm/lib/fmt.o \
            vmm/lib/ini.o vmm/lib/mem.o vmm/pc/bzimage.o vmm/pc/zero_page.o) \
            $(BUILD)/tests/bench/bare_entry.asm.o

$(BUILD)/bench/bare.elf: $(BARE_OBJ) tests/bench/bare.ld
	@mkdir -p $(@D)
	$(Q)ld -z noexecstack -z max-page-size=4096 --no-warn-rwx-segments -T tests/bench/bare.ld $(BARE_OBJ) -o $@

$(BUILD)/bench/screen.bin: tests/bench/screen.asm guest/tiny/bzimage.inc | need-nasm
	@mkdir -p $(@D)
	$(Q)$(NASM) -f bin -Iguest/tiny/ $< -o $@

# The microbenchmark guest; make micro shows its table, ONLY=vtx or amdv on one emulator.
$(BUILD)/bench/micro.bin: guest/micro/micro.asm $(wildcard guest/micro/*.inc guest/tiny/*.inc) | need-nasm
	@mkdir -p $(@D)
	$(Q)$(NASM) -f bin -Iguest/tiny/ -Iguest/micro/ $< -o $@

.PHONY: micro
micro: $(BUILD)/bench/micro.bin $(BUILD)/pxhv.img | $(BOCHS) need-qemu-system-x86_64
	$(Q)$(PYTHON) tests/bench/micro.py $(BUILD) $(ONLY)

$(BUILD)/bench/read.bin: tests/bench/read.asm | need-nasm
	@mkdir -p $(@D)
	$(Q)$(NASM) -f bin $< -o $@

$(BUILD)/bench/%.o: tests/bench/%.asm tests/bench/figure.inc | need-nasm
	@mkdir -p $(@D)
	$(Q)$(NASM) -f elf64 -Itests/bench/ $< -o $@

$(BUILD)/bench/init $(BUILD)/bench/overlay/bin/bench-disk:
	@mkdir -p $(@D)
	$(Q)ld -z noexecstack $< -o $@

$(BUILD)/bench/init: $(BUILD)/bench/init.o
$(BUILD)/bench/overlay/bin/bench-disk: $(BUILD)/bench/disk.o

# The same VMM without accounting.
$(BUILD)/bench/plain/pxhv.elf: $(BUILD)/pxhv.elf $(BUILD)/font.deb
	@mkdir -p $(@D)
	$(Q)cp $(BUILD)/font.deb $(@D)
	$(Q)$(MAKE) --no-print-directory BUILD=$(@D) ACCOUNT=0 $@

# An initramfs of one program.
$(BUILD)/bench/initrd.img: $(BUILD)/bench/init | need-cpio
	$(Q)cd $(@D) && echo init | cpio --quiet -o -H newc -R 0:0 >$(@F)

# The demo guest's, with a program in the place of the shell: the kernel takes archives in a row.
$(BUILD)/bench/disk-initrd.img: $(BUILD)/bench/overlay/bin/bench-disk tests/bench/inittab \
                                $(BUILD)/guest/initrd.img | need-cpio
	@mkdir -p $(BUILD)/bench/overlay/etc
	$(Q)cp tests/bench/inittab $(BUILD)/bench/overlay/etc/inittab
	$(Q)(cat $(BUILD)/guest/initrd.img; cd $(BUILD)/bench/overlay && \
	    printf '%s\n' bin/bench-disk etc/inittab | cpio --quiet -o -H newc -R 0:0) >$@

# The demo guest's, switched off where its shell would begin.
$(BUILD)/bench/off-initrd.img: tests/bench/inittab-off $(BUILD)/guest/initrd.img | need-cpio
	@mkdir -p $(BUILD)/bench/off/etc
	$(Q)cp $< $(BUILD)/bench/off/etc/inittab
	$(Q)(cat $(BUILD)/guest/initrd.img; cd $(BUILD)/bench/off && \
	    echo etc/inittab | cpio --quiet -o -H newc -R 0:0) >$@

bench: all $(addprefix $(BUILD)/bench/,bare.elf plain/pxhv.elf micro.bin screen.bin read.bin initrd.img disk-initrd.img \
           off-initrd.img) | \
       $(BOCHS) need-qemu-system-x86_64
	$(Q)$(PYTHON) tests/bench/bench.py $(BUILD) docs/BENCHMARKS.md
