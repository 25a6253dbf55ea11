/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process: what is known of the profiled processes while they run, and how they are shown.
 *
 * The kernel tells of exec and exit (agent/bpf/events.bpf.h). /proc/PID/maps is read at once after
 * exec, and some times more while the process loads its libraries; when the first sample of a
 * process arrives; and when one leads to code that is not known. A process that was gone before has
 * the layout of its parent, when it never called exec; else none, and its frames stay without
 * names.
 *
 * All of this happens as often as the target pleases, so it is bounded: a process is read again
 * after a pause that grows with what reading it costs, and all readings together have a budget of
 * CPU time. What is put off is done by processes_work(), or left out and counted.
 *
 * The clock of now_ns is CLOCK_MONOTONIC, as records have it.
 */
#pragma once

#include "agent/bpf/record.h"
#include "agent/code.h"
#include "agent/images.h"
#include "agent/layouts.h"
#include "agent/runtimes/runtimes.h"
#include "agent/shown.h"
#include "agent/unwind/unwind_tables.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { PROCESSES_RUNNING_MAX = RECORD_PIDS_MAX };

/* As long as it runs, and a moment longer. */
struct running;

struct processes;
struct processes *processes_new(struct images *images, struct unwind_tables *tables,
                                struct runtimes *runtimes); /* borrows all; runtimes may be NULL */
void processes_free(struct processes *processes);           /* NULL is fine */

/* Reads what processes have mapped, before their first sample or once more. After a second of CPU
 * time the rest is left for their first sample. */
void processes_expect(struct processes *processes, const pid_t *pids, size_t n, uint64_t now_ns);

/* A record of any kind but a sample. */
void processes_tell(struct processes *processes, const struct record *record);

/* The process that a sample is of, met for the first time or not. NULL: too many run at once. */
struct running *processes_sampled(struct processes *processes, const struct record *record);

/* The process of a pid; NULL: it is not known. */
struct running *processes_running(const struct processes *processes, pid_t pid);
struct process *running_shown(struct running *running); /* after a sample of it */
uint64_t running_image(const struct running *running);  /* its number; never one that was before */
const struct layout *running_layout(const struct running *running); /* NULL: nothing is known */

/* Looks whether the file that holds a user address is another one by now; if so, may read the
 * process again. */
void processes_check(struct processes *processes, struct running *running, uint64_t addr,
                     uint64_t now_ns);

/* The code that holds a user address, or NULL. May read the process again. */
const struct code *processes_find(struct processes *processes, struct running *running,
                                  uint64_t addr, uint64_t now_ns);

/* Does what was put off and is due. Returns when there is more to do; UINT64_MAX: there is not. */
uint64_t processes_work(struct processes *processes, uint64_t now_ns);

/* False for a while when the target causes more work than there is a budget for. */
bool processes_may_hurry(struct processes *processes, uint64_t now_ns);

struct process *processes_at(const struct processes *processes, uint32_t index); /* shown */
uint32_t processes_count(const struct processes *processes);                     /* shown */

/* What was met, and what was not. */
struct processes_counts {
    int64_t sampled;       /* processes; one that called exec is still one */
    int64_t merged;        /* of these, shown under a name alone */
    int64_t maps_cut;      /* readings that found more than CODE_MAX or CODE_LINES_MAX */
    int64_t reads_put_off; /* readings that the budget did not allow when they were due */
    int64_t layouts_left_out;
};
struct processes_counts processes_counts(const struct processes *processes);
