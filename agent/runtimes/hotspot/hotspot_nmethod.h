/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hotspot_nmethod: a compiled Java method, and what its compiler noted: which methods run at a
 * place, the one that was compiled and those that were inlined into it there
 * (share/code/pcDesc.hpp, scopeDesc.hpp). Read from the target's memory; what does not fit together
 * is not believed.
 */
#pragma once

#include "agent/runtimes/hotspot/hotspot_layout.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    HOTSPOT_SCOPES_MAX = 32, /* the innermost ones are kept, and the outermost */
    HOTSPOT_LEVEL_C1_MAX = 3,
    HOTSPOT_SCOPE_BYTES = 16, /* enough for the numbers of one scope */
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

/* Its addresses are runtime ones. */
struct hotspot_nmethod {
    pid_t pid;
    const struct hotspot_layout *layout;
    uint64_t addr;
    uint32_t compile_id;
    uint8_t level;
    bool has_notes; /* or the next line is not known */
    uint64_t pcs, pcs_end, scopes, metadata, method;
    const unsigned char *all_scopes; /* a copy, or NULL; borrowed */
    uint32_t n_all_scopes;           /* bytes */
    unsigned char header[HOTSPOT_NMETHOD_MAX];
};

/* False: there is no such code (any more). */
bool hotspot_nmethod_read(pid_t pid, const struct hotspot_layout *layout, uint64_t addr,
                          uint32_t compile_id, struct hotspot_nmethod *ret_nmethod);

/* Still the same one? */
bool hotspot_nmethod_is_there(const struct hotspot_nmethod *nm);

/* Where its code begins. */
uint64_t hotspot_nmethod_code(const struct hotspot_nmethod *nm);

/* Where the scopes of the note at @pc are, or of the next one behind it by address; in code of C1,
 * of the nearest. 0: there is none, or nothing is known there. */
uint32_t hotspot_nmethod_scope_at(const struct hotspot_nmethod *nm, uint32_t pc,
                                  bool *ret_is_exact);

/* What runs there. False: what was read cannot be of that nmethod. */
bool hotspot_nmethod_scopes(const struct hotspot_nmethod *nm, uint32_t off,
                            struct hotspot_scopes *ret_scopes);

/* The innermost method alone: its number among the metadata, from 1 on, or 0. */
bool hotspot_nmethod_innermost(const struct hotspot_nmethod *nm, uint32_t off, uint32_t *ret_method,
                               uint32_t *ret_bci);

/* All that is certain: the method that was compiled. */
bool hotspot_nmethod_compiled(const struct hotspot_nmethod *nm, struct hotspot_scopes *ret_scopes);
