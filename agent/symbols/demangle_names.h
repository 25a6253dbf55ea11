/* SPDX-License-Identifier: Apache-2.0 */
/*
 * demangle_names: makes the names of a run readable, in a sandbox.
 *
 * A name that the demangler crashes or hangs on stays as the linker has it, and so do those of a
 * run that has more than DEMANGLE_FAILURES_MAX of them, and all when no sandbox can be had.
 */
#pragma once

#include "agent/symbols/name_chain.h"

#include <stddef.h>

enum { DEMANGLE_FAILURES_MAX = 8 };

/* No chain is empty; those of native code are changed, as far as there is room. Returns how many
 * distinct names could not be tried to the end. */
size_t demangle_names(struct name_chain *chains, size_t n_chains, struct name_room *room);
