/* SPDX-License-Identifier: Apache-2.0 */
/*
 * code: where a process has executable memory, and of which files.
 *
 * The target may have as many mappings as its kernel lets it: of /proc/PID/maps CODE_LINES_MAX
 * lines are looked at and CODE_MAX executable mappings are kept, those of the lowest addresses.
 */
#pragma once

#include "agent/images.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { CODE_MAX = 16384, CODE_LINES_MAX = 1 << 17 };

/* A run of executable memory, with what is reserved behind code that was made at run time. */
struct code {
    uint64_t start, end, off;
    uint32_t image; /* IMAGE_NONE: no file */
    uint32_t pad;
};

/* Runs that do not overlap, sorted by start. */
struct code_list {
    struct code *items;
    size_t n;
    bool is_cut; /* there was more than is kept */
};

/* What @pid has now; false: none, because it is gone or has no memory of its own. */
bool code_read(pid_t pid, struct images *images, struct code_list *ret_list);
void code_list_release(struct code_list *list);

/* The run that holds @addr, or NULL. */
const struct code *code_find(const struct code *items, size_t n, uint64_t addr);
