/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * unwind_table: how callers are found without frame pointers, as user space writes it down and the
 * BPF programs read it.
 *
 * A row says that from its address up to the next row's one rule holds. Rows of one image are
 * sorted and lie together; rules are few, and shared by all images.
 */
#pragma once

#include "agent/bpf/process_image.h"

/* The canonical frame address: the value that the stack pointer has once the function returned. */
enum unwind_cfa {
    UNWIND_CFA_NONE,  /* nothing is known of the code: only its frame pointer can help */
    UNWIND_CFA_END,   /* nobody calls it */
    UNWIND_CFA_REG,   /* reg + cfa_off */
    UNWIND_CFA_DEREF, /* *(reg + cfa_off) + deref_off */
    UNWIND_CFA_PLT,   /* rsp + 8, and 8 more when the last four bits of pc are >= cfa_off; x86-64 */
    UNWIND_CFA_SIGNAL,  /* a signal's trampoline: the registers are in the frame that rsp points to
                         */
    UNWIND_CFA_UNKNOWN, /* described, in a way that is not understood */
    UNWIND_CFA_GOROUTINE, /* the thread left the stack of a goroutine, which Go's "g" describes: it
                           * is at the thread pointer + cfa_off, the running one in m + deref_off,
                           * its frame pointer in g + bp_off */
};

/* Where the caller's frame pointer is. */
enum unwind_bp {
    UNWIND_BP_SAME,
    UNWIND_BP_AT_CFA, /* saved at the canonical frame address + bp_off */
    UNWIND_BP_AT_BP,  /* saved at the frame pointer + bp_off */
};

enum unwind_ra {
    UNWIND_RA_AT_CFA, /* saved at the canonical frame address + ra_off */
    UNWIND_RA_IN_REG, /* in register ra_off */
};

/* Whose stacks are walked: this machine's, or those that a test says. */
#ifndef UNWIND_OF_ARM64
#if defined(__TARGET_ARCH_arm64) || defined(__aarch64__)
#define UNWIND_OF_ARM64 1
#else
#define UNWIND_OF_ARM64 0
#endif
#endif

#if UNWIND_OF_ARM64
/* DWARF's numbers: x0 to x30, of which x29 is the frame pointer and x30 has the return address of
 * the last call; sp. */
enum { UNWIND_REG_BP = 29, UNWIND_REG_LINK = 30, UNWIND_REG_SP = 31, UNWIND_REGS = 32 };
#else
/* DWARF's numbers: rax, rdx, rcx, rbx, rsi, rdi, rbp, rsp, r8 to r15. */
enum { UNWIND_REG_BP = 6, UNWIND_REG_SP = 7, UNWIND_REGS = 16 };
#endif

struct unwind_rule {
    __u8 cfa; /* enum unwind_cfa */
    __u8 reg;
    __u8 bp; /* enum unwind_bp */
    __u8 ra; /* enum unwind_ra */
    __s32 cfa_off;
    __s32 deref_off;
    __s32 bp_off;
    __s32 ra_off;
    __u32 flags; /* enum unwind_rule_flag */
};

enum unwind_rule_flag {
    UNWIND_RULE_SWITCHES = 1,    /* the caller may be on another stack */
    UNWIND_RULE_INTERRUPTED = 2, /* the caller was interrupted: it called nobody */
};

struct unwind_row {
    __u32 addr; /* from the base of the image */
    __u32 rule; /* index */
};

/* A run of executable memory of one process. */
struct unwind_mapping {
    __u64 start, end;
    __u64 base; /* the runtime address that rows count from */
    __u32 first_row, n_rows;
    __u32 flags;   /* enum unwind_mapping_flag */
    __u32 version; /* of the space's mappings; only the first one's counts */
};

enum unwind_mapping_flag {
    UNWIND_SWITCHES_STACKS = 1, /* Go: frame pointers lead from one stack to another */
    UNWIND_NATIVE = 2,          /* a file of compiled code, and not Go's */
};

/*
 * What is mapped in a process: mappings that lie together, sorted by start, and maybe shared with
 * other processes. A forked child gets a copy of its parent's space, which user space knows nothing
 * of: so the mappings have a version, and are given to other use a good while after it was taken
 * away, when nobody can be walking over them any more.
 */
struct unwind_space {
    struct process_image image; /* whose they are; all zero: of the one that is met first */
    __u32 first, n;             /* n 0: nothing is known */
    __u32 version;
    __u32 flags; /* enum unwind_space_flag */
};

enum unwind_space_flag {
    UNWIND_SPACE_KNOWN = 1, /* user space holds it, and wants to know when the process ends */
    UNWIND_SPACE_STALE = 2, /* there is code that it does not hold, and user space was told */
    UNWIND_SPACE_KEPT = 4,  /* counts from here on the stacks that were kept for user space */
};

enum { UNWIND_KEPT_MAX = 32 }; /* from one look of user space at the process to the next */

enum {
    UNWIND_MAPPINGS_MAX = 1 << 16, /* of all processes */
    UNWIND_RULES_MAX = 8192,
    UNWIND_RULE_NONE = 0, /* the rule of that number is UNWIND_CFA_NONE */
    UNWIND_ROWS_PER_IMAGE_MAX = 1 << 23,
};
