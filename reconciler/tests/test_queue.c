/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/queue.h"

#include "lib/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static void each_is_in_it_once_and_the_earliest_time_wins(void **state)
{
    struct queue q = { 0 };
    struct queue_node a = { 0 }, b = { 0 };

    (void)state;
    assert_int_equal(queue_next_ms(&q), -1);
    assert_null(queue_take(&q, 1000));
    queue_add(&q, &a, 50);
    queue_add(&q, &a, 70); /* later: no change */
    queue_add(&q, &b, 60);
    queue_add(&q, &b, 40); /* sooner */
    assert_int_equal(queue_next_ms(&q), 40);
    assert_null(queue_take(&q, 39));
    assert_ptr_equal(queue_take(&q, 60), &b);
    assert_ptr_equal(queue_take(&q, 60), &a);
    assert_null(queue_take(&q, 60));
    queue_remove(&q, &a); /* is not in it */
    queue_add(&q, &a, 10);
    queue_remove(&q, &a);
    assert_int_equal(queue_next_ms(&q), -1);
    queue_release(&q);
}

static void any_order_comes_out_sorted(void **state)
{
    enum { N = 1000 };
    struct queue_node *nodes = mem_array(N, sizeof(*nodes));
    struct queue q = { 0 };
    unsigned int seed = 7;
    int64_t last = -1;
    int left = 0;

    (void)state;
    for (int i = 0; i < N; i++) {
        seed = seed * 1103515245 + 12345;
        queue_add(&q, &nodes[i], seed >> 16);
    }
    for (int i = 0; i < N; i += 3)
        queue_remove(&q, &nodes[i]);
    for (struct queue_node *n; (n = queue_take(&q, INT64_MAX)); left++) {
        assert_true(n->due_ms >= last);
        assert_int_equal(n->place, 0);
        last = n->due_ms;
    }
    assert_int_equal(left, N - (N + 2) / 3);
    queue_release(&q);
    free(nodes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_in_it_once_and_the_earliest_time_wins),
        cmocka_unit_test(any_order_comes_out_sorted),
    };

    return cmocka_run_group_tests_name("queue", tests, NULL, NULL);
}
