/* pxhv.cfg as a structure: the same parser on every boot path. */
#ifndef LIB_CONFIG_H
#define LIB_CONFIG_H

#include "lib/ini.h"
#include "lib/types.h"

#define CONFIG_MAX_DISKS    4
#define CONFIG_NAME_SIZE    32
#define CONFIG_PATH_SIZE    128
#define CONFIG_CMDLINE_SIZE 2048
#define CONFIG_MIN_MEMORY   MIB(2)
#define CONFIG_MAX_MEMORY   GIB(512)

struct vm_config {
    char name[CONFIG_NAME_SIZE];
    char kernel[CONFIG_PATH_SIZE];
    char initrd[CONFIG_PATH_SIZE]; /* "" where there is none */
    char cmdline[CONFIG_CMDLINE_SIZE];
    uint64_t memory_bytes; /* multiple of 4 KiB; 256 MiB where it isn't given */
    bool memory_given;
    unsigned disk_count;
    int apicv;                                     /* 0 to 3: key "apicv" = off|tpr|delivery|on */
    char disk[CONFIG_MAX_DISKS][CONFIG_PATH_SIZE]; /* in order vda, vdb, ... */
};

/* The serial line on which GDB finds the guest. */
enum config_gdb { CONFIG_GDB_COM2, CONFIG_GDB_COM1, CONFIG_GDB_OFF };

struct config {
    struct vm_config vm; /* exactly one [vm NAME] section today */
    /* The "[pxhv]" section. */
    int log_level;       /* enum log_level; key "log" = error|warn|info|debug */
    int keyboard;        /* 0, 1, 2: key "keyboard" = console|ps2|both */
    uint8_t escape;      /* key "escape" = ctrl-a|...|ctrl-z|off: 1 to 26, or 0 */
    enum config_gdb gdb; /* key "gdb" = com2|com1|off; com1 is the console's, too */
    bool debug_wait;     /* key "debug" = run|wait: GDB lets the guest begin */
    int trace;           /* 0, 1: key "trace" = off|on */
    /* "[pxhv]", key "screen": the framebuffer to ask the firmware for. 0 x 0: none, "text". */
    uint16_t screen_width;
    uint16_t screen_height;
};

/* Parses pxhv.cfg. Unknown sections and keys, doubled keys, bad sizes ("256M", "1G", "4096K"),
 * over-long values and a missing kernel are errors. */
bool config_parse(const char *text, size_t size, struct config *config, struct ini_error *error);

#endif
