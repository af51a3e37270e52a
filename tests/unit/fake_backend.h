/*
 * A CPU made of arrays, for the tests of virt/: registers and segments are plain storage, guest RAM
 * is a buffer, exits come from a script, time is a number. Every call that a test may care about
 * is counted.
 */
#ifndef TESTS_FAKE_BACKEND_H
#define TESTS_FAKE_BACKEND_H

#include "virt/virt.h"

#define FAKE_RAM_SIZE   (1u << 20)
#define FAKE_MAX_SCRIPT 64
#define FAKE_MAX_EVENTS 64
#define FAKE_MAX_PIO    64

/* What one entry saw and one port access was. */
struct fake_entry {
    struct vevent inject;
    bool window[2]; /* by enum vwindow */
    uint64_t deadline_tsc;
    uint64_t tsc;
    uint64_t notify_tsc; /* what post() was told last */
};

struct fake_pio {
    bool write;
    uint16_t port;
    unsigned size;
    uint32_t value;
};

struct fake {
    struct vcpu vcpu;
    struct cpu_facts facts;
    struct host_ops host;

    uint64_t reg[VREG_COUNT];
    struct vseg seg[VSEG_COUNT];
    uint8_t ram[FAKE_RAM_SIZE]; /* guest physical 0; also the MMIO-free part of the machine */
    uint64_t tsc;               /* the host's; tsc() moves it by tsc_step */
    uint64_t tsc_step;
    uint64_t xcr0_loaded; /* what facts.xsetbv() got last */

    /* The script: run() hands these out in turn; behind the end it stops the guest. */
    struct vexit script[FAKE_MAX_SCRIPT];
    unsigned script_len, script_next;
    /* Called at each entry, before the exit is handed out. */
    void (*on_entry)(struct fake *fake, unsigned entry);

    struct fake_entry entry[FAKE_MAX_EVENTS];
    unsigned entries;
    bool window[2];
    unsigned window_calls[2];
    uint64_t deadline_tsc;
    unsigned deadline_calls, flushes, dumps, maps, resets, parks;
    struct vdebug_controls controls; /* what debug() got last */
    bool no_trap;                    /* this CPU has no trap for vdebug_controls.trap */
    uint64_t opened_msr[64];
    bool opened_writes[64];
    unsigned opened;

    /* The machine around the CPU. */
    struct fake_pio pio[FAKE_MAX_PIO];
    unsigned pio_count;
    uint32_t pio_value; /* what the next port reads give; each read adds pio_step */
    uint32_t pio_step;
    void (*on_pio)(struct fake *fake, const struct fake_pio *access);
    int irq_vector; /* irq_ack() gives this and lowers the pin */
    bool nmi_may_come;
    uint64_t
        apic_msr[0x900]; /* plain storage; those of x2APIC mode only while EN and EXTD are set */
    uint8_t cr8;
    unsigned tsc_moves;
    /* The local APIC of a CPU that helps: what the machine says of it, what the CPU was told. */
    struct vapic apic_is, apic_shown;
    bool apic_due;
    unsigned apic_calls, apic_due_calls;
    /* What the machine has to post, what is posted, and what the CPU was told of it. */
    vtime_t to_post, posted;
    uint64_t notify_tsc;
    bool refuse_post;
    unsigned posts, taken_back;
    enum vexit_kind apic_event;
    uint32_t apic_event_detail;
    unsigned acks, advances, host_event_calls, interrupts_taken, sleeps, stop_requests;
    vtime_t advanced_to;
    vtime_t next_deadline;
    uint64_t slept_until;
    void (*on_sleep)(struct fake *fake);
    void (*on_advance)(struct fake *fake, vtime_t now);
    void (*on_host_events)(struct fake *fake);
    enum vm_stop stop_wanted;
    unsigned debug_stops;
    void (*on_debug_stop)(struct fake *fake);

    /* Paging of the weak gwalk(): linear == physical, except for one page that isn't present, one
     * that can't be written and one whose table isn't RAM. UINT64_MAX: none. */
    gva_t missing_page, read_only_page, lost_table_page;
    unsigned mmio_calls;
    enum exit_action mmio_action;
    gpa_t mmio_gpa;                /* of the newest mmio_write() */
    uint16_t task_switch_selector; /* what the stand-in for task.c saw */
};

/* 1 GHz, flat 64-bit code at CPL 0 with paging on, RIP 1000h, IF set. */
void fake_init(struct fake *fake);
/* As fake_init(), then 32-bit protected mode without paging, or 16-bit real mode. */
void fake_init_bits(struct fake *fake, unsigned code_bits);
extern const struct backend fake_backend;
struct fake *fake_of(struct vcpu *vcpu);
/* Appends an exit to the script and gives it, zeroed but for kind, for the test to fill. */
struct vexit *fake_script(struct fake *fake, enum vexit_kind kind);
/* The backend's loop. */
void fake_loop(struct vcpu *vcpu);
/* One exit through exit_handle(), outside of the run loop. */
void fake_exit(struct fake *fake, enum vexit_kind kind, uint8_t insn_len);
/* The fake host's CPUID: a table in fake_backend.c that a test may replace through facts.cpuid. */
void fake_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4]);

/* fake_virt.c: the local APIC's side of the hooks and of the backend. */
void fake_apic(struct vcpu *vcpu, const struct vapic *vapic);
bool fake_apic_read(void *ctx, uint32_t msr, uint64_t *value);
bool fake_apic_write(void *ctx, uint32_t msr, uint64_t value);
uint8_t fake_cr8_read(void *ctx);
void fake_cr8_write(void *ctx, uint8_t value);
void fake_apic_state(void *ctx, struct vapic *out);
bool fake_apic_due(void *ctx);
vtime_t fake_apic_post(void *ctx);
void fake_apic_take_back(void *ctx);
bool fake_post(struct vcpu *vcpu, uint64_t tsc);
void fake_apic_event(void *ctx, enum vexit_kind kind, uint32_t detail);

#endif
