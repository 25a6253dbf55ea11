/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unwind_copy: walks a stack as the kernel side does, by the same source, from a copy of it.
 *
 * What the copy does not hold cannot be read, but for code: that is in the files, which the caller
 * reads. A walk that would need more ends with RECORD_STOP_NO_READ, and one that reads code all the
 * time with RECORD_STOP_COSTLY.
 */
#pragma once

#include "agent/bpf/record.h"
#include "agent/unwind/unwind_tables.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct unwind_copy {
    const struct record_stack *from; /* where it was interrupted */
    const uint64_t *words;           /* from the stack pointer up */
    size_t n_words;
    uint64_t thread; /* the thread pointer */
    /* Eight bytes of code; false: they cannot be had. */
    bool (*read_code)(void *arg, uint64_t addr, uint64_t *ret_bytes);
    void *arg;
};

/* Its frames, leaf first, as a record has them; how many, and why there are no more (enum
 * record_stop). */
uint32_t unwind_copy_walk(const struct unwind_copy *copy, const struct unwind_view *view,
                          uint64_t ret_pcs[RECORD_USER_MAX], uint8_t *ret_stop);
