/*
 * What this loader uses of the UEFI specification ("EFI System Table", "Services - Boot Services",
 * "Protocols - Console Support", "Protocols - Media Access"). Structures and their fields have the
 * specification's names; fields that only keep a place are called unused.
 */
#ifndef STAGE2_EFI_EFI_H
#define STAGE2_EFI_EFI_H

#include "lib/types.h"

#define EFIAPI __attribute__((ms_abi))

typedef uint64_t efi_status;
typedef void *efi_handle;

#define EFI_ERROR            0x8000000000000000ull
#define EFI_SUCCESS          0
#define EFI_BUFFER_TOO_SMALL (EFI_ERROR | 5)
#define EFI_NOT_FOUND        (EFI_ERROR | 14)
#define EFI_ABORTED          (EFI_ERROR | 21)

struct efi_guid {
    uint32_t a;
    uint16_t b, c;
    uint8_t d[8];
};

struct efi_table_header {
    uint64_t Signature;
    uint32_t Revision, HeaderSize, CRC32, Reserved;
};

/* --- memory ----------------------------------------------------------------------------------- */

enum efi_allocate_type { AllocateAnyPages, AllocateMaxAddress, AllocateAddress };

enum efi_memory_type {
    EfiReservedMemoryType,
    EfiLoaderCode,
    EfiLoaderData,
    EfiBootServicesCode,
    EfiBootServicesData,
    EfiRuntimeServicesCode,
    EfiRuntimeServicesData,
    EfiConventionalMemory,
    EfiUnusableMemory,
    EfiACPIReclaimMemory,
    EfiACPIMemoryNVS,
};

#define EFI_MEMORY_WB 0x0000000000000008ull
#define EFI_MEMORY_SP 0x0000000000040000ull /* meant for one device: not for everyone */

struct efi_memory_descriptor {
    uint32_t Type;
    uint64_t PhysicalStart, VirtualStart, NumberOfPages, Attribute;
};

/* --- consoles --------------------------------------------------------------------------------- */

struct efi_input_key {
    uint16_t ScanCode, UnicodeChar;
};

struct efi_text_input {
    efi_status(EFIAPI *Reset)(struct efi_text_input *this, bool extended);
    efi_status(EFIAPI *ReadKeyStroke)(struct efi_text_input *this, struct efi_input_key *key);
    void *WaitForKey;
};

struct efi_text_output {
    void *Reset;
    efi_status(EFIAPI *OutputString)(struct efi_text_output *this, const uint16_t *text);
    void *unused[4];
    efi_status(EFIAPI *ClearScreen)(struct efi_text_output *this);
};

struct efi_graphics_info {
    uint32_t Version, HorizontalResolution, VerticalResolution, PixelFormat;
    uint32_t RedMask, GreenMask, BlueMask, ReservedMask;
    uint32_t PixelsPerScanLine;
};

enum efi_pixel_format { PixelRedGreenBlueReserved8, PixelBlueGreenRedReserved8, PixelBitMask };

struct efi_graphics_output {
    efi_status(EFIAPI *QueryMode)(struct efi_graphics_output *this, uint32_t mode, uint64_t *size,
                                  struct efi_graphics_info **info);
    efi_status(EFIAPI *SetMode)(struct efi_graphics_output *this, uint32_t mode);
    void *unused;
    struct {
        uint32_t MaxMode, Mode;
        struct efi_graphics_info *Info;
        uint64_t SizeOfInfo, FrameBufferBase, FrameBufferSize;
    } * Mode;
};

/* --- files ------------------------------------------------------------------------------------ */

#define EFI_FILE_MODE_READ 1ull
#define EFI_FILE_DIRECTORY 0x10ull

struct efi_file {
    uint64_t Revision;
    efi_status(EFIAPI *Open)(struct efi_file *this, struct efi_file **file, const uint16_t *name,
                             uint64_t mode, uint64_t attributes);
    efi_status(EFIAPI *Close)(struct efi_file *this);
    void *unused_1;
    efi_status(EFIAPI *Read)(struct efi_file *this, uint64_t *size, void *buffer);
    void *unused_2[3];
    efi_status(EFIAPI *GetInfo)(struct efi_file *this, const struct efi_guid *type, uint64_t *size,
                                void *buffer);
};

struct efi_time {
    uint16_t Year;
    uint8_t Month, Day, Hour, Minute, Second, unused[9];
};

struct efi_file_info {
    uint64_t Size, FileSize, PhysicalSize;
    struct efi_time CreateTime, LastAccessTime, ModificationTime;
    uint64_t Attribute;
    uint16_t FileName[];
};

struct efi_simple_file_system {
    uint64_t Revision;
    efi_status(EFIAPI *OpenVolume)(struct efi_simple_file_system *this, struct efi_file **root);
};

struct efi_loaded_image {
    uint32_t Revision;
    efi_handle ParentHandle;
    struct efi_system_table *SystemTable;
    efi_handle DeviceHandle;
};

/* --- the tables ------------------------------------------------------------------------------- */

enum efi_locate_search_type { AllHandles, ByRegisterNotify, ByProtocol };

struct efi_boot_services {
    struct efi_table_header Hdr;
    void *unused_1[2];
    efi_status(EFIAPI *AllocatePages)(uint32_t type, uint32_t memory_type, uint64_t pages,
                                      uint64_t *address);
    efi_status(EFIAPI *FreePages)(uint64_t address, uint64_t pages);
    efi_status(EFIAPI *GetMemoryMap)(uint64_t *size, void *map, uint64_t *key,
                                     uint64_t *descriptor_size, uint32_t *version);
    void *unused_2;
    efi_status(EFIAPI *FreePool)(void *buffer);
    void *unused_3[2];
    efi_status(EFIAPI *WaitForEvent)(uint64_t count, void **events, uint64_t *index);
    void *unused_4[6];
    efi_status(EFIAPI *HandleProtocol)(efi_handle handle, const struct efi_guid *protocol,
                                       void *interface);
    void *unused_5[7];
    efi_status(EFIAPI *Exit)(efi_handle image, efi_status status, uint64_t data_size,
                             uint16_t *data);
    void *unused_6;
    efi_status(EFIAPI *ExitBootServices)(efi_handle image, uint64_t key);
    void *unused_7[2];
    efi_status(EFIAPI *SetWatchdogTimer)(uint64_t seconds, uint64_t code, uint64_t data_size,
                                         uint16_t *data);
    void *unused_8[6];
    efi_status(EFIAPI *LocateHandleBuffer)(uint32_t type, const struct efi_guid *protocol,
                                           void *key, uint64_t *count, efi_handle **handles);
    efi_status(EFIAPI *LocateProtocol)(const struct efi_guid *protocol, void *registration,
                                       void *interface);
};

struct efi_configuration_table {
    struct efi_guid VendorGuid;
    void *VendorTable;
};

struct efi_system_table {
    struct efi_table_header Hdr;
    uint16_t *FirmwareVendor;
    uint32_t FirmwareRevision;
    efi_handle ConsoleInHandle;
    struct efi_text_input *ConIn;
    efi_handle ConsoleOutHandle;
    struct efi_text_output *ConOut;
    efi_handle StandardErrorHandle;
    struct efi_text_output *StdErr;
    void *RuntimeServices;
    struct efi_boot_services *BootServices;
    uint64_t NumberOfTableEntries;
    struct efi_configuration_table *ConfigurationTable;
};

_Static_assert(offsetof(struct efi_boot_services, HandleProtocol) == 24 + 16 * 8, "the 17th");
_Static_assert(offsetof(struct efi_boot_services, ExitBootServices) == 24 + 26 * 8, "the 27th");
_Static_assert(offsetof(struct efi_boot_services, LocateProtocol) == 24 + 37 * 8, "the 38th");
_Static_assert(offsetof(struct efi_system_table, BootServices) == 96, "by the specification");

/* This program's own handle and the firmware's tables, set when it begins. */
extern efi_handle efi_image;
extern struct efi_system_table *efi;

#endif
