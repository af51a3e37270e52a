#!/bin/sh
# Makes pxhv.iso: boot/iso.sh OUT CFG VMM_ELF [NAME=PATH ...]
#
# A CD that GRUB boots on BIOS and on UEFI, and that is a USB stick as well when it is written to
# one. The VMM is GRUB's kernel; pxhv.sum, pxhv.cfg and the files that it names are its modules, each
# under the name that pxhv.cfg has for it. Needs grub-mkrescue with GRUB's parts for both firmwares,
# xorriso and mtools. memtest86+ goes along where Debian's package is installed.
set -eu
export LC_ALL=C TZ=UTC SOURCE_DATE_EPOCH="${SOURCE_DATE_EPOCH:-1767225600}"

MEMTEST=/boot/memtest86+x64  # .bin for BIOS, .efi for UEFI

die() {
    echo "iso.sh: $*" >&2
    exit 1
}

[ $# -ge 3 ] || die "usage: boot/iso.sh OUT CFG VMM_ELF [NAME=PATH ...]"
out=$1 cfg=$2 vmm=$3
shift 3

for tool in grub-mkrescue xorriso mformat; do
    command -v $tool >/dev/null ||
        die "$tool is missing: install grub-common, xorriso and mtools"
done
for platform in i386-pc x86_64-efi; do
    [ -d /usr/lib/grub/$platform ] ||
        die "GRUB for $platform is missing: install grub-pc-bin and grub-efi-amd64-bin"
done

work=$(mktemp -d "$out.XXXXXX") || die "can't write next to \"$out\""
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
disc=$work/disc
mkdir -p "$disc/boot/grub"

for item in "pxhv.cfg=$cfg" "pxhv.elf=$vmm" "$@"; do
    case $item in
    *[\'\"\\]*) die "\"${item%%=*}\": a name for GRUB's menu has no quotes and no backslash" ;;
    esac
    [ -s "${item#*=}" ] || die "the file \"${item#*=}\" does not exist or is empty"
    mkdir -p "$(dirname "$disc/${item%%=*}")"
    cp "${item#*=}" "$disc/${item%%=*}"
done
chmod -R u+w "$disc"

# The same configuration with the log's detail and without a kernel's "quiet".
awk '
    tolower($0) ~ /^[ \t]*\[pxhv\]/ { ours = 1; print; print "log = debug"; next }
    /^[ \t]*log[ \t]*=/ { next }
    /^[ \t]*cmdline[ \t]*=/ { gsub(/ quiet( |$)/, " ") }
    { print }
    END { if (!ours) print "[pxhv]\nlog = debug" }
' "$cfg" >"$disc/verbose.cfg"

# Each configuration has checksums of its own: both are the VMM's pxhv.cfg.
for name in pxhv verbose; do
    "$(dirname "$0")/sums.sh" "pxhv.cfg=$disc/$name.cfg" "pxhv.elf=$vmm" "$@" >"$disc/$name.sum"
done

modules() { # pxhv|verbose NAME=PATH ...
    printf '    module2 "/%s" %s\n' "$1.sum" pxhv.sum "$1.cfg" pxhv.cfg
    shift
    for item in "$@"; do
        printf '    module2 "/%s" "%s"\n' "${item%%=*}" "${item%%=*}"
    done
}

run_entry() { # TITLE pxhv|verbose NAME=PATH ...
    printf '\nmenuentry "%s" {\n' "$1"
    echo '    multiboot2 /pxhv.elf'
    shift
    modules "$@"
    # A BIOS machine has a text mode, and there it is the faster screen.
    echo '    if [ "$grub_platform" = pc ]; then set gfxpayload=text; fi'
    echo '}'
}

{
    cat <<'CFG'
# Made by boot/iso.sh. The VMM is a multiboot2 kernel; a module's second word is its name in pxhv.cfg.
if serial --unit=0 --speed=115200; then
    terminal_input --append serial
    terminal_output --append serial
fi
insmod all_video
set timeout=5
set default=0
CFG
    run_entry "pxHV" pxhv "$@"
    run_entry "pxHV with a verbose log" verbose "$@"
    if [ -f "$MEMTEST.bin" ] && [ -f "$MEMTEST.efi" ]; then
        cp "$MEMTEST.bin" "$disc/memtest.bin"
        cp "$MEMTEST.efi" "$disc/memtest.efi"
        cat <<'CFG'

menuentry "Test this machine's memory (memtest86+)" {
    if [ "$grub_platform" = efi ]; then
        linux /memtest.efi console=ttyS0,115200
    else
        linux /memtest.bin console=ttyS0,115200
    fi
}
CFG
    fi
} >"$disc/boot/grub/grub.cfg"

grub-mkrescue -o "$work/iso" "$disc" -- -volid PXHV >"$work/log" 2>&1 ||
    die "grub-mkrescue failed: $(tail -n 3 "$work/log")"
mv -f "$work/iso" "$out"
