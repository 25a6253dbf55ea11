/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hotspot_host: hotspot_step.h outside of the kernel, and without unwind tables. Who includes it
 * defines what memory there is.
 */
#pragma once

#include "agent/bpf/runtime_frame.h"
#include "agent/unwind/unwind_host.h"

static bool hotspot_read(void *to, __u32 size, __u64 addr);

#include "agent/bpf/hotspot_step.h"

static bool unwind_read(const struct unwind_walk *w, __u64 addr, __u64 *ret_value)
{
    (void)w;
    return hotspot_read(ret_value, sizeof(*ret_value), addr);
}

static const struct unwind_mapping *unwind_mapping_at(const struct unwind_walk *w, __u32 i)
{
    (void)w;
    (void)i;
    return NULL;
}

static const struct unwind_row *unwind_row_at(const struct unwind_walk *w, __u32 i)
{
    (void)w;
    (void)i;
    return NULL;
}

static const struct unwind_rule *unwind_rule_at(const struct unwind_walk *w, __u32 i)
{
    (void)w;
    (void)i;
    return NULL;
}
