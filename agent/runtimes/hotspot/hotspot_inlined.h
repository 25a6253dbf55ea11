/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hotspot_inlined: which inlined method a place runs of which C2 kept no note.
 *
 * A loop in which no thread can be stopped has none (a counted loop; with G1 they are rare, with
 * the other collectors all are such), and neither has what was inlined around it. What is known is
 * which methods run at the last note before it and at the next one behind it. Between them, byte
 * code makes some calls. Those that are still calls in the compiled code are not it, those that
 * cannot take time neither: the method and all that it calls have no loop. If one is left, that is
 * it; if more are, the method around all of them is all that is certain.
 */
#pragma once

#include "agent/runtimes/hotspot/hotspot_nmethod.h"

struct hotspot_site {
    uint64_t method;
    uint32_t bci;
};

/* Compiled code. */
struct hotspot_inlining {
    pid_t pid;
    const struct hotspot_layout *layout;
    const uint64_t *classes; /* that it knows */
    size_t n_classes;
    const struct hotspot_site *calls; /* that it makes */
    size_t n_calls;
    bool is_inner; /* the loop that is asked about has no other one in it */
};

/* Made in @ret_scopes from what runs at the notes; where there is none, it is the compiled method's
 * beginning (bci 0) or end (HOTSPOT_BCI_UNKNOWN). False: there is nothing between. */
bool hotspot_inlined_between(const struct hotspot_inlining *in, const struct hotspot_scopes *before,
                             const struct hotspot_scopes *behind,
                             struct hotspot_scopes *ret_scopes);

/* The same of the innermost method of @behind alone, whose own loop it otherwise is. */
bool hotspot_inlined_before(const struct hotspot_inlining *in, const struct hotspot_scopes *behind,
                            struct hotspot_scopes *ret_scopes);
