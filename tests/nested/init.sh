#!/bin/sh
# The first program of the Linux whose KVM runs pxHV: mounts, loads KVM, leaves a shell on the
# console (see guest/inittab). The stick with pxHV is /dev/vda, the second serial line pxHV's.

export PATH=/bin:/sbin:/usr/bin HOME=/root TERM=vt100 PS1='kvm-host # '
cd /

mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev 2>/dev/null
mount -t tmpfs tmp /tmp

# Without parameters: nesting is what the kernel gives by itself.
cat /lib/modules/order /lib/modules/kvm-order | while read -r module; do
    insmod "/lib/modules/$module.ko" || echo "init: $module did not load"
done

dmesg -n 1
exec init
