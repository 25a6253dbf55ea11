/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
/*
 * hotspot_walk: recorded stacks of Java threads, as far as the walk through the code cache read
 * them. What record_hotspot_walk writes and test_hotspot_walk replays:
 *
 *   # ...                          a remark
 *   offset NAME VALUE              of struct hotspot_offsets
 *   heap LOW HIGH SEGMAP
 *   walk PC SP BP AX BX R13        a thread that was stopped in the code cache
 *   bytes ..., packed ...          as recorded_memory.h has them
 *   frame OBJECT AT CHECK          leaf first, as in struct runtime_frame; 0 0 0: nothing is noted
 *   end PC SP BP                   the first caller that is no code of Java's, the same for all
 *
 * All but VALUE is hexadecimal.
 */
/* clang-format on */
#pragma once

#include "agent/runtimes/hotspot/tests/hotspot_host.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum { WALK_FRAMES_MAX = 512 };

#define WALK_OFFSETS(X)                                                                            \
    X(blob_name)                                                                                   \
    X(blob_size)                                                                                   \
    X(blob_frame_size)                                                                             \
    X(blob_frame_complete)                                                                         \
    X(blob_code)                                                                                   \
    X(nmethod_id)                                                                                  \
    X(nmethod_orig_pc)                                                                             \
    X(nmethod_deopt)                                                                               \
    X(nmethod_deopt_mh)                                                                            \
    X(method_const)                                                                                \
    X(const_size)                                                                                  \
    X(const_code_size)                                                                             \
    X(frame_bcp)                                                                                   \
    X(segment_shift)                                                                               \
    X(block_header)                                                                                \
    X(flags)

/* Goes to the first caller that is no code of Java's, or to where it stops; how many frames. */
static size_t hotspot_walk(struct unwind_walk *w, const struct hotspot_space *space,
                           struct runtime_frame frames[WALK_FRAMES_MAX])
{
    struct hotspot_look look = { 0 };
    size_t n = 0;

    w->stop = UNWIND_CONTINUE;
    for (; n < WALK_FRAMES_MAX && w->stop == UNWIND_CONTINUE && hotspot_has(space, w->pc); n++) {
        frames[n] = (struct runtime_frame){ 0 };
        w->n++;
        w->stop = hotspot_step(w, space, &look, &frames[n]);
        while (look.scan)
            w->stop = hotspot_scan(w, space, &look);
    }
    return n;
}
