/* Bits of the PC's reset ports. */
#ifndef DEV_RESET_PORTS_REGS_H
#define DEV_RESET_PORTS_REGS_H

#define PORT92_RESET 0x01 /* RW: 0 to 1 resets */
#define PORT92_A20   0x02 /* RW */
#define PORT92_MASK  0x03

#define CF9_SYS_RST  0x02 /* RW: hard instead of soft */
#define CF9_RST_CPU  0x04 /* RW: 0 to 1 resets */
#define CF9_FULL_RST 0x08 /* RW: power-cycle */
#define CF9_MASK     0x0e

#endif
