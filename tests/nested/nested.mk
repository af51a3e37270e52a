# `make test-nested`: pxHV under a KVM that nests, without hardware. QEMU TCG emulates AMD-V for a
# Linux with kvm_amd, whose QEMU runs the image. Not a part of `make test`.

$(BUILD)/nested/initrd.img: tests/nested/build.sh tests/nested/init.sh $(wildcard guest/*.py) $(GUEST) | need-cpio need-unxz need-qemu-system-x86_64
	$(call say,GUEST,$@)
	@mkdir -p $(@D)
	$(Q)tests/nested/build.sh $(BUILD)/guest $@

.PHONY: test-nested
test-nested: all $(BUILD)/nested/initrd.img | need-qemu-system-x86_64 need-pytest need-pexpect
	$(Q)$(PYTHON) tests/run.py pytest $(BUILD)/results nested $(PYTHON) -m pytest -p no:cacheprovider \
	    --color=no -q -x --durations=5 tests/nested $(PYTEST)
