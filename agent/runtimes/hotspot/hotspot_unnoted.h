/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hotspot_unnoted: what runs at a place in C2's code of which the compiler kept no note: what the
 * nearest note of the same loop says (hotspot_flow), or in a loop without one, what byte code tells
 * (hotspot_inlined).
 */
#pragma once

#include "agent/runtimes/hotspot/hotspot_flow.h"
#include "agent/runtimes/hotspot/hotspot_nmethod.h"

enum { HOTSPOT_LOOPS_MAX = 16 };

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

/* @next: what runs at the next note by address. False: that is all that can be said. */
bool hotspot_unnoted_read(const struct hotspot_nmethod *nm, struct hotspot_loops *loops,
                          uint32_t pc, const struct hotspot_scopes *next,
                          struct hotspot_scopes *ret_scopes);
