#!/bin/sh
# Downloads Debian packages, once. Usage: fetch.sh DIRECTORY [PACKAGE NAME]
# Leaves DIRECTORY/NAME.deb; without a package those of the demo guest, kernel.deb and busybox.deb.
set -eu
dir=$1
meta=linux-image-cloud-amd64

fail() {
    echo "pxHV: $*" >&2
    echo "pxHV: the screen's font and the demo guest are parts of Debian packages: the first build" \
        "needs Debian's package lists and network." >&2
    exit 1
}

# fetch PACKAGE NAME: PACKAGE's .deb as DIRECTORY/NAME.deb
fetch() {
    echo "  FETCH    $1"
    rm -rf "$dir/part"
    mkdir -p "$dir/part"
    (cd "$dir/part" && apt-get -q -o APT::Sandbox::User=root download "$1" >../apt.log 2>&1) || {
        cat "$dir/apt.log" >&2
        fail "apt-get can't download $1: run 'apt-get update' as root, and look at the network."
    }
    mv "$dir"/part/*.deb "$dir/$2.deb"
    rmdir "$dir/part"
}

command -v apt-get >/dev/null || fail "apt-get is missing."
mkdir -p "$dir"
if [ $# = 3 ]; then
    [ -e "$dir/$3.deb" ] || fetch "$2" "$3"
    exit 0
fi
if [ ! -e "$dir/kernel.deb" ]; then
    # The meta package names the newest real one.
    package=$(apt-cache show --no-all-versions "$meta" 2>/dev/null |
        sed -n 's/^Depends:.*\(linux-image-[0-9][^ ,]*\).*/\1/p')
    [ -n "$package" ] || fail "Debian's package lists don't know $meta: run 'apt-get update' as root."
    fetch "$package" kernel
fi
[ -e "$dir/busybox.deb" ] || fetch busybox-static busybox
