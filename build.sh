#!/bin/sh
# Installs what a target needs from Debian, then runs make.
#
#   ./build.sh run      an interactive shell of the demo guest
#   ./build.sh test     every check and test
#   ./build.sh usb /dev/sdX [--force]     writes the image to a stick
#   ./build.sh deps     only install what is missing
#   ./build.sh ...      any other target or VARIABLE=value of the Makefile (make help)
set -eu
cd "$(dirname "$0")"

# command or file : package; a * stands for what differs from release to release
NEEDED="
gcc:gcc make:make ld:binutils /usr/include/stdio.h:libc6-dev
nasm:nasm iasl:acpica-tools cpio:cpio unxz:xz-utils python3:python3
sfdisk:fdisk mkfs.vfat:dosfstools mcopy:mtools mke2fs:e2fsprogs
qemu-system-x86_64:qemu-system-x86 /usr/share/seabios/bios-256k.bin:seabios
/usr/share/OVMF/OVMF_CODE*.fd:ovmf
"
NEEDED_BY_BOCHS="
bochs:bochs /usr/lib/x86_64-linux-gnu/bochs/plugins/libbx_rfb_gui.so:bochs
/usr/share/bochs/BIOS-bochs-latest:bochsbios /usr/share/vgabios/vgabios.bin:vgabios
"
NEEDED_BY_ISO="
grub-mkrescue:grub-common xorriso:xorriso
/usr/lib/grub/i386-pc:grub-pc-bin /usr/lib/grub/x86_64-efi:grub-efi-amd64-bin
/boot/memtest86+x64.bin:memtest86+
"
NEEDED_BY_TESTS="
chromium:chromium
gdb:gdb clang:clang clang-format:clang-format cppcheck:cppcheck
/usr/include/cmocka.h:libcmocka-dev /usr/include/Zydis/Zydis.h:libzydis-dev
/usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer-x86_64.a:libclang-rt-dev
/usr/lib/python3/dist-packages/pytest:python3-pytest
/usr/lib/python3/dist-packages/pexpect:python3-pexpect
"

PATH=$PATH:/usr/sbin:/sbin

# One line for each that is missing; the patterns are meant to be expanded.
# shellcheck disable=SC2086
missing_packages() {
    for pair in $1; do
        what=${pair%:*}
        case $what in
        /*) ls -d $what >/dev/null 2>&1 ;;
        *) command -v "$what" >/dev/null ;;
        esac || echo "${pair##*:}"
    done | sort -u
}

fail() {
    echo "pxHV: $*" >&2
    exit 1
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        DEBIAN_FRONTEND=noninteractive "$@"
    else
        command -v sudo >/dev/null || fail "not root and no sudo: run as root: $*"
        sudo DEBIAN_FRONTEND=noninteractive "$@"
    fi
}

install_missing() {
    packages=$(missing_packages "$1" | tr '\n' ' ')
    # The font and the demo guest are made of Debian packages: fetching them needs the package lists.
    if [ -z "$packages" ] && { [ -e "${BUILD:-build}/font.deb" ] &&
        [ -e "${BUILD:-build}/guest/deb/kernel.deb" ] ||
        apt-cache show linux-image-cloud-amd64 >/dev/null 2>&1; }; then
        return 0
    fi
    command -v apt-get >/dev/null ||
        fail "this is no Debian: install by hand what these packages hold: $packages"
    echo "pxHV: reading Debian's package lists"
    # One mirror out of date fails the whole update; the lists that are there may do all the same.
    as_root apt-get -q update >/dev/null ||
        echo "pxHV: 'apt-get update' failed: going on with the lists that are there." >&2
    if [ -n "$packages" ]; then
        echo "pxHV: installing $packages"
        # shellcheck disable=SC2086
        as_root apt-get -q install -y --no-install-recommends $packages ||
            fail "apt-get could not install: $packages"
    fi
}

all="$NEEDED $NEEDED_BY_BOCHS $NEEDED_BY_ISO $NEEDED_BY_TESTS"
case ${1:-} in
'' | all | image | usb | run | run-tcg | run-kvm | guest | help | clean) install_missing "$NEEDED" ;;
run-bochs) install_missing "$NEEDED $NEEDED_BY_BOCHS" ;;
iso) install_missing "$NEEDED $NEEDED_BY_ISO" ;;
*) install_missing "$all" ;;
esac
[ "${1:-}" != deps ] || exit 0
if [ "$*" = test ]; then
    # The summary is the last thing printed, with no line of make's behind it.
    make test-parts
    exec /usr/bin/python3 tests/run.py summary "${BUILD:-build}/results" check unit fuzz-replay boot
fi
if [ "${1:-}" = usb ]; then
    [ $# -ge 2 ] || fail "which stick? ./build.sh usb /dev/sdX"
    device=$2
    case ${3:-} in
    '') exec make usb DEV="$device" ;;
    --force) exec make usb DEV="$device" FORCE=1 ;;
    *) fail "'$3' is unknown: ./build.sh usb /dev/sdX [--force]" ;;
    esac
fi
exec make "$@"
