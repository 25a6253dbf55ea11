/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hotspot_scopes: which methods a place in compiled Java code runs: the one that was compiled, and
 * those that the compiler inlined into it there.
 *
 * The compilers leave that, for a machine that wants to go back to the interpreter, at calls and
 * other places where a thread can be stopped (share/code/pcDesc.hpp, scopeDesc.hpp). In code of C1
 * any other place is taken as the nearest of these; for C2's, see hotspot_flow and hotspot_inlined.
 * Read from the target's memory; what does not fit together is not believed.
 */
#pragma once

#include "agent/runtimes/hotspot/hotspot_flow.h"
#include "agent/runtimes/hotspot/hotspot_layout.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    HOTSPOT_SCOPES_MAX = 32, /* the innermost ones are kept, and the outermost */
    HOTSPOT_LEVEL_C1_MAX = 3,
    HOTSPOT_LOOPS_MAX = 16,
};

struct hotspot_scope {
    uint64_t method;
    uint32_t check; /* hotspot_check() of its ConstMethod */
    uint32_t bci;   /* or HOTSPOT_BCI_UNKNOWN */
};

struct hotspot_scopes {
    struct hotspot_scope scopes[HOTSPOT_SCOPES_MAX]; /* innermost first */
    size_t n;      /* at least 1; the last one is the method that was compiled */
    uint8_t level; /* which compiler: 1 to HOTSPOT_LEVEL_C1_MAX: C1; 4: C2; 0: a native method */
};

/* What has been found out of loops without a note in one process, of late. Zeroed at first. */
struct hotspot_loops {
    struct hotspot_loop {
        uint64_t nmethod;
        uint32_t compile_id;
        struct hotspot_flow flow;
        struct hotspot_scopes scopes;
    } known[HOTSPOT_LOOPS_MAX];
    unsigned next; /* that is forgotten */
};

/* @nmethod: a runtime address; @pc: from where its code begins, of an instruction or of the one
 * that a call returns to. False: there is no such code (any more). */
bool hotspot_scopes_read(pid_t pid, const struct hotspot_layout *layout,
                         struct hotspot_loops *loops, uint64_t nmethod, uint32_t compile_id,
                         uint32_t pc, struct hotspot_scopes *ret_scopes);
