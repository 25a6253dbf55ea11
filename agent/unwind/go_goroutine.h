/* SPDX-License-Identifier: Apache-2.0 */
/*
 * go_goroutine: how a thread that left a goroutine's stack leads back to it: through the thread
 * pointer to Go's "g", to its "m", and to the g that runs on it, whose registers are saved there.
 * x86-64.
 */
#pragma once

#include "agent/bpf/unwind_table.h"
#include "agent/unwind/go_table.h"

/*
 * Where these are differs by release and by how the program was linked; the code of
 * runtime.morestack tells. UNWIND_CFA_END when it does not.
 */
struct unwind_rule go_goroutine_rule(struct go_table *table, const struct go_function *morestack);
