/* See cpu.h. Whether VT-x or AMD-V is complete and switched on is the VMM's question. */
#include "cpu.h"

#include "lib/bits.h"
#include "console.h"

void cpu_check(bool has_cpuid)
{
    if (!has_cpuid || cpuid(0x80000000).eax < 0x80000001 || !(cpuid(0x80000001).edx & BIT(29)))
        die("this CPU has no long mode: pxHV needs a 64-bit CPU with VT-x or AMD-V "
            "(in an emulator choose such a model: QEMU \"-cpu EPYC,+svm\", Bochs "
            "\"corei7_skylake_x\")");
    bool vtx = cpuid(1).ecx & BIT(5), amdv = cpuid(0x80000001).ecx & BIT(2);
    if (!vtx && !amdv)
        die("this CPU offers neither VT-x nor AMD-V: switch virtualization on in the firmware's "
            "setup (\"VT-x\", \"SVM\"), or in an emulator choose a CPU model that has it "
            "(QEMU \"-cpu EPYC,+svm\", Bochs \"corei7_skylake_x\")");
    console_print("%s supported\n", vtx ? "VT-x" : "AMD-V");
}
