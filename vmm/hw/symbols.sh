#!/bin/sh
# Usage: symbols.sh ELF >symbols.asm
# The functions of a linked VMM as the table that vmm/hw/trace.c reads: address, name, NUL.
set -eu

echo "section .symbols progbits alloc noexec nowrite align=1"
nm -n "$1" | awk '
    $2 ~ /^[tTwW]$/ && $3 !~ /^__(text|image)_/ {
        printf "dd 0x%s\ndb \"%s\", 0\n", substr($1, length($1) - 7), $3
    }
    END { print "dd 0" }'
echo "section .note.GNU-stack noalloc noexec nowrite progbits"
