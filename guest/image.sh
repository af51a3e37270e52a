#!/bin/sh
# Writes pxhv.cfg for the guest that `make image` describes and packs it with the boot chain.
# Usage: image.sh OUT, from the root of the tree; an OUT that ends in .iso is a CD that GRUB boots.
# With these in the environment (all may be empty):
#   KERNEL INITRD DISK (several names, separated by spaces: vda, vdb, ...) CMDLINE MEMORY
#   DEBUG_WAIT=1 makes the guest wait for GDB before its first instruction, and the demo guest's kernel
#   lie where its symbols say
#   TRACE=1 keeps the last exits one by one, for "make profile";
#   QUIET=1 keeps the demo guest's kernel messages off the console; BUILD is the build folder
# Once KERNEL is given, what is not given is left out of the guest; without it, the demo guest's.
set -eu
out=$1
build=${BUILD:-build}

fail() {
    echo "pxHV: $*" >&2
    exit 1
}

if [ -z "${KERNEL:-}" ]; then
    KERNEL=$build/guest/vmlinuz
    INITRD=${INITRD:-$build/guest/initrd.img}
    DISK=${DISK:-$build/guest/disk.img}
    # hvc0 speaks once its driver is loaded, a module of the initrd; until then, and where a kernel
    # dies early, earlyprintk does.
    CMDLINE=${CMDLINE:-console=hvc0 earlyprintk=ttyS0${QUIET:+ quiet}${DEBUG_WAIT:+ nokaslr}}
fi

case ${MEMORY:-256M} in
*[!0-9KMG]* | [KMG]*) fail "MEMORY='$MEMORY' is no size: write 256M, 1G or 65536K." ;;
esac
for name in "$KERNEL" ${INITRD:+"$INITRD"} ${DISK:-}; do
    [ -f "$name" ] || fail "'$name' is not there, or is no file."
    [ -r "$name" ] || fail "'$name' can't be read."
done

case ${CMDLINE:-} in
*"
"*) fail "CMDLINE has more than one line." ;;
*" ;"*) fail "CMDLINE holds ' ;', which begins a comment in pxhv.cfg." ;;
esac

config=$(mktemp)
trap 'rm -f "$config"' EXIT
trap 'exit 1' HUP INT TERM

# The arguments become the files for the stick, NAME=PATH each.
set -- "vmlinuz=$KERNEL"
{
    [ -z "${TRACE:-}" ] || printf '[pxhv]\ntrace   = on\n'
    echo '# One section for the virtual machine. Any editor will do; the next boot obeys.'
    echo '[vm linux]'
    echo 'kernel  = vmlinuz            ; a file on this stick'
} >"$config"
if [ -n "${INITRD:-}" ]; then
    set -- "$@" "initrd.img=$INITRD"
    echo 'initrd  = initrd.img' >>"$config"
fi
[ -z "${CMDLINE:-}" ] || echo "cmdline = $CMDLINE" >>"$config"
if [ -n "${MEMORY:-}" ]; then
    echo "memory  = $MEMORY" >>"$config"
else
    echo '# memory  = 256M           ; the default; on a smaller machine it is what fits' >>"$config"
fi
number=
for name in ${DISK:-}; do
    set -- "$@" "disk$number.img=$name"
    echo "disk    = disk$number.img           ; a RAM disk: what is written ends with the power" \
        >>"$config"
    number=$((${number:-1} + 1))
done
if [ -n "${DEBUG_WAIT:-}" ]; then
    printf '\n[pxhv]\ndebug   = wait               ; for GDB on COM2\n' >>"$config"
fi

mkdir -p "$(dirname "$out")"
case $out in
*.iso) boot/iso.sh "$out" "$config" "$build/pxhv.elf" "$@" ;;
*)
    boot/image.sh "$out" "$config" "$build/boot.bin" "$build/stage2.bin" "$build/pxhv.elf" \
        "EFI/BOOT/BOOTX64.EFI=$build/BOOTX64.EFI" "$@"
    ;;
esac
