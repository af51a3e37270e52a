/* Commands and bits of the 8042 keyboard controller (IBM PS/2 "Keyboard and Auxiliary Device
 * Controller") and of the PS/2 keyboard behind it. */
#ifndef DEV_I8042_REGS_H
#define DEV_I8042_REGS_H

/* Offsets from port 60h. */
#define I8042_DATA    0 /* RW: output buffer, input buffer */
#define I8042_COMMAND 4 /* RO status, WO command */

#define I8042_STATUS_OBF     0x01 /* output buffer full */
#define I8042_STATUS_SYS     0x04 /* the command byte's SYS bit */
#define I8042_STATUS_CMD     0x08 /* the last write went to the command port */
#define I8042_STATUS_UNLOCK  0x10 /* keyboard lock is open */
#define I8042_STATUS_AUX     0x20 /* the byte came from the auxiliary port */
#define I8042_STATUS_TIMEOUT 0x40 /* no device answered */

/* Command byte. */
#define I8042_CB_KBD_INT   0x01
#define I8042_CB_AUX_INT   0x02
#define I8042_CB_SYS       0x04
#define I8042_CB_KBD_OFF   0x10
#define I8042_CB_AUX_OFF   0x20
#define I8042_CB_TRANSLATE 0x40
#define I8042_CB_MASK      0x77

/* Controller commands. */
#define I8042_READ_CB       0x20
#define I8042_WRITE_CB      0x60
#define I8042_AUX_DISABLE   0xa7
#define I8042_AUX_ENABLE    0xa8
#define I8042_AUX_TEST      0xa9
#define I8042_SELF_TEST     0xaa
#define I8042_KBD_TEST      0xab
#define I8042_KBD_DISABLE   0xad
#define I8042_KBD_ENABLE    0xae
#define I8042_READ_INPUT    0xc0
#define I8042_READ_OUTPUT   0xd0
#define I8042_WRITE_OUTPUT  0xd1
#define I8042_WRITE_KBD_BUF 0xd2
#define I8042_WRITE_AUX_BUF 0xd3
#define I8042_WRITE_AUX     0xd4
#define I8042_A20_OFF       0xdd
#define I8042_A20_ON        0xdf
#define I8042_PULSE         0xf0 /* F0h-FFh: pulse the output port's low bits that are clear */

#define I8042_SELF_TEST_OK   0x55
#define I8042_TEST_OK        0x00
#define I8042_TEST_CLOCK_LOW 0x01 /* the line is stuck: nobody is connected */
#define I8042_INPUT_PORT     0xa0 /* keyboard not locked, colour display */

/* Output port. */
#define I8042_OUT_NOT_RESET 0x01
#define I8042_OUT_A20       0x02
#define I8042_OUT_KBD_IRQ   0x10 /* shows IRQ1 */
#define I8042_OUT_KBD_LINES 0xc0 /* keyboard clock and data idle high */

/* Keyboard commands and answers. */
#define KBD_SET_LEDS      0xed
#define KBD_ECHO          0xee
#define KBD_SCANCODE_SET  0xf0
#define KBD_IDENTIFY      0xf2
#define KBD_SET_RATE      0xf3
#define KBD_SCAN_ON       0xf4
#define KBD_DEFAULTS_OFF  0xf5
#define KBD_DEFAULTS      0xf6
#define KBD_ALL_TYPEMATIC 0xf7 /* F7h-FAh: key types of scan code set 3 */
#define KBD_ALL_BOTH      0xfa
#define KBD_RESEND        0xfe
#define KBD_RESET         0xff

#define KBD_ACK        0xfa
#define KBD_NAK        0xfe /* "resend": the command isn't known */
#define KBD_SELF_TEST  0xaa
#define KBD_ID_FIRST   0xab
#define KBD_ID_SECOND  0x83
#define KBD_RELEASE    0xf0 /* set 2: prefix of a release */
#define KBD_SET1_BREAK 0x80 /* set 1: bit of a release */
#define KBD_PREFIX_E0  0xe0
#define KBD_PREFIX_E1  0xe1
#define KBD_LED_MASK   0x07

#endif
