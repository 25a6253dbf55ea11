/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watchdog: ends an agent that the target keeps from going on.
 *
 * Memory of the target may be such that a read of it waits for a page that never comes
 * (userfaultfd), and a file may lie on a file system that does not answer (FUSE, NFS). There is no
 * way to give such a read a time; a thread of its own can still end the process and say why.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { WATCHDOG_SLACK_S = 30 /* that a run may take longer than its sampling */ };

/* Ends the process with @exit_code after @duration_s and the slack. @stream: then the failure is
 * told there, too. Once. */
void watchdog_start(int64_t duration_s, bool stream, int exit_code);

/* The rest is written from here on, and takes as long as its reader likes. */
void watchdog_stop(void);
