/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/metrics.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { THREADS = 4, TURNS = 10000 };

static struct metrics_series counts[] = { { .labels = "kind=\"a\"" }, { .labels = "kind=\"b\"" } };
static struct metrics_family counts_total =
    METRICS_FAMILY("t_b_total", "Things counted.", METRICS_COUNTER, counts);
static struct metrics_series level[1];
static struct metrics_family level_gauge = METRICS_FAMILY("t_c", "A level.", METRICS_GAUGE, level);
static _Atomic int64_t buckets[2][METRICS_BUCKETS];
static struct metrics_series times[] = { { .buckets = buckets[0] },
                                         { .labels = "k=\"v\"", .buckets = buckets[1] } };
static struct metrics_family times_seconds =
    METRICS_FAMILY("t_a_seconds", "How long.", METRICS_HISTOGRAM, times);

static void *count(void *arg)
{
    (void)arg;
    for (int i = 0; i < TURNS; i++) {
        metrics_register(&counts_total);
        metrics_add(&counts[0], 1);
        metrics_observe_ns(&times[1], 1000000);
    }
    return NULL;
}

static void counted_from_many_threads(void **state)
{
    pthread_t threads[THREADS];

    (void)state;
    metrics_register(&level_gauge);
    metrics_register(&times_seconds);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    metrics_set(&level[0], -3);
    metrics_observe_ns(&times[0], 500000);
    metrics_observe_ns(&times[0], 500001);
    metrics_observe_ns(&times[0], INT64_C(3000000000));

    _cleanup_buf_ struct buf out = BUF_INIT(64 << 10);
    assert_int_equal(metrics_write(&out), 0);
    assert_int_equal(strncmp(buf_str(&out),
                             "# HELP t_a_seconds How long.\n# TYPE t_a_seconds histogram\n"
                             "t_a_seconds_bucket{le=\"0.0005\"} 1\n"
                             "t_a_seconds_bucket{le=\"0.001\"} 2\n",
                             120),
                     0);
    assert_non_null(strstr(buf_str(&out), "t_a_seconds_bucket{le=\"2.5\"} 2\n"
                                          "t_a_seconds_bucket{le=\"+Inf\"} 3\n"
                                          "t_a_seconds_sum 3.001000001\n"
                                          "t_a_seconds_count 3\n"));
    assert_non_null(strstr(buf_str(&out), "t_a_seconds_bucket{k=\"v\",le=\"0.0005\"} 0\n"
                                          "t_a_seconds_bucket{k=\"v\",le=\"0.001\"} 40000\n"));
    assert_non_null(strstr(buf_str(&out), "t_a_seconds_sum{k=\"v\"} 40.000000000\n"
                                          "t_a_seconds_count{k=\"v\"} 40000\n"
                                          "# HELP t_b_total Things counted.\n"
                                          "# TYPE t_b_total counter\n"
                                          "t_b_total{kind=\"a\"} 40000\nt_b_total{kind=\"b\"} 0\n"
                                          "# HELP t_c A level.\n# TYPE t_c gauge\nt_c -3\n"));
    out.max = 50;
    buf_clear(&out);
    assert_int_equal(metrics_write(&out), -ENOSPC);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(counted_from_many_threads) };

    return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
