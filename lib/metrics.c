/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/metrics.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define MS INT64_C(1000000)

static const struct {
    int64_t ns;
    const char *text; /* the same in seconds */
} bounds[] = {
    { MS / 2, "0.0005" }, { 1 * MS, "0.001" },  { 5 * MS / 2, "0.0025" }, { 5 * MS, "0.005" },
    { 10 * MS, "0.01" },  { 25 * MS, "0.025" }, { 50 * MS, "0.05" },      { 100 * MS, "0.1" },
    { 250 * MS, "0.25" }, { 500 * MS, "0.5" },  { 1000 * MS, "1" },       { 2500 * MS, "2.5" },
};

enum { BOUNDS = sizeof(bounds) / sizeof(bounds[0]) };
_Static_assert(BOUNDS + 1 == METRICS_BUCKETS, "one bucket a bound, and one for the rest");

static struct metrics_family *_Atomic registry;

void metrics_register(struct metrics_family *family)
{
    if (atomic_flag_test_and_set(&family->registered))
        return;
    family->next = atomic_load(&registry);
    while (!atomic_compare_exchange_weak(&registry, &family->next, family))
        ;
}

void metrics_add(struct metrics_series *series, int64_t n)
{
    atomic_fetch_add_explicit(&series->value, n, memory_order_relaxed);
}

void metrics_set(struct metrics_series *series, int64_t value)
{
    atomic_store_explicit(&series->value, value, memory_order_relaxed);
}

void metrics_observe_ns(struct metrics_series *histogram, int64_t ns)
{
    size_t i = 0;

    assert(histogram->buckets);
    while (i < BOUNDS && ns > bounds[i].ns)
        i++;
    atomic_fetch_add_explicit(&histogram->buckets[i], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&histogram->value, ns, memory_order_relaxed);
}

static void write_value(const char *name, const char *labels, int64_t value, struct buf *out)
{
    if (labels)
        (void)buf_printf(out, "%s{%s} %" PRId64 "\n", name, labels, value);
    else
        (void)buf_printf(out, "%s %" PRId64 "\n", name, value);
}

static void write_histogram(const char *name, const struct metrics_series *s, struct buf *out)
{
    const char *labels = s->labels ? s->labels : "", *comma = s->labels ? "," : "";
    const char *open = s->labels ? "{" : "", *close = s->labels ? "}" : "";
    int64_t sum = atomic_load_explicit(&s->value, memory_order_relaxed);
    int64_t count = 0;

    for (size_t i = 0; i < METRICS_BUCKETS; i++) {
        count += atomic_load_explicit(&s->buckets[i], memory_order_relaxed);
        (void)buf_printf(out, "%s_bucket{%s%sle=\"%s\"} %" PRId64 "\n", name, labels, comma,
                         i < BOUNDS ? bounds[i].text : "+Inf", count);
    }
    (void)buf_printf(out, "%s_sum%s%s%s %" PRId64 ".%09" PRId64 "\n", name, open, labels, close,
                     sum / (1000 * MS), sum % (1000 * MS));
    (void)buf_printf(out, "%s_count%s%s%s %" PRId64 "\n", name, open, labels, close, count);
}

static void write_family(const struct metrics_family *f, struct buf *out)
{
    static const char *const kinds[] = { "counter", "gauge", "histogram" };

    (void)buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", f->name, f->help, f->name,
                     kinds[f->kind]);
    for (size_t i = 0; i < f->n_series; i++) {
        const struct metrics_series *s = &f->series[i];

        if (f->kind == METRICS_HISTOGRAM)
            write_histogram(f->name, s, out);
        else
            write_value(f->name, s->labels, atomic_load_explicit(&s->value, memory_order_relaxed),
                        out);
    }
}

/* The family whose name comes next after @last; the registry is a handful, in no order. */
static const struct metrics_family *next_by_name(const char *last)
{
    const struct metrics_family *next = NULL;

    for (const struct metrics_family *f = atomic_load(&registry); f; f = f->next)
        if (strcmp(f->name, last) > 0 && (!next || strcmp(f->name, next->name) < 0))
            next = f;
    return next;
}

int metrics_write(struct buf *out)
{
    for (const struct metrics_family *f = next_by_name(""); f; f = next_by_name(f->name))
        write_family(f, out);
    return buf_overflowed(out) ? -ENOSPC : 0;
}
