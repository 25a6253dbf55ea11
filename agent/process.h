/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process: what is known of each profiled process: its name and where its code is mapped.
 *
 * /proc/PID/maps is read when the first sample of a process arrives, at once, since the process may
 * live shortly; and again when an address lies outside of what is known (dlopen, a JIT), but not
 * more often than it helps. A process that was gone before has the mappings of its parent, when it
 * never called exec; else none, and its frames stay without names. What is read goes to the tables
 * for unwinding, too.
 */
#pragma once

#include "agent/bpf/record.h"
#include "agent/images.h"
#include "agent/runtimes/python.h"
#include "agent/unwind_tables.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { PROCESS_MAPPINGS_MAX = 16384, PROCESSES_MAX = 65536 };

struct process {
    pid_t pid;
    uint32_t generation;
    uint32_t index;
    bool is_sampled; /* not only expected */
    char comm[RECORD_COMM_SIZE];
    struct unwind_code *mappings; /* owned, sorted by start */
    size_t n_mappings;
    int perf_map_fd; /* -1 while there is none */
    uint64_t next_read_ns, read_interval_ns;
    uint64_t next_perf_map_ns;
};

struct processes;
struct processes *processes_new(struct images *images, struct unwind_tables *tables,
                                struct python *python); /* borrows all; python may be NULL */
void processes_free(struct processes *processes);       /* NULL is fine */

/* Looks at a process before its first sample. */
void processes_expect(struct processes *processes, pid_t pid, uint64_t now_ns);

/* The process that a record is of, met for the first time or not. NULL: there are PROCESSES_MAX. */
struct process *processes_get(struct processes *processes, const struct record *record);

/* The mapping that holds a user address, or NULL. May read the maps again. */
const struct unwind_code *processes_find(struct processes *processes, struct process *process,
                                         uint64_t addr, uint64_t now_ns);

/* A sample is in code without a file: opens the perf map, while the process leads to it. Tries
 * again once a second, for runtimes write the first line late. */
void process_open_perf_map(struct process *process, uint64_t now_ns);
void process_open_late_perf_map(struct process *process); /* at the end, if it was ever wanted */

struct process *processes_at(const struct processes *processes, uint32_t index);
uint32_t processes_count(const struct processes *processes);
