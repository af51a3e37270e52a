/* Registers of the 8254, by the names of Intel's data sheet, and port 61h of the PC. */
#ifndef DEV_PIT8254_REGS_H
#define DEV_PIT8254_REGS_H

/* Offsets from port 40h; port 61h answers at the last one. */
#define PIT_COUNTER0 0 /* RW */
#define PIT_COUNTER1 1 /* RW */
#define PIT_COUNTER2 2 /* RW */
#define PIT_CONTROL  3 /* WO */
#define PIT_PORT61   4 /* RW: gate of counter 2, speaker, refresh, OUT2 */

/* Control word. */
#define PIT_SC(control)   ((control) >> 6)     /* which counter; 3 is the read-back command */
#define PIT_RW(control)   ((control) >> 4 & 3) /* 0: counter latch command */
#define PIT_MODE(control) ((control) >> 1 & 7) /* 6 and 7 are 2 and 3 */
#define PIT_RW_LATCH      0
#define PIT_RW_LSB        1
#define PIT_RW_MSB        2
#define PIT_RW_BOTH       3 /* LSB first, then MSB */
#define PIT_CONTROL_BCD   0x01
#define PIT_CONTROL_STATE 0x3f /* what the status byte gives back */

/* Read-back command: a clear bit asks. */
#define PIT_READBACK_NO_COUNT  0x20
#define PIT_READBACK_NO_STATUS 0x10

/* Status byte, above the bits of PIT_CONTROL_STATE. */
#define PIT_STATUS_OUT        0x80
#define PIT_STATUS_NULL_COUNT 0x40 /* the count isn't in the counter yet */

#define PORT61_GATE2         0x01 /* RW */
#define PORT61_SPEAKER       0x02 /* RW */
#define PORT61_PARITY_OFF    0x04 /* RW: no parity check here */
#define PORT61_IOCHK_OFF     0x08 /* RW: no channel check here */
#define PORT61_REFRESH       0x10 /* RO: toggles with each memory refresh */
#define PORT61_OUT2          0x20 /* RO: OUT of counter 2 */
#define PORT61_WRITABLE      0x0f
#define PORT61_REFRESH_TICKS 18 /* counter 1's count in a PC: 15.09 us */

#endif
