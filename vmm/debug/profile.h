/*
 * The profile: where the time of a guest went, as a binary file that is made while it is read, in
 * pieces of any size. docs/PROFILE.md describes the format; the structures below are its records,
 * little-endian and without gaps.
 */
#ifndef DEBUG_PROFILE_H
#define DEBUG_PROFILE_H

#include "dev/iobus.h"
#include "virt/virt.h"

#define PROFILE_VERSION 1u

struct profile_source {
    const struct vcpu *vcpu;
    const struct iobus *ports, *mmio; /* for the devices' names */
    struct account *snapshot;         /* what is read goes through it */
    const char *guest;                /* its name */
    uint64_t memory_bytes;
    /* Host TSC: stage 2 began, the files were read, virtualization was on, the guest was loaded. */
    uint64_t stage2_tsc, loaded_tsc, enabled_tsc, launch_tsc;
};

struct profile_header {
    char magic[8]; /* "PXHVPROF" */
    uint32_t version;
    uint32_t header_bytes;
    uint64_t total_bytes;
    uint32_t sections;
    uint32_t zero;
};

/* In front of each section's records. */
struct profile_section {
    char tag[4];
    uint32_t record_bytes;
    uint64_t records;
};

struct profile_info {
    uint64_t tsc_hz;
    uint64_t stage2_tsc, loaded_tsc, enabled_tsc, launch_tsc;
    uint64_t first_tsc; /* the run loop's first begin */
    uint64_t now_tsc;   /* of this snapshot */
    uint64_t exits;
    uint64_t wall_ticks, guest_ticks, vmm_ticks, asleep_ticks, stopped_ticks;
    uint64_t start_ticks; /* in vmm_ticks: before first entries */
    uint64_t rip_samples;
    uint64_t memory_bytes;
    uint32_t exits_per_sample;
    uint32_t tracing; /* 1: on */
    char backend[16], version[16], guest[32];
};

struct profile_kind {
    uint32_t kind;
    uint32_t zero;
    uint64_t count, ticks, max;
    uint64_t others; /* in count: exits without a record in "DETL" */
    char name[40];
};

struct profile_detail {
    uint32_t kind;
    uint32_t zero;
    uint64_t value; /* port, MSR, first address of the page */
    uint64_t count, ticks, max;
    char device[24]; /* "" where there is none */
};

struct profile_rip {
    uint64_t rip, samples, error;
};

struct profile_row {
    uint64_t tsc, guest_ticks, asleep_ticks, stopped_ticks;
    uint32_t count[(VEXIT_KIND_COUNT + 1) / 2 * 2]; /* by kind; an odd one has a zero behind it */
};

struct profile_exit {
    uint64_t entered_tsc, exited_tsc, rip, detail;
    uint32_t kind, raw_reason;
};

/* Copies `length` bytes of the profile from `offset` on, fewer at its end. Reading offset 0 takes
 * the snapshot that all later reads are of: the guest must stand still from there to the last one.
 */
uint64_t profile_read(const struct profile_source *source, uint64_t offset, void *to,
                      uint64_t length);

#endif
