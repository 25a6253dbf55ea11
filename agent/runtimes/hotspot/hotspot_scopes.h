/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hotspot_scopes: which methods a place in compiled Java code runs: the one that was compiled, and
 * those that the compiler inlined into it there.
 *
 * The compilers note that, for a machine that wants to go back to the interpreter, at calls and
 * other places where a thread can be stopped. In code of C1, any other place is taken as the
 * nearest of these; for C2's, see hotspot_unnoted.
 */
#pragma once

#include "agent/runtimes/hotspot/hotspot_nmethod.h"
#include "agent/runtimes/hotspot/hotspot_unnoted.h"

/* @nmethod: a runtime address; @pc: from where its code begins, of an instruction or of the one
 * that a call returns to. False: there is no such code (any more). */
bool hotspot_scopes_read(pid_t pid, const struct hotspot_layout *layout,
                         struct hotspot_loops *loops, uint64_t nmethod, uint32_t compile_id,
                         uint32_t pc, struct hotspot_scopes *ret_scopes);
