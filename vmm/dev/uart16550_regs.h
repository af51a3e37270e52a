/* Registers of the PC16550D, by the names of its data sheet, "Register Summary". */
#ifndef DEV_UART16550_REGS_H
#define DEV_UART16550_REGS_H

/* Offsets from the base port. */
#define UART_RBR 0 /* RO, DLAB=0: received byte */
#define UART_THR 0 /* WO, DLAB=0: byte to send */
#define UART_DLL 0 /* RW, DLAB=1: divisor, low byte */
#define UART_IER 1 /* RW, DLAB=0: interrupt enable */
#define UART_DLM 1 /* RW, DLAB=1: divisor, high byte */
#define UART_IIR 2 /* RO: interrupt identification */
#define UART_FCR 2 /* WO: FIFO control */
#define UART_LCR 3 /* RW: line control */
#define UART_MCR 4 /* RW: modem control */
#define UART_LSR 5 /* RO: line status */
#define UART_MSR 6 /* RO: modem status */
#define UART_SCR 7 /* RW: scratch */

#define UART_IER_ERBFI 0x01 /* received data available, and timeout */
#define UART_IER_ETBEI 0x02 /* transmitter holding register empty */
#define UART_IER_ELSI  0x04 /* receiver line status */
#define UART_IER_EDSSI 0x08 /* modem status */
#define UART_IER_MASK  0x0f

#define UART_IIR_MSR     0x00 /* modem status: lowest priority */
#define UART_IIR_NONE    0x01
#define UART_IIR_THRE    0x02 /* transmitter empty */
#define UART_IIR_RDA     0x04 /* received data at the trigger level */
#define UART_IIR_RLS     0x06 /* receiver line status: highest priority */
#define UART_IIR_TIMEOUT 0x0c /* received data below the trigger level */
#define UART_IIR_FIFOS   0xc0 /* both bits: FIFOs are on */

#define UART_FCR_ENABLE        0x01
#define UART_FCR_CLEAR_RX      0x02 /* clears itself */
#define UART_FCR_CLEAR_TX      0x04 /* clears itself */
#define UART_FCR_TRIGGER_SHIFT 6    /* 1, 4, 8, 14 bytes */

#define UART_LCR_DLAB 0x80 /* offsets 0 and 1 are the divisor */

#define UART_MCR_DTR  0x01
#define UART_MCR_RTS  0x02
#define UART_MCR_OUT1 0x04
#define UART_MCR_OUT2 0x08 /* in a PC: lets the INT pin reach the PIC */
#define UART_MCR_LOOP 0x10
#define UART_MCR_MASK 0x1f

#define UART_LSR_DR         0x01 /* data ready */
#define UART_LSR_OE         0x02 /* overrun */
#define UART_LSR_PE         0x04 /* parity error */
#define UART_LSR_FE         0x08 /* framing error */
#define UART_LSR_BI         0x10 /* break */
#define UART_LSR_THRE       0x20 /* holding register empty */
#define UART_LSR_TEMT       0x40 /* transmitter empty */
#define UART_LSR_FIFO_ERROR 0x80 /* an error anywhere in the receiver FIFO */

#define UART_MSR_DCTS 0x01
#define UART_MSR_DDSR 0x02
#define UART_MSR_TERI 0x04
#define UART_MSR_DDCD 0x08
#define UART_MSR_CTS  0x10
#define UART_MSR_DSR  0x20
#define UART_MSR_RI   0x40
#define UART_MSR_DCD  0x80

#define UART_MSR_DELTAS 0x0f
#define UART_MSR_LINES  0xf0

#endif
