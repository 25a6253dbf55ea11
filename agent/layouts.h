/* SPDX-License-Identifier: Apache-2.0 */
/*
 * layouts: what is mapped in processes. Processes with the same mappings, such as workers that one
 * parent forked, share a layout, and with it a run of the slots in the unwind tables.
 *
 * A layout that no process uses any more stays for a while: a child that user space has not met yet
 * may run by a copy of it. Then its version is taken back, so that the kernel finds it no more, and
 * after a pause in which every walk over it has ended its slots are free for another one.
 */
#pragma once

#include "agent/code.h"
#include "agent/unwind/unwind_tables.h"

#include <stdint.h>

enum {
    LAYOUTS_CODE_MAX = 1 << 18, /* of all layouts */
    LAYOUTS_KEEP_MS = 2000,
    LAYOUTS_PAUSE_MS = 200,
};

struct layout {
    struct unwind_place place; /* n 0: the tables had no room */
    size_t n;
    struct code *items; /* owned, sorted by start */
};

struct layouts;
struct layouts *layouts_new(struct unwind_tables *tables); /* borrows them */
void layouts_free(struct layouts *layouts);                /* NULL is fine */

/* The layout of these mappings, for one user more; NULL: there are LAYOUTS_CODE_MAX of them. */
struct layout *layouts_use(struct layouts *layouts, const struct code *items, size_t n);
struct layout *layouts_share(struct layout *layout); /* one user more */
void layouts_drop(struct layouts *layouts, struct layout *layout, uint64_t now_ns); /* one less */

/* Frees what was dropped long enough ago. To be called now and then. */
void layouts_sweep(struct layouts *layouts, uint64_t now_ns);

uint32_t layouts_left_out(const struct layouts *layouts); /* requests that were not met */
