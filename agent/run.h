/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run: samples one target from start to end: its duration, the last of its processes, or a signal.
 *
 * SIGINT and SIGTERM must be blocked; they are taken by a signalfd.
 */
#pragma once

#include "agent/profile.h"
#include "agent/target.h"
#include "lib/err.h"
#include "lib/podflame/result.h"

#include <stdbool.h>
#include <stdint.h>

struct run_options {
    struct target target;
    int64_t duration_s, frequency;
    bool show_progress; /* one line on stderr that is written over */
    bool log;           /* when sampling begins, on stderr */
};

struct run_outcome {
    int64_t duration_ms;                 /* of sampling, measured */
    uint64_t started_ns, stopped_ns;     /* sampling; CLOCK_MONOTONIC */
    struct record_counters not_recorded; /* what was dropped on the way here */
    int signal;                          /* that ended it early, or 0 */
    bool target_gone;                    /* before the duration was over */
};

/*
 * Feeds @profile. A run that ended early is a success as long as there are samples; without any it
 * fails with RESULT_TARGET_GONE or RESULT_NO_SAMPLES, which a signal does not hide.
 */
int run(const struct run_options *options, struct profile *profile, struct run_outcome *ret_outcome,
        enum result_reason *ret_reason, struct err *e) WARN_UNUSED;
