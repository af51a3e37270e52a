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

# With console=hvc0 there was no console yet: its driver is one of these modules.
for tty in console ttyS0; do
    (: <>"/dev/$tty") 2>/dev/null || continue
    exec <>"/dev/$tty" >&0 2>&1
    break
done

# Nor has it shown what the kernel said before, if earlyprintk didn't: the driver throws that away.
# The terminal driver passes text on line by line, but for -opost.
case " $(cat /proc/cmdline) " in
*" earlyprintk="* | *" quiet "*) ;;
*" console=hvc0 "*)
    stty -opost
    dmesg | sed 's/$/\r/' | cat # in large pieces
    stty opost
    ;;
esac

# From here on only real trouble interrupts the person at the console.
dmesg -n 4

cat <<END

pxHV demo guest: Debian kernel $(uname -r)
The disk is /dev/vda: try  mount /dev/vda /mnt; cd /mnt; md5sum -c MD5SUMS
Leave with  poweroff; start anew with  reboot.

END

exec init
