/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hotspot_forward: a method that does nothing but call another one, as those of lambdas, method
 * references and overloads do.
 *
 * Told from its byte code: values are loaded, one method is called that is known from the class
 * alone (invokestatic, invokespecial), its value is returned. So what is inlined into it, and
 * leaves no note there, is that method. JDK 8 to 21 (ConstantPoolCacheEntry). Read from the
 * target's memory; what does not fit together is none.
 */
#pragma once

#include "agent/runtimes/hotspot/hotspot_layout.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct hotspot_forward {
    uint64_t method; /* that is called */
    uint32_t check;  /* hotspot_check() of its ConstMethod */
    uint32_t bci;    /* of the call */
};

/* @method: a runtime address. False: it does something else, too, or never made the call yet. */
bool hotspot_forward_read(pid_t pid, const struct hotspot_layout *layout, uint64_t method,
                          struct hotspot_forward *ret_forward);
