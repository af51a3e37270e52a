; A request waits for IF, whatever the host does meanwhile: bytes for the serial line make it
; interrupts of its own.
%define NAME "apic_masked"
%include "bzimage.inc"
%include "apic.inc"

%define ROUNDS 20

main:
        call    apic_setup
        WRMSR   MSR_APIC_BASE, APIC | 0D00h
        mov     ebp, ROUNDS
.round: SAY     "tiny: words that the host sends on while the guest runs on", 13, 10
        WRMSR   83Fh, 41h
        cli                             ; again: it tells Bochs that IF changed
        mov     ecx, 200000
.wait:  dec     ecx
        jnz     .wait
        TAKEN   41h, 0, "with IF clear"
        sti
        nop
        cli
        TAKEN   41h, 1, "with IF set"
        dec     ebp
        jnz     .round
        ret

        END_OF_GUEST
