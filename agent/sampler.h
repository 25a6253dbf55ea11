/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sampler: the kernel side of a run: one sampling clock a CPU, the BPF programs, their ring buffer.
 *
 * sampler_open -> (sampler_follow) -> sampler_start -> sampler_drain when sampler_fd is readable
 * and now and then besides -> sampler_stop -> sampler_drain -> sampler_give_up -> sampler_free.
 * Single-threaded.
 */
#pragma once

#include "agent/bpf/record.h"
#include "agent/bpf/runtime_frame.h"
#include "agent/unwind/unwind_tables.h"
#include "lib/err.h"
#include "lib/podflame/result.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct sampler_options {
    int64_t frequency; /* Hz */
    int cgroup_fd;     /* -1, or a cgroup v2 directory: the kernel counts only its tasks */
    uint32_t mntns[RECORD_MNTNS_MAX]; /* used when there is no cgroup, or the kernel refuses it */
    uint32_t n_unwind_rows;           /* room for them */
    bool by_pid;                      /* instead of both: what sampler_follow names */
};

/* One record. @pcs: the words that follow it; see struct record. Borrowed for the call. */
typedef void (*sampler_fn)(void *arg, const struct record *record, const uint64_t *pcs);

struct sampler;

/* Nothing runs yet. On failure *ret_reason says of which kind it is. */
int sampler_open(const struct sampler_options *options, sampler_fn on_record, void *arg,
                 struct sampler **ret_sampler, enum result_reason *ret_reason,
                 struct err *e) WARN_UNUSED;

/* From now on records tell of exec and exits, and children begin with the tables of their
 * parents; by_pid: those of followed processes are followed too. Before sampler_start. */
int sampler_watch(struct sampler *s, enum result_reason *ret_reason, struct err *e) WARN_UNUSED;
int sampler_follow(struct sampler *s, pid_t pid, struct err *e) WARN_UNUSED;

/* by_pid: forgets the processes that are no more; returns how many are left. */
size_t sampler_forget_dead(struct sampler *s, bool (*alive)(pid_t pid));

/* Where the tables for unwinding go. */
struct unwind_maps sampler_unwind_maps(const struct sampler *s);

/* Where user space says which processes run which language. */
void sampler_runtime_maps(const struct sampler *s, int ret_spaces[RUNTIME_COUNT]);

int sampler_start(struct sampler *s, enum result_reason *ret_reason, struct err *e) WARN_UNUSED;
void sampler_stop(struct sampler *s);

int sampler_fd(const struct sampler *s); /* for epoll */
/* Hands over the records that wait, until @until_ns (CLOCK_MONOTONIC). False: some still wait. */
bool sampler_drain(struct sampler *s, uint64_t until_ns);
/* After sampler_stop: drops the records that still wait; how many samples were among them. */
uint64_t sampler_give_up(struct sampler *s);

/* What never became a record, of all CPUs. */
struct record_counters sampler_counters(const struct sampler *s);
bool sampler_uses_cgroup(const struct sampler *s);

void sampler_free(struct sampler *s); /* NULL is fine */
