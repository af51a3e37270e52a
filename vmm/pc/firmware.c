/*
 * The BIOS data area of the IBM PC: Linux takes the end of conventional memory from it, DOS-age
 * programs take the serial port. Interrupt vectors stay zero: there is no BIOS to call.
 */
#include "pc/firmware.h"

#include "lib/mem.h"
#include "pc/acpi.h"
#include "pc/layout.h"

#define BDA_COM1         0x400u /* word: base port */
#define BDA_EBDA_SEGMENT 0x40Eu /* word */
#define BDA_EQUIPMENT    0x410u /* word */
#define BDA_MEMORY_KIB   0x413u /* word: conventional memory */

#define EQUIPMENT_ONE_SERIAL BIT(9)

gpa_t firmware_write(const struct gmem *gmem, const uint8_t *dsdt, uint64_t dsdt_size_bytes)
{
    uint8_t *low = gmem_ptr(gmem, 0, PC_LOW_MEGABYTE);

    if (!low)
        return 0;
    memset(low, 0, PC_LOW_MEGABYTE);
    store_le16(low + BDA_COM1, PC_PORT_COM1);
    store_le16(low + BDA_EBDA_SEGMENT, PC_EBDA_BASE >> 4);
    store_le16(low + BDA_EQUIPMENT, EQUIPMENT_ONE_SERIAL);
    store_le16(low + BDA_MEMORY_KIB, PC_EBDA_BASE >> 10);
    low[PC_EBDA_BASE] = 1; /* its size in KiB */
    return acpi_write(gmem, dsdt, dsdt_size_bytes);
}
