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
        mov     esi, text
        STEP_INTO "step over OUTSB", outsb
        mov     ecx, 1Bh                ; IA32_APIC_BASE
        STEP_INTO "step over RDMSR", rdmsr
        mov     ecx, 10h                ; the TSC
        STEP_INTO "step over WRMSR", wrmsr
        mov     ebx, 0FEE00030h
        STEP_INTO "step over a read of device memory", mov eax, [rbx]
        STEP_INTO "step over a write to device memory", mov [rbx], ecx
        STEP_INTO "step over HLT", hlt
        STEP_INTO "step over WBINVD", wbinvd
        mov     r12, cr0
        STEP_INTO "step over MOV to CR0", mov cr0, r12
        STEP_INTO "step over MOV from CR8", mov rax, cr8

        ; A repeated instruction traps behind each of its steps.
        mov     qword [resume], .again
        mov     qword [fault], -1
        mov     dx, 5A0h
        mov     ecx, 3
        mov     edi, text
        pushfq
        or      dword [rsp], 100h
        popfq
.repeated:
        rep insb
        nop
.again: mov     qword [resume], 0
        CHECK   [fault], VECTOR_DB, "step into REP INSB"
        CHECK   [fault_rip], .repeated, "RIP of a step into REP INSB"
        CHECK   rcx, 2, "RCX behind a step of REP INSB"
        CHECK   rdi, text + 1, "RDI behind a step of REP INSB"

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
text:           times 4 db 0

        END_OF_GUEST
