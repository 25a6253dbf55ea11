/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unwind_host: unwind_step.h outside of the kernel. Who includes it defines the functions that say
 * what memory and which tables the walk sees; that of many words only if it says so.
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

static __u32 unwind_read_words(const struct unwind_walk *w, __u64 addr, __u32 n, __u64 *to);

#include "agent/bpf/unwind_step.h"

#ifndef UNWIND_READS_WORDS
static inline __u32 unwind_read_words(const struct unwind_walk *w, __u64 addr, __u32 n, __u64 *to)
{
    __u32 i = 0;

    while (i < n && unwind_read(w, addr + 8 * (__u64)i, &to[i]))
        i++;
    return i;
}
#endif
