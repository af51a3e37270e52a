#!/bin/sh
# Writes an image to a stick: boot/usb.sh [--force] IMAGE DEVICE
#
# Shows what DEVICE is, asks for its name, writes, and compares what was written, read back from the
# medium. Never touches a partition, a disk in use or the one that holds the running system; --force
# is for disks that are no removable or USB ones. Needs coreutils, util-linux, and the right to write.
set -eu
export LC_ALL=C PATH="$PATH:/usr/sbin:/sbin"

SECTOR=512 # stage 2 reads no other; also what direct writes are aligned to
BLOCK=4M

die() {
    echo "pxHV: $*" >&2
    exit 1
}

usage() {
    die "usage: ./build.sh usb /dev/sdX [--force], or: make usb DEV=/dev/sdX [FORCE=1]"
}

force=
[ "${1:-}" != --force ] || { force=1 && shift; }
[ $# = 2 ] && [ -n "$2" ] || usage
image=$1 device=$2

for tool in lsblk blockdev dd cmp; do
    command -v $tool >/dev/null || die "$tool is missing: install util-linux, coreutils and diffutils."
done
[ -f "$image" ] || die "the image '$image' is not there: make it first."

# --- is it a disk that may be overwritten? ---

[ -e "$device" ] ||
    die "'$device' is not there. These disks are: $(lsblk -dnpo NAME,SIZE,TRAN | tr -s ' \n' ' ;')"
[ -b "$device" ] || die "'$device' is no disk: name one as /dev/sdX."
device=$(realpath "$device")
name=${device##*/}

column() { # of lsblk, for the device alone
    lsblk -dno "$1" "$device" | sed 's/^ *//; s/ *$//'
}

case $(column TYPE) in
disk | loop) ;;
part) die "'$device' is a partition: name the whole disk, /dev/$(column PKNAME)." ;;
*) die "'$device' is no disk, but of the type '$(column TYPE)'." ;;
esac

refuse_in_use() {
    # Several mounts of one partition are one word here, with their line ends escaped.
    mounts=$(lsblk -nro MOUNTPOINTS "$device" | sed 's/\\x0a/\n/g' | sed '/^$/d')
    ! printf '%s\n' "$mounts" | grep -qx / ||
        die "'$device' holds the running system: choose another disk."
    [ -z "$mounts" ] ||
        die "'$device' is in use: unmount it first ($(printf '%s' "$mounts" | tr '\n' ' '))."
}
refuse_in_use
case $(lsblk -dno TRAN,RM "$device") in
*usb* | *1*) ;;
*) [ -n "$force" ] ||
    die "'$device' is neither removable nor on USB: with --force it is overwritten all the same." ;;
esac

# What follows reads the device itself.
if ! [ -r "$device" ] || ! [ -w "$device" ]; then
    command -v sudo >/dev/null || die "'$device' may not be written by this user: run this as root."
    echo "pxHV: writing '$device' takes root's rights."
    exec sudo "$0" ${force:+--force} "$image" "$device"
fi

size=$(wc -c <"$image" | tr -d ' ')
capacity=$(blockdev --getsize64 "$device") || die "'$device' can't be read."
[ "$capacity" -gt 0 ] || die "there is no medium in '$device'."
[ "$capacity" -ge "$size" ] ||
    die "'$device' is too small: it has $((capacity >> 20)) MiB, the image $((size >> 20)) MiB."
[ "$(blockdev --getro "$device")" = 0 ] || die "'$device' is write-protected."
[ "$(blockdev --getss "$device")" = $SECTOR ] ||
    die "'$device' has sectors of $(blockdev --getss "$device") bytes: pxHV boots from 512 only."

# --- ask ---

model=$(lsblk -dno VENDOR,MODEL "$device" | tr -s ' ' | sed 's/^ *//; s/ *$//')
echo "pxHV: $device: ${model:-no model name}, $(column SIZE), with"
lsblk -no NAME,SIZE,FSTYPE,LABEL "$device" | sed -n '1d; s/^/  /; p'
[ "$(lsblk -no NAME "$device" | wc -l)" -gt 1 ] || echo "  no partitions"
echo "pxHV: all that is on it will be lost."
printf "Type its name, %s, to write %s MiB to it: " "$name" $((size >> 20))
answer=
read -r answer || true
[ "$answer" = "$name" ] || die "that is not '$name': nothing was written."

# --- write and compare ---

refuse_in_use # a desktop may have mounted it while the question stood there
# Direct: past the cache, so that the speed shown is the stick's.
dd if="$image" of="$device" bs=$BLOCK oflag=direct conv=fsync,notrunc status=progress ||
    die "writing failed: '$device' is in use, worn out, or was pulled."
blockdev --flushbufs "$device"
echo "pxHV: reading it back"
dd if="$device" bs=$BLOCK count="$size" iflag=direct,count_bytes status=progress | cmp - "$image" ||
    die "'$device' doesn't keep what is written to it: it is worn out or smaller than it claims."
blockdev --rereadpt "$device" 2>/dev/null || true
echo "pxHV: $device is ready: $((size >> 20)) MiB written and compared. It may be pulled."
