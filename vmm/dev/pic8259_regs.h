/* Command words of the 8259A, by the names of Intel's data sheet, and the ELCR of a PCI PC. */
#ifndef DEV_PIC8259_REGS_H
#define DEV_PIC8259_REGS_H

/* Offsets: ports 20h 21h, A0h A1h, 4D0h 4D1h. */
#define PIC_MASTER_COMMAND 0
#define PIC_MASTER_DATA    1
#define PIC_SLAVE_COMMAND  2
#define PIC_SLAVE_DATA     3
#define PIC_MASTER_ELCR    4
#define PIC_SLAVE_ELCR     5

/* What a write to the command port is. */
#define PIC_ICW1 0x10
#define PIC_OCW3 0x08 /* and not PIC_ICW1; OCW2 otherwise */

#define PIC_ICW1_IC4  0x01 /* ICW4 follows */
#define PIC_ICW1_SNGL 0x02 /* no ICW3 */

#define PIC_ICW2_BASE 0xf8 /* vector of input 0 */

#define PIC_ICW4_AEOI 0x02
#define PIC_ICW4_SFNM 0x10 /* special fully nested mode */

/* OCW2: bits 7-5 are the command, bits 2-0 a level. */
#define PIC_OCW2_COMMAND(value) ((value) >> 5)
#define PIC_OCW2_LEVEL(value)   ((value)&7)
#define PIC_ROTATE_AEOI_CLEAR   0
#define PIC_EOI                 1
#define PIC_EOI_SPECIFIC        3
#define PIC_ROTATE_AEOI_SET     4
#define PIC_EOI_ROTATE          5
#define PIC_SET_PRIORITY        6
#define PIC_EOI_ROTATE_SPECIFIC 7

#define PIC_OCW3_ESMM 0x40 /* the SMM bit counts */
#define PIC_OCW3_SMM  0x20 /* special mask mode */
#define PIC_OCW3_POLL 0x04
#define PIC_OCW3_RR   0x02 /* the RIS bit counts */
#define PIC_OCW3_RIS  0x01 /* reads give ISR, else IRR */

#define PIC_POLL_INTERRUPT 0x80

/* ELCR: 1 is level. Inputs 0, 1, 2, 8 and 13 of a PC are always edge. */
#define PIC_ELCR_MASTER_WRITABLE 0xf8
#define PIC_ELCR_SLAVE_WRITABLE  0xde

#define PIC_CASCADE_PIN 2

#endif
