#!/bin/sh
# Makes pxhv.img: boot/image.sh OUT CFG MBR STAGE2 VMM_ELF [NAME=PATH ...]
#
# An MBR disk with our boot sector, stage 2 in the gap before the first partition, and one active
# FAT32 partition from sector 2048 on that holds pxhv.cfg, pxhv.elf, each PATH as NAME ("a/b" makes
# the folder a), and pxhv.sum with everyone's checksum, which the loaders compare. Needs sfdisk,
# mkfs.vfat and mtools; no root, no loop device. The same input gives the same bytes: set
# SOURCE_DATE_EPOCH to change the files' date (default 2026-01-01).
set -eu
export LC_ALL=C TZ=UTC MTOOLS_SKIP_CHECK=1 PATH="$PATH:/usr/sbin:/sbin"

PARTITION_LBA=2048
TRACK_SECTORS=$((16 * 63))  # Bochs wants whole cylinders of 16 heads and 63 sectors
STAGE2_MAX=$((64 * 512))    # the boot sector reads it at once
FAT_FILE_MAX=4294967295
HEADROOM=$((8 << 20))       # for files that a user copies onto the stick
IMAGE_MIN=$((40 << 20))     # FAT32 has at least 65525 clusters
CLUSTERS_MIN=66000
SUMS_MAX=20480              # room for pxhv.sum, which sums.sh makes no larger
SERIAL=70584856             # volume id: "pxHV"
# mtools takes the date of files and folders from here.
export SOURCE_DATE_EPOCH="${SOURCE_DATE_EPOCH:-1767225600}"

die() {
    echo "image.sh: $*" >&2
    exit 1
}

size_of() {
    wc -c <"$1" | tr -d ' '
}

check_file() { # PATH WHAT
    [ -f "$1" ] || die "$2 \"$1\" does not exist"
    [ -r "$1" ] || die "$2 \"$1\" can't be read"
    [ -s "$1" ] || die "$2 \"$1\" is empty"
    [ "$(size_of "$1")" -le "$FAT_FILE_MAX" ] ||
        die "$2 \"$1\" is too large: a file on FAT32 has less than 4 GiB"
}

[ $# -ge 5 ] || die "usage: boot/image.sh OUT CFG MBR STAGE2 VMM_ELF [NAME=PATH ...]"
out=$1 cfg=$2 mbr=$3 stage2=$4 vmm=$5
shift 5

for tool in sfdisk mkfs.vfat mcopy mmd; do
    command -v $tool >/dev/null ||
        die "$tool is missing: install fdisk, dosfstools and mtools"
done
check_file "$cfg" "the configuration"
check_file "$mbr" "the boot sector"
check_file "$stage2" "stage 2"
check_file "$vmm" "the VMM"
[ "$(size_of "$mbr")" -eq 512 ] || die "the boot sector \"$mbr\" has not 512 bytes"
[ "$(size_of "$stage2")" -le "$STAGE2_MAX" ] ||
    die "stage 2 \"$stage2\" is too large: $STAGE2_MAX bytes are the most"

content=$((SUMS_MAX + (32 << 10)))
for item in "pxhv.cfg=$cfg" "pxhv.elf=$vmm" "$@"; do
    case $item in
    ?*=?*) ;;
    *) die "\"$item\" is not NAME=PATH" ;;
    esac
    case ${item%%=*} in
    *[:\\]*) die "\"${item%%=*}\": a name on FAT32 has neither a colon nor a backslash" ;;
    esac
    check_file "${item#*=}" "the file"
    # Each file ends in a part of a cluster: 32 KiB at the most.
    content=$((content + $(size_of "${item#*=}") + (32 << 10)))
done

# The FATs take at most 1/64 of the volume (512-byte clusters, two FATs).
bytes=$((content + content / 64 + HEADROOM + PARTITION_LBA * 512))
[ "$bytes" -ge "$IMAGE_MIN" ] || bytes=$IMAGE_MIN
sectors=$(((bytes / 512 + TRACK_SECTORS) / TRACK_SECTORS * TRACK_SECTORS))
volume_sectors=$((sectors - PARTITION_LBA))

# The largest cluster that leaves enough of them for a valid FAT32.
cluster=64
while [ "$cluster" -gt 1 ] && [ $((volume_sectors / cluster)) -lt "$CLUSTERS_MIN" ]; do
    cluster=$((cluster / 2))
done

work=$(mktemp -d "$out.XXXXXX") || die "can't write next to \"$out\""
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
image=$work/image

cp "$mbr" "$image"
chmod 644 "$image"
truncate -s $((sectors * 512)) "$image"
dd if="$stage2" of="$image" bs=512 seek=1 conv=notrunc status=none

sums=$work/pxhv.sum
"$(dirname "$0")/sums.sh" "pxhv.cfg=$cfg" "pxhv.elf=$vmm" "$@" >"$sums"

# Stage 2 finds its own disk by the signature: it differs where the files do.
signature=$(cksum <"$sums" | cut -d' ' -f1)

sfdisk --quiet --no-reread --no-tell-kernel --wipe never "$image" <<TABLE ||
label: dos
label-id: $(printf 0x%08x "$signature")
unit: sectors
start=$PARTITION_LBA, size=$volume_sectors, type=c, bootable
TABLE
    die "sfdisk failed"

mkfs.vfat --invariant -F 32 -s "$cluster" -S 512 -h "$PARTITION_LBA" -g 16/63 -i "$SERIAL" \
    -n PXHV --offset "$PARTITION_LBA" "$image" $((volume_sectors / 2)) >"$work/log" 2>&1 ||
    die "mkfs.vfat failed: $(cat "$work/log")"

volume=$image@@$((PARTITION_LBA * 512))
folders=
for item in "pxhv.cfg=$cfg" "pxhv.elf=$vmm" "$@"; do
    folder=
    rest=${item%%=*}
    while [ "$rest" != "${rest#*/}" ]; do
        folder=$folder/${rest%%/*}
        rest=${rest#*/}
        case "$folders|" in
        *"|$folder|"*) ;;
        *)
            mmd -i "$volume" "::$folder" </dev/null || die "can't make the folder \"$folder\""
            folders="$folders|$folder"
            ;;
        esac
    done
    mcopy -D s -i "$volume" "${item#*=}" "::$folder/$rest" </dev/null ||
        die "can't copy \"${item#*=}\" as \"${item%%=*}\""
done

mcopy -D s -i "$volume" "$sums" ::/pxhv.sum </dev/null || die "can't copy pxhv.sum"

mv -f "$image" "$out"
