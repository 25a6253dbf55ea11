/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shown: the processes of a profile as they are shown: by name and pid, or, beyond SHOWN_PIDS_MAX,
 * by name alone. So memory does not grow with the processes that come and go.
 */
#pragma once

#include "agent/bpf/record.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    SHOWN_PIDS_MAX = 4096,
    SHOWN_NAMES_MAX = 256, /* more share one without a name */
};

/* Stays when the process has ended. */
struct process {
    pid_t pid;        /* 0: several, of one name */
    uint64_t started; /* as proc_file_started() has it; 0: not known */
    uint32_t index;
    char comm[RECORD_COMM_SIZE]; /* "": several, of many names */
    int perf_map_fd;             /* -1 while there is none */
    uint64_t next_perf_map_ns;
};

struct shown;
struct shown *shown_new(void);
void shown_free(struct shown *shown); /* NULL is fine */

/*
 * How the process of this sample is shown; @last: how it was before, or NULL. A process that gives
 * itself another name keeps its place; one that got it by exec is shown as two.
 */
struct process *shown_as(struct shown *shown, struct process *last, const struct record *record,
                         bool was_exec);

struct process *shown_at(const struct shown *shown, uint32_t index);
uint32_t shown_count(const struct shown *shown);

/* A sample is in code without a file: opens the perf map, while the process leads to it and is no
 * other of its pid. Tries again once a second, for runtimes write the first line late. */
void shown_open_perf_map(struct process *process, uint64_t now_ns);
void shown_open_late_perf_map(struct process *process); /* at the end, if it was ever wanted */
