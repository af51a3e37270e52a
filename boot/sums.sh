#!/bin/sh
# Prints pxhv.sum, which the loaders compare files with: boot/sums.sh NAME=PATH ...
# Everyone's checksum, size and name, and the date that the files have on the medium
# (SOURCE_DATE_EPOCH).
set -eu
export LC_ALL=C

SUMS_MAX=20480       # MANIFEST_MAX_SIZE of the loaders
FAT_FIRST=315532800  # 1980 and 2107: what a FAT can date
FAT_LAST=4354819199

die() {
    echo "sums.sh: $*" >&2
    exit 1
}

case $SOURCE_DATE_EPOCH in
*[!0-9]* | '') die "SOURCE_DATE_EPOCH=\"$SOURCE_DATE_EPOCH\" is no number of seconds" ;;
esac
[ "$SOURCE_DATE_EPOCH" -ge "$FAT_FIRST" ] && [ "$SOURCE_DATE_EPOCH" -le "$FAT_LAST" ] ||
    die "SOURCE_DATE_EPOCH=$SOURCE_DATE_EPOCH: a file on FAT32 is dated from 1980 to 2107"

text=$(
    echo "# The files that \"make image\" wrote: checksum, size, name. pxHV's loaders compare them, and"
    echo "# so can you, in the stick's top folder:"
    echo "#   grep -v '^#' pxhv.sum | while read -r sum size name; do"
    echo "#       [ \"\$(cksum <\"\$name\")\" = \"\$sum \$size\" ] || echo \"\$name differs\"; done"
    echo "# A file with this date and its size, but another checksum, is damaged. One with another"
    echo "# date or size was changed by hand: that is fine. GRUB tells no dates: there the size counts."
    date -u -d "@$SOURCE_DATE_EPOCH" '+#date %Y-%m-%d %H:%M:%S'
    for item in "$@"; do
        echo "$(cksum <"${item#*=}") ${item%%=*}"
    done
)
[ ${#text} -lt "$SUMS_MAX" ] || die "these are too many files: their names fill pxhv.sum"
echo "$text"
