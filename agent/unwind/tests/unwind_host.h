/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unwind_host: unwind_step.h outside of the kernel. Who includes it defines the four functions that
 * say what memory and which tables the walk sees.
 */
#pragma once

#include "agent/bpf/unwind_table.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/cdefs.h>

struct unwind_walk;
static bool unwind_read(const struct unwind_walk *w, __u64 addr, __u64 *ret_value);
static const struct unwind_mapping *unwind_mapping_at(const struct unwind_walk *w, __u32 i);
static const struct unwind_row *unwind_row_at(const struct unwind_walk *w, __u32 i);
static const struct unwind_rule *unwind_rule_at(const struct unwind_walk *w, __u32 i);

#include "agent/bpf/unwind_step.h"
