/* SPDX-License-Identifier: Apache-2.0 */
/*
 * files: how many descriptors the agent may have.
 *
 * Each file that the target runs code from is kept open until the end of a run, and so is each perf
 * map. The target may have any number of them. So they get no descriptor that would leave too few
 * for what the agent needs itself: perf events, one for each CPU, and what it opens for a moment,
 * as the memory map of a process, without which that one would seem to have ended.
 */
#pragma once

#include "agent/images.h"
#include "agent/shown.h"

enum {
    FILES_OF_IMAGE = 3, /* itself, its debug file, and what that one shares with others */
    FILES_SPARE = 4096,
    FILES_MAX = FILES_OF_IMAGE * IMAGES_MAX + SHOWN_PIDS_MAX + FILES_SPARE,
};

/* Raises the limit of this process to FILES_MAX, or as far as it may be. */
void files_raise_limit(void);

/* Takes a descriptor that the target makes us keep; closes it when too few are left, and returns
 * -EMFILE. Errors, below 0, pass through. */
int files_keep(int fd);
