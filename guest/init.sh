#!/bin/sh
# The demo guest's first program: mounts, loads the virtio modules, greets; then busybox's init keeps
# a root shell on the console and obeys poweroff and reboot (see inittab).

export PATH=/bin:/sbin HOME=/root TERM=vt100
cd /

mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev 2>/dev/null
mount -t tmpfs tmp /tmp

# build.sh wrote the names in the order of their dependencies.
while read -r module; do
    insmod "/lib/modules/$module.ko" || echo "init: $module did not load"
done </lib/modules/order

# From here on only real trouble interrupts the person at the console.
dmesg -n 4

cat <<END

pxHV demo guest: Debian kernel $(uname -r)
The disk is /dev/vda: try  mount /dev/vda /mnt; cd /mnt; md5sum -c MD5SUMS
Leave with  poweroff; start anew with  reboot.

END

exec init
