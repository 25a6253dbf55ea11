/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metrics: counters, gauges and histograms of durations, written as Prometheus text.
 *
 * A module declares its families as static tables and registers each once, before it counts:
 *
 *   static struct metrics_series lists[] = { { .labels = "resource=\"podflames\"" },
 *                                            { .labels = "resource=\"pods\"" } };
 *   static struct metrics_family lists_total = METRICS_FAMILY(
 *       "podflame_lists_total", "Lists taken from the API server.", METRICS_COUNTER, lists);
 *
 *   metrics_register(&lists_total);
 *   metrics_add(&lists[0], 1);
 *
 * Series are known at compile time: nothing that a client sends can make a new one. Counting is one
 * atomic addition, from any thread; registering may happen at any time, twice is once.
 */
#pragma once

#include "lib/buf.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum metrics_kind {
    METRICS_COUNTER,   /* name ends with _total */
    METRICS_GAUGE,     /* name ends with its unit, if it has one */
    METRICS_HISTOGRAM, /* of durations; name ends with _seconds */
};

/* 0.5 ms to 2.5 s, as metrics_bounds_ns says, and more than that. */
enum { METRICS_BUCKETS = 13 };

struct metrics_series {
    const char *labels;       /* operation="CREATE",verdict="allowed"; NULL: none */
    _Atomic int64_t value;    /* of a histogram: the sum, in ns */
    _Atomic int64_t *buckets; /* of a histogram: METRICS_BUCKETS, not cumulative; else NULL */
};

struct metrics_family {
    const char *name, *help;
    enum metrics_kind kind;
    struct metrics_series *series;
    size_t n_series;
    struct metrics_family *next; /* of the registry */
    atomic_flag registered;
};

#define METRICS_FAMILY(name_, help_, kind_, series_)                                               \
    {                                                                                              \
        .name = (name_), .help = (help_), .kind = (kind_), .series = (series_),                    \
        .n_series = sizeof(series_) / sizeof((series_)[0]), .registered = ATOMIC_FLAG_INIT         \
    }

void metrics_register(struct metrics_family *family);

void metrics_add(struct metrics_series *series, int64_t n);
void metrics_set(struct metrics_series *series, int64_t value);
void metrics_observe_ns(struct metrics_series *histogram, int64_t ns);

/* Appends all registered families, by name; -ENOSPC past the cap of @out. */
int metrics_write(struct buf *out) WARN_UNUSED;
