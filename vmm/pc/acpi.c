/*
 * ACPI, the fixed tables: ACPI Specification 5.0, "Root System Description Pointer (RSDP)",
 * "Fixed ACPI Description Table (FADT)", "Firmware ACPI Control Structure (FACS)", "Multiple APIC
 * Description Table (MADT)". The DSDT is compiled from acpi/dsdt.asl; only the FADT points to it,
 * so its bytes are taken as they are.
 */
#include "pc/acpi.h"

#include "dev/lapic_regs.h"
#include "lib/mem.h"
#include "pc/layout.h"

/* Offsets from PC_FIRMWARE_BASE. The RSDP comes first: it is searched for on 16-byte boundaries
 * from E0000h up. The FACS must be aligned to 64 bytes. */
#define AT_RSDP 0x000u
#define AT_RSDT 0x040u
#define AT_XSDT 0x080u
#define AT_FADT 0x100u
#define AT_FACS 0x240u
#define AT_MADT 0x280u
#define AT_HPET 0x300u
#define AT_MCFG 0x340u
#define AT_DSDT 0x380u
#define AREA    (PC_LOW_MEGABYTE - PC_FIRMWARE_BASE)

#define HEADER_SIZE 36u
#define RSDP_SIZE   36u
#define RSDT_SIZE   (HEADER_SIZE + 4u * ROOT_COUNT)
#define XSDT_SIZE   (HEADER_SIZE + 8u * ROOT_COUNT)
#define FADT_SIZE   268u /* revision 5 */
#define FACS_SIZE   64u
#define MADT_SIZE   (HEADER_SIZE + 8u + 8u + 12u + 2 * 10u + 6u)
#define HPET_SIZE   56u
#define MCFG_SIZE   60u

/* What the root tables list. */
static const uint32_t root_table[] = {AT_FADT, AT_MADT, AT_HPET, AT_MCFG};
#define ROOT_COUNT 4u
_Static_assert(ARRAY_SIZE(root_table) == ROOT_COUNT, "the root tables hold all of them");

/* FADT, "Fixed ACPI Description Table Fixed Feature Flags". */
#define FADT_WBINVD        BIT(0)
#define FADT_PROC_C1       BIT(2)
#define FADT_SLP_BUTTON    BIT(5) /* set: no sleep button in PM1 */
#define FADT_FIX_RTC       BIT(6) /* set: no RTC wake status in PM1 */
#define FADT_TMR_VAL_EXT   BIT(8) /* the PM timer has 32 bits */
#define FADT_RESET_REG_SUP BIT(10)

/* FADT, "IA-PC Boot Architecture Flags". */
#define BOOT_LEGACY_DEVICES BIT(0)
#define BOOT_8042           BIT(1)
#define BOOT_NO_VGA         BIT(2)

/* MADT: "Multiple APIC Flags", types of "Interrupt Controller Structures", "MPS INTI Flags". */
#define MADT_PCAT_COMPAT     BIT(0) /* the machine has 8259As, too */
#define MADT_LOCAL_APIC      0u
#define MADT_IO_APIC         1u
#define MADT_OVERRIDE        2u
#define MADT_LOCAL_APIC_NMI  4u
#define MADT_APIC_ENABLED    BIT(0)
#define MADT_ALL_PROCESSORS  0xFFu
#define MADT_INTI_CONFORMS   0x0u /* to the bus: of ISA, edge and active high */
#define MADT_INTI_LEVEL_HIGH 0xDu
#define MADT_INTI_EDGE_HIGH  0x5u

#define GAS_SYSTEM_MEMORY 0u
#define GAS_SYSTEM_IO     1u

/* The low half of the HPET's capabilities: Intel, legacy replacement, 64 bits, three timers. */
#define HPET_BLOCK_ID 0x8086A201u
/* Counts between two interrupts that none is lost at: the 20 us that the run loop may wait. */
#define HPET_MIN_TICK 2000u

/* C-states slower than these (microseconds) don't exist, says the FADT. */
#define NO_C2_LATENCY 0xFFFFu
#define NO_C3_LATENCY 0xFFFFu

/* The byte of CMOS memory that counts centuries, by PC tradition. */
#define CMOS_CENTURY 0x32u

#define RESET_VALUE 0x06u /* a full reset through port CF9h */

static uint8_t checksum(const uint8_t *bytes, unsigned size)
{
    uint8_t sum = 0;

    for (unsigned i = 0; i < size; i++)
        sum = (uint8_t)(sum + bytes[i]);
    return (uint8_t)-sum;
}

/* "System Description Table Header"; table_seal() adds the checksum when the body is complete. */
static void table_begin(uint8_t *table, const char *signature, uint32_t size, uint8_t revision)
{
    memset(table, 0, size);
    memcpy(table, signature, 4);
    store_le32(table + 4, size);
    table[8] = revision;
    memcpy(table + 10, "PXHV  ", 6);
    memcpy(table + 16, "PXHVPC  ", 8);
    store_le32(table + 24, 1);
    memcpy(table + 28, "PXHV", 4);
    store_le32(table + 32, 1);
}

static void table_seal(uint8_t *table)
{
    table[9] = 0;
    table[9] = checksum(table, load_le32(table + 4));
}

static void write_rsdp(uint8_t *rsdp)
{
    memset(rsdp, 0, RSDP_SIZE);
    memcpy(rsdp, "RSD PTR ", 8);
    memcpy(rsdp + 9, "PXHV  ", 6);
    rsdp[15] = 2;
    store_le32(rsdp + 16, PC_FIRMWARE_BASE + AT_RSDT);
    store_le32(rsdp + 20, RSDP_SIZE);
    store_le64(rsdp + 24, PC_FIRMWARE_BASE + AT_XSDT);
    /* Two checksums: of ACPI 1.0's 20 bytes, then of the whole with the first in it. */
    rsdp[8] = checksum(rsdp, 20);
    rsdp[32] = checksum(rsdp, RSDP_SIZE);
}

/* "Generic Address Structure": access size 1 byte, 2 words, 3 dwords. */
static void write_gas(uint8_t *gas, uint16_t port, uint8_t bits, uint8_t access)
{
    gas[0] = GAS_SYSTEM_IO;
    gas[1] = bits;
    gas[2] = 0;
    gas[3] = access;
    store_le64(gas + 4, port);
}

static void write_fadt(uint8_t *fadt)
{
    table_begin(fadt, "FACP", FADT_SIZE, 5);
    store_le32(fadt + 36, PC_FIRMWARE_BASE + AT_FACS);
    store_le32(fadt + 40, PC_FIRMWARE_BASE + AT_DSDT);
    fadt[45] = 1; /* Preferred_PM_Profile: desktop */
    store_le16(fadt + 46, PC_IRQ_SCI);
    store_le32(fadt + 56, PC_PORT_PM);     /* PM1a_EVT_BLK */
    store_le32(fadt + 64, PC_PORT_PM + 4); /* PM1a_CNT_BLK */
    store_le32(fadt + 76, PC_PORT_PM + 8); /* PM_TMR_BLK */
    fadt[88] = 4;                          /* PM1_EVT_LEN */
    fadt[89] = 2;                          /* PM1_CNT_LEN */
    fadt[91] = 4;                          /* PM_TMR_LEN */
    store_le16(fadt + 96, NO_C2_LATENCY);
    store_le16(fadt + 98, NO_C3_LATENCY);
    fadt[108] = CMOS_CENTURY;
    store_le16(fadt + 109, BOOT_LEGACY_DEVICES | BOOT_8042 | BOOT_NO_VGA);
    store_le32(fadt + 112, FADT_WBINVD | FADT_PROC_C1 | FADT_SLP_BUTTON | FADT_FIX_RTC |
                               FADT_TMR_VAL_EXT | FADT_RESET_REG_SUP);
    write_gas(fadt + 116, PC_PORT_RESET, 8, 1);
    fadt[128] = RESET_VALUE;
    /* X_FIRMWARE_CTRL stays 0: only one of the two FACS pointers may be set. */
    store_le64(fadt + 140, PC_FIRMWARE_BASE + AT_DSDT);
    write_gas(fadt + 148, PC_PORT_PM, 32, 2);
    write_gas(fadt + 172, PC_PORT_PM + 4, 16, 2);
    write_gas(fadt + 208, PC_PORT_PM + 8, 32, 3);
    table_seal(fadt);
}

/* The source is an ISA interrupt; bus 0 is ISA. */
static uint8_t *write_override(uint8_t *at, uint8_t irq, uint32_t gsi, uint16_t flags)
{
    at[0] = MADT_OVERRIDE;
    at[1] = 10;
    at[3] = irq;
    store_le32(at + 4, gsi);
    store_le16(at + 8, flags);
    return at + 10;
}

static void write_madt(uint8_t *madt)
{
    uint8_t *at = madt + HEADER_SIZE + 8;

    table_begin(madt, "APIC", MADT_SIZE, 3);
    store_le32(madt + HEADER_SIZE, LAPIC_BASE_ADDRESS);
    store_le32(madt + HEADER_SIZE + 4, MADT_PCAT_COMPAT);

    at[0] = MADT_LOCAL_APIC;
    at[1] = 8;
    at[3] = PC_APIC_ID;
    store_le32(at + 4, MADT_APIC_ENABLED);
    at += 8;

    at[0] = MADT_IO_APIC;
    at[1] = 12;
    at[2] = PC_IOAPIC_ID;
    store_le32(at + 4, PC_IOAPIC_BASE);
    at += 12; /* its first input is global system interrupt 0 */

    at = write_override(at, PC_IRQ_TIMER, PC_GSI_TIMER, MADT_INTI_CONFORMS);
    at = write_override(at, PC_IRQ_SCI, PC_IRQ_SCI, MADT_INTI_LEVEL_HIGH);

    at[0] = MADT_LOCAL_APIC_NMI;
    at[1] = 6;
    at[2] = MADT_ALL_PROCESSORS;
    store_le16(at + 3, MADT_INTI_EDGE_HIGH);
    at[5] = 1; /* LINT1 */
    table_seal(madt);
}

/* IA-PC HPET Specification 1.0a, "The ACPI 2.0 HPET Description Table (HPET)". */
static void write_hpet(uint8_t *hpet)
{
    table_begin(hpet, "HPET", HPET_SIZE, 1);
    store_le32(hpet + 36, HPET_BLOCK_ID);
    hpet[40] = GAS_SYSTEM_MEMORY;
    hpet[41] = 64;
    store_le64(hpet + 44, PC_HPET_BASE);
    store_le16(hpet + 53, HPET_MIN_TICK);
    table_seal(hpet);
}

/* PCI Firmware Specification, "MCFG Table Description": segment 0 with bus 0 alone. */
static void write_mcfg(uint8_t *mcfg)
{
    table_begin(mcfg, "MCFG", MCFG_SIZE, 1);
    store_le64(mcfg + 44, PC_ECAM_BASE);
    table_seal(mcfg);
}

static void write_roots(uint8_t *rsdt, uint8_t *xsdt)
{
    table_begin(rsdt, "RSDT", RSDT_SIZE, 1);
    table_begin(xsdt, "XSDT", XSDT_SIZE, 1);
    for (unsigned i = 0; i < ROOT_COUNT; i++) {
        store_le32(rsdt + HEADER_SIZE + 4 * i, PC_FIRMWARE_BASE + root_table[i]);
        store_le64(xsdt + HEADER_SIZE + 8 * i, PC_FIRMWARE_BASE + root_table[i]);
    }
    table_seal(rsdt);
    table_seal(xsdt);
}

gpa_t acpi_write(const struct gmem *gmem, const uint8_t *dsdt, uint64_t dsdt_size_bytes)
{
    uint8_t *area = gmem_ptr(gmem, PC_FIRMWARE_BASE, AREA);

    if (!area || dsdt_size_bytes < HEADER_SIZE || dsdt_size_bytes > AREA - AT_DSDT ||
        memcmp(dsdt, "DSDT", 4) != 0 || load_le32(dsdt + 4) != dsdt_size_bytes)
        return 0;

    memset(area, 0, AREA);
    memcpy(area + AT_DSDT, dsdt, dsdt_size_bytes);

    memcpy(area + AT_FACS, "FACS", 4);
    store_le32(area + AT_FACS + 4, FACS_SIZE);
    area[AT_FACS + 32] = 2;

    write_fadt(area + AT_FADT);
    write_madt(area + AT_MADT);
    write_hpet(area + AT_HPET);
    write_mcfg(area + AT_MCFG);
    write_roots(area + AT_RSDT, area + AT_XSDT);
    write_rsdp(area + AT_RSDP);
    return PC_FIRMWARE_BASE + AT_RSDP;
}
