; Single stepping: TF raises #DB behind each instruction, also behind those that exit to the VMM,
; and debug registers break on a write.
%define NAME "single_step"
%include "bzimage.inc"

; STEP_INTO "what", instruction: runs one instruction with TF set; #DB must come right behind it.
%macro STEP_INTO 2+
        mov     qword [resume], %%done
        mov     qword [fault], -1
        xor     eax, eax
        mov     dr6, rax
        pushfq
        or      dword [rsp], 100h
        popfq
        %2
%%behind:
        nop
%%done:
        mov     qword [resume], 0
        CHECK   [fault], VECTOR_DB, %1
        CHECK   [fault_rip], %%behind, %1, " (RIP)"
        mov     rax, dr6
        and     eax, 4000h
        CHECK   rax, 4000h, %1, " (DR6.BS)"
%endmacro

main:
        STEP_INTO "step over NOP", nop
        xor     eax, eax
        STEP_INTO "step over CPUID", cpuid
        mov     dx, 5A0h
        STEP_INTO "step over OUT", out dx, al
        mov     dx, 5A0h
        STEP_INTO "step over IN", in al, dx

        mov     rax, watched
        mov     dr0, rax
        mov     eax, 1 << 0 | 1 << 16 | 3 << 18 | 400h ; L0, write, 4 bytes
        mov     dr7, rax
        mov     qword [resume], .watched
        mov     qword [fault], -1
        mov     dword [watched], 1
.behind:
        nop
.watched:
        mov     qword [resume], 0
        mov     rax, 400h
        mov     dr7, rax
        CHECK   [fault], VECTOR_DB, "a watched write"
        CHECK   [fault_rip], .behind, "RIP behind a watched write"
        ret

watched:        dd 0

        END_OF_GUEST
