/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hotspot_calls: a method's byte code, and which methods its calls lead to, as far as the machine
 * has found out: a call that was never made leads nowhere.
 *
 * JDK 8 to 21 keep that in a ConstantPoolCacheEntry (share/oops/cpCache.hpp), newer ones in a
 * ResolvedMethodEntry (share/oops/resolvedMethodEntry.hpp). Which method a receiver of a class has
 * for a name is looked up in that class. Read from the target's memory; what does not fit together
 * is not believed.
 */
#pragma once

#include "agent/runtimes/hotspot/hotspot_layout.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { HOTSPOT_CODE_MAX = 2048 }; /* bytes; a method with more is not read */

struct hotspot_code {
    uint64_t method;
    uint64_t const_method, pool;
    uint32_t size;
    uint8_t bytes[HOTSPOT_CODE_MAX];
};

/* Of what classes an object may be that a call depends on: runtime addresses. The methods that run
 * around the call are not what it leads to. */
struct hotspot_receivers {
    const uint64_t *classes;
    size_t n_classes;
    const uint64_t *around;
    size_t n_around;
    unsigned *n_left; /* how many methods may be looked at yet */
};

enum hotspot_call {
    HOTSPOT_CALL_NEVER,  /* made */
    HOTSPOT_CALL_AROUND, /* of a method that runs around it */
    HOTSPOT_CALL_KNOWN,
    HOTSPOT_CALL_ANY, /* to what is not known */
};

/* False: @method is none, or too long. */
bool hotspot_code_read(pid_t pid, const struct hotspot_layout *layout, uint64_t method,
                       struct hotspot_code *ret_code);

/* Is it one with methods of its own? */
bool hotspot_is_class(pid_t pid, const struct hotspot_layout *layout, uint64_t addr);

/* The call at @bci, a whole one. *ret_method: with HOTSPOT_CALL_KNOWN. */
enum hotspot_call hotspot_call_read(pid_t pid, const struct hotspot_layout *layout,
                                    const struct hotspot_code *code, uint32_t bci,
                                    const struct hotspot_receivers *receivers,
                                    uint64_t *ret_method);
