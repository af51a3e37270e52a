#!/bin/sh
# The demo guest's PID 1: mounts, loads the virtio modules, keeps a root shell on the console.

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

# busybox's poweroff, reboot and halt signal PID 1. The shell runs in the background because a trap
# waits for a child in the foreground.
leave() {
    sync
    umount -a -r 2>/dev/null
    exec "$1" -f
}
trap 'leave poweroff' USR2
trap 'leave halt' USR1
trap 'leave reboot' TERM

# From here on only real trouble interrupts the person at the console.
dmesg -n 4

cat <<END

pxHV demo guest: Debian kernel $(uname -r)
The disk is /dev/vda: try  mount /dev/vda /mnt; cd /mnt; md5sum -c MD5SUMS
Leave with  poweroff; start anew with  reboot.

END

while :; do
    setsid cttyhack sh </dev/console >/dev/console 2>&1 &
    shell=$!
    while kill -0 "$shell" 2>/dev/null; do
        wait "$shell"
    done
done
