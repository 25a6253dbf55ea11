/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue: whose turn is when. Each entry is in it once or not at all; the earliest time asked for
 * wins. The nodes are embedded in what they stand for. Belongs to one thread.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct queue_node {
    int64_t due_ms;
    size_t place; /* in the heap, from 1; 0: not queued */
};

struct queue {
    struct queue_node **heap; /* [1..n], the earliest first */
    size_t n, size;
};

void queue_release(struct queue *q); /* the nodes are not the queue's */

/* Queues @node for @due_ms, unless it is queued for an earlier time already. */
void queue_add(struct queue *q, struct queue_node *node, int64_t due_ms);

/* Takes out the earliest node that is due; NULL: none. */
struct queue_node *queue_take(struct queue *q, int64_t now_ms);

void queue_remove(struct queue *q, struct queue_node *node); /* also when it is not in it */

/* When the earliest is due; -1: the queue is empty. */
int64_t queue_next_ms(const struct queue *q);
