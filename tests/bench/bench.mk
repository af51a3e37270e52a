# What `make bench` builds besides the image: the bare-metal loader that takes the VMM's place, and
# the programs that print the figures.

BARE_OBJ := $(addprefix $(BUILD)/,tests/bench/bare.o vmm/dev/gmem.o vmm/lib/config.o vmm/lib/fmt.o \
            vmm/lib/ini.o vmm/lib/mem.o vmm/pc/bzimage.o vmm/pc/zero_page.o) \
            $(BUILD)/tests/bench/bare_entry.asm.o

$(BUILD)/bench/bare.elf: $(BARE_OBJ) tests/bench/bare.ld
	@mkdir -p $(@D)
	$(Q)ld -z noexecstack -z max-page-size=4096 --no-warn-rwx-segments -T tests/bench/bare.ld $(BARE_OBJ) -o $@

$(BUILD)/bench/exits.bin: tests/bench/exits.asm guest/tiny/bzimage.inc | need-nasm
	@mkdir -p $(@D)
	$(Q)nasm -f bin -w+all -Werror -Iguest/tiny/ $< -o $@

$(BUILD)/bench/init: $(BUILD)/tests/bench/init.asm.o
	@mkdir -p $(@D)
	$(Q)ld -z noexecstack $< -o $@

# An initramfs of one program.
$(BUILD)/bench/initrd.img: $(BUILD)/bench/init | need-cpio
	$(Q)cd $(@D) && echo init | cpio --quiet -o -H newc -R 0:0 >$(@F)

bench: all $(BUILD)/bench/bare.elf $(BUILD)/bench/exits.bin $(BUILD)/bench/initrd.img | $(BOCHS)
	$(Q)$(PYTHON) tests/bench/bench.py $(BUILD) docs/BENCHMARKS.md
