/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/counters.h"

#include "lib/metrics.h"
#include "reconciler/plan.h"

#include <stdio.h>
#include <string.h>

static _Atomic int64_t pass_buckets[METRICS_BUCKETS];
static struct metrics_series passes[] = { { .buckets = pass_buckets } };
static struct metrics_series known[1], queued[1], leading[1];
static struct metrics_series errors[] = {
    { .labels = "answer=\"none\"" }, { .labels = "answer=\"409\"" }, { .labels = "answer=\"429\"" },
    { .labels = "answer=\"4xx\"" },  { .labels = "answer=\"5xx\"" },
};
/* A few reasons are both the plan's and the result stream's; each is one series. */
static const struct {
    const char *name, *labels;
} reasons[] = {
#define X(id, name) { (name), "reason=\"" name "\"" },
    PLAN_REASONS(X) RESULT_REASONS(X)
#undef X
};
enum { REASONS = sizeof(reasons) / sizeof(reasons[0]) };
static struct metrics_series finished[REASONS];

static struct metrics_family passes_family = METRICS_FAMILY(
    "podflame_reconcile_duration_seconds",
    "Time from the start to the end of one pass over one PodFlame.", METRICS_HISTOGRAM, passes);
static struct metrics_family known_family = METRICS_FAMILY(
    "podflame_subjects", "PodFlames and agent pods that are followed.", METRICS_GAUGE, known);
static struct metrics_family queued_family =
    METRICS_FAMILY("podflame_queue_length", "PodFlames that wait for their turn or for a time.",
                   METRICS_GAUGE, queued);
static struct metrics_family leading_family = METRICS_FAMILY(
    "podflame_leader", "1 while this replica is the one that reconciles.", METRICS_GAUGE, leading);
static struct metrics_family errors_family =
    METRICS_FAMILY("podflame_api_errors_total", "Requests that the API server did not fulfil.",
                   METRICS_COUNTER, errors);
static struct metrics_family finished_family =
    METRICS_FAMILY("podflame_profiles_total", "PodFlames that have finished, by reason.",
                   METRICS_COUNTER, finished);

/* Which series counts a reason; REASONS: none. */
static size_t series_of(const char *reason)
{
    size_t n = 0;

    for (size_t i = 0; i < REASONS; i++) {
        bool first = true;

        for (size_t k = 0; k < i; k++)
            first = first && strcmp(reasons[k].name, reasons[i].name) != 0;
        if (strcmp(reasons[i].name, reason) == 0)
            return n;
        n += first;
    }
    return REASONS;
}

static void declare_finished(void)
{
    size_t n = 0;

    if (finished[0].labels) /* done before */
        return;
    for (size_t i = 0; i < REASONS; i++) {
        size_t at = series_of(reasons[i].name);

        finished[at].labels = reasons[i].labels;
        n = at >= n ? at + 1 : n;
    }
    finished_family.n_series = n;
}

void counters_register(void)
{
    struct metrics_family *const families[] = { &passes_family,  &known_family,  &queued_family,
                                                &leading_family, &errors_family, &finished_family };

    declare_finished();
    for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
        metrics_register(families[i]);
}

void counters_pass(int64_t ns)
{
    metrics_observe_ns(&passes[0], ns);
}

void counters_finished(const char *reason)
{
    size_t i = series_of(reason);

    if (i < REASONS)
        metrics_add(&finished[i], 1);
}

void counters_api_error(int status)
{
    size_t i = status == 0 ? 0 : status == 409 ? 1 : status == 429 ? 2 : status < 500 ? 3 : 4;

    metrics_add(&errors[i], 1);
}

void counters_set(size_t podflames, size_t n_queued, bool leads)
{
    metrics_set(&known[0], (int64_t)podflames);
    metrics_set(&queued[0], (int64_t)n_queued);
    metrics_set(&leading[0], leads);
}
