/* Ports 92h and CF9h; reset_ports.h says what is modelled. */
#include "dev/reset_ports.h"
#include "dev/reset_ports_regs.h"

static enum io_result reset_ports_read(void *dev, uint32_t offset, unsigned size, uint64_t *value)
{
    const struct reset_ports *ports = dev;
    if (offset > RESET_PORT_CF9)
        return IO_NO_REGISTER;
    if (size != 1)
        return IO_BAD_SIZE;
    *value = offset == RESET_PORT_92 ? ports->port92 : ports->cf9;
    return IO_OK;
}

static enum io_result reset_ports_write(void *dev, uint32_t offset, unsigned size, uint64_t value)
{
    struct reset_ports *ports = dev;
    if (offset > RESET_PORT_CF9)
        return IO_NO_REGISTER;
    if (size != 1)
        return IO_BAD_SIZE;
    uint8_t *port = offset == RESET_PORT_92 ? &ports->port92 : &ports->cf9;
    uint8_t trigger = offset == RESET_PORT_92 ? PORT92_RESET : CF9_RST_CPU;
    uint8_t mask = offset == RESET_PORT_92 ? PORT92_MASK : CF9_MASK;
    bool rises = value & ~(uint64_t)*port & trigger;
    *port = (uint8_t)value & mask;
    if (rises)
        signal_raise(&ports->reset);
    return IO_OK;
}

static void reset_ports_reset(void *dev)
{
    struct reset_ports *ports = dev;
    ports->port92 = PORT92_A20;
    ports->cf9 = 0;
}

void reset_ports_init(struct reset_ports *ports, struct signal_line reset)
{
    *ports = (struct reset_ports){.reset = reset};
    reset_ports_reset(ports);
}

const struct dev_ops reset_ports_ops = {
    .name = "reset_ports",
    .read = reset_ports_read,
    .write = reset_ports_write,
    .reset = reset_ports_reset,
};
