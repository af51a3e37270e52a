#!/bin/sh
# Makes the demo guest from Debian's packages, the same bytes from the same packages, without root.
# Usage: build.sh DIRECTORY; leaves vmlinuz, initrd.img, disk.img and MD5SUMS there.
set -eu
out=$1
here=$(dirname "$0")
export LC_ALL=C TZ=UTC SOURCE_DATE_EPOCH=1767225600
PATH=$PATH:/usr/sbin:/sbin
umask 022

"$here/fetch.sh" "$out/deb"
work=$out/work
rm -rf "$work"
mkdir -p "$work/kernel" "$work/busybox" "$work/disk"
dpkg-deb -x "$out/deb/kernel.deb" "$work/kernel"
dpkg-deb -x "$out/deb/busybox.deb" "$work/busybox"

# --- initrd.img: busybox, the virtio modules, /init ---------------------------------------------

root=$work/root
mkdir -p "$root/bin" "$root/sbin" "$root/dev" "$root/proc" "$root/sys" "$root/tmp" "$root/mnt" \
    "$root/root" "$root/etc" "$root/lib/modules"
# Debian 13's packages have all below /usr.
install -m 755 "$(find "$work/busybox" -path '*/bin/busybox')" "$root/bin/busybox"
for applet in $("$root/bin/busybox" --list); do
    [ "$applet" = busybox ] || ln -s busybox "$root/bin/$applet"
done
install -m 755 "$here/init.sh" "$root/init"
install -m 644 "$here/inittab" "$root/etc/inittab"
echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"

# add_module NAME: it and what it depends on, each before its user.
add_module() {
    [ ! -e "$root/lib/modules/$1.ko" ] || return 0
    file=$(find "$work/kernel" -name "$1.ko")
    if [ -z "$file" ]; then # built into the kernel, or misspelt
        grep -q "/$1.ko$" "$(find "$work/kernel" -name modules.builtin)" || {
            echo "pxHV: this Debian kernel has no module $1" >&2
            exit 1
        }
        return 0
    fi
    for needed in $(tr '\0' '\n' <"$file" | sed -n 's/^depends=//p' | tr ',' ' '); do
        add_module "$needed"
    done
    # `file` was the dependency's meanwhile: sh has no local variables.
    install -m 644 "$(find "$work/kernel" -name "$1.ko")" "$root/lib/modules/$1.ko"
    echo "$1" >>"$root/lib/modules/order"
}
find "$work/kernel" -name '*.ko.xz' -exec unxz {} + # as in Debian 13
add_module virtio_pci
add_module virtio_console
add_module virtio_blk
add_module virtio-rng
add_module ext4

find "$root" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
# Not compressed: it spares the guest's emulated CPU the unpacking.
(cd "$root" && find . -print0 | sort -z |
    cpio --quiet --null --create --format=newc --reproducible --owner=+0:+0) >"$work/initrd.img"

# --- disk.img: ext4 with known files ------------------------------------------------------------

files=$work/disk
echo 'Hello from the disk of the pxHV demo guest.' >"$files/hello.txt"
/usr/bin/python3 - >"$files/random.bin" <<'END'
import hashlib
import sys

for block in range((4 << 20) // 32):
    sys.stdout.buffer.write(hashlib.sha256(b"pxHV %d" % block).digest())
END
(cd "$files" && md5sum hello.txt random.bin >MD5SUMS)

image=$work/disk.img
export E2FSPROGS_FAKE_TIME=$SOURCE_DATE_EPOCH
rm -f "$image"
mke2fs -q -t ext4 -L pxhv-demo -U 70784856-0000-4000-8000-000000000001 -O ^metadata_csum_seed \
    -E hash_seed=70784856-0000-4000-8000-000000000002,root_owner=0:0 "$image" 16M >/dev/null
# debugfs writes as root with the fake time; mke2fs -d would copy the builder's ids and times.
for name in hello.txt random.bin MD5SUMS; do
    echo "write $files/$name $name"
    echo "set_inode_field $name mode 0100644"
done | debugfs -w -f - "$image" >"$work/debugfs.log" 2>&1
e2fsck -fn "$image" >"$work/e2fsck.log" 2>&1 || {
    cat "$work/debugfs.log" "$work/e2fsck.log" >&2
    exit 1
}

cp "$work"/kernel/boot/vmlinuz-* "$work/vmlinuz"
for name in vmlinuz initrd.img disk.img; do
    touch "$work/$name"
    mv "$work/$name" "$out/$name"
done
cp "$files/MD5SUMS" "$out/MD5SUMS"
rm -rf "$work"
