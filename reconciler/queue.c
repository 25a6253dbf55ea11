/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/queue.h"

#include "lib/mem.h"

#include <stdlib.h>

void queue_release(struct queue *q)
{
    free(q->heap);
    *q = (struct queue){ 0 };
}

static void put(struct queue *q, size_t place, struct queue_node *node)
{
    q->heap[place] = node;
    node->place = place;
}

static void sift_up(struct queue *q, struct queue_node *node)
{
    size_t at = node->place;

    for (; at > 1 && q->heap[at / 2]->due_ms > node->due_ms; at /= 2)
        put(q, at, q->heap[at / 2]);
    put(q, at, node);
}

static void sift_down(struct queue *q, struct queue_node *node)
{
    size_t at = node->place;

    for (size_t child; (child = at * 2) <= q->n; at = child) {
        if (child < q->n && q->heap[child + 1]->due_ms < q->heap[child]->due_ms)
            child++;
        if (q->heap[child]->due_ms >= node->due_ms)
            break;
        put(q, at, q->heap[child]);
    }
    put(q, at, node);
}

void queue_add(struct queue *q, struct queue_node *node, int64_t due_ms)
{
    if (node->place && node->due_ms <= due_ms)
        return;
    node->due_ms = due_ms;
    if (!node->place) {
        if (q->n + 2 > q->size) {
            q->size = q->size ? q->size * 2 : 64;
            q->heap = mem_grow(q->heap, q->size, sizeof(struct queue_node *));
        }
        put(q, ++q->n, node);
    }
    sift_up(q, node);
}

void queue_remove(struct queue *q, struct queue_node *node)
{
    size_t place = node->place;

    if (!place)
        return;
    struct queue_node *last = q->heap[q->n--];
    node->place = 0;
    if (last == node)
        return;
    put(q, place, last);
    sift_up(q, last);
    sift_down(q, last);
}

struct queue_node *queue_take(struct queue *q, int64_t now_ms)
{
    struct queue_node *first = q->n ? q->heap[1] : NULL;

    if (!first || first->due_ms > now_ms)
        return NULL;
    queue_remove(q, first);
    return first;
}

int64_t queue_next_ms(const struct queue *q)
{
    return q->n ? q->heap[1]->due_ms : -1;
}
