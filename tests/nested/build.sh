#!/bin/sh
# Makes the initramfs of the Linux whose KVM runs pxHV: the demo guest's with KVM's modules, this
# machine's QEMU and Python with their libraries, what `make run-kvm` calls, and an /init of its own
# laid over it. No root.
# Usage: build.sh GUEST_DIRECTORY OUT; the first is what guest/build.sh made.
set -eu
guest=$1
out=$2
here=$(dirname "$0")
export LC_ALL=C
umask 022

fail() {
    echo "pxHV: $*" >&2
    exit 1
}

work=$out.work
root=$work/root
rm -rf "$work"
mkdir -p "$work/kernel" "$root/etc" "$root/lib/modules" "$root/usr/bin" "$root/usr/share/qemu" \
    "$root/var/tmp" "$root/pxhv"

# --- KVM's modules, each behind what it needs ---------------------------------------------------

dpkg-deb --fsys-tarfile "$guest/deb/kernel.deb" | tar -x -C "$work/kernel" --wildcards '*.ko*'
find "$work/kernel" -name '*.ko.xz' -exec unxz {} + # as in Debian 13

# add_module NAME: it and what it depends on, each before its user.
add_module() {
    name=$(echo "$1" | tr _ -)
    [ ! -e "$root/lib/modules/$name.ko" ] || return 0
    file=$(find "$work/kernel" -name "$1.ko" -o -name "$name.ko")
    [ -n "$file" ] || fail "this Debian kernel has no module $1"
    install -m 644 "$file" "$root/lib/modules/$name.ko"
    for needed in $(tr '\0' '\n' <"$file" | sed -n 's/^depends=//p' | tr ',' ' '); do
        add_module "$needed"
    done
    # $1 outlives the recursion, the other names don't: sh has no local variables.
    echo "$1" | tr _ - >>"$root/lib/modules/kvm-order"
}
add_module kvm-amd

# --- QEMU, its libraries and its firmware -------------------------------------------------------

# add_file FILE [PLACE]: what FILE is or points to, under its own name.
add_file() {
    mkdir -p "$root/${2:-$(dirname "$1")}"
    cp -L "$1" "$root/${2:-$(dirname "$1")}/"
}

# add_program FILE: it as /usr/bin/ITS-NAME, and its libraries.
add_program() {
    cp -L "$1" "$root/usr/bin/"
    ldd "$1" >"$work/ldd"
    ! grep 'not found' "$work/ldd" >&2 || fail "$1 lacks these libraries."
    for library in $(grep -o '/[^ ]*' "$work/ldd"); do
        add_file "$library"
    done
}

qemu=$(command -v qemu-system-x86_64) || fail "qemu-system-x86_64 is missing: it is in the" \
    "Debian package 'qemu-system-x86'."
add_program "$qemu"

# What the machine `pc` with its standard VGA asks for; each lies in one of Debian's places.
for rom in bios-256k.bin vgabios-stdvga.bin kvmvapic.bin; do
    file=$(find /usr/share/seabios /usr/share/qemu -name "$rom" 2>/dev/null | head -n 1)
    [ -n "$file" ] || fail "QEMU's firmware $rom is missing: it is in 'seabios' or" \
        "'qemu-system-data'."
    add_file "$file" usr/share/qemu
done

# --- Python, for guest/run.py -------------------------------------------------------------------

add_program /usr/bin/python3
library=$(/usr/bin/python3 -c 'import os; print(os.path.dirname(os.__file__))')
mkdir -p "$root$library"
tar -c -C "$library" --exclude='*.pyc' --exclude=./test --exclude=./idlelib --exclude=./lib2to3 \
    --exclude='./config-*' . | tar -x -C "$root$library"
cp "$here"/../../guest/*.py "$root/pxhv/"

install -m 755 "$here/init.sh" "$root/init"

# The kernel unpacks one archive after the other: a later file takes the place of an earlier one.
(cd "$root" && find . -print0 | sort -z |
    cpio --quiet --null --create --format=newc --owner=+0:+0) >"$work/over.img"
cat "$guest/initrd.img" "$work/over.img" >"$work/initrd.img"
mv "$work/initrd.img" "$out"
rm -rf "$work"
