/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/connections.h"

#include "lib/mem.h"
#include "webhook/transport.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

enum { SWEEPS = 10 }; /* in the time of one request */

struct connection {
    struct connections *all;
    struct connection *prev, *next;
    int fd;
    _Atomic int64_t due_ms;
    void *data;
    struct transport transport;
};

struct connections {
    pthread_mutex_t lock; /* of all below, and of the connections' links */
    pthread_cond_t wake;
    pthread_t sweeper;
    int64_t request_ms, idle_ms;
    struct connection *first;
    bool stopping;
};

static int64_t now_ms(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts); /* cannot fail */
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static struct timespec from_ms(int64_t ms)
{
    return (struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };
}

static void *sweep(void *arg)
{
    struct connections *all = arg;

    (void)pthread_mutex_lock(&all->lock);
    while (!all->stopping) {
        int64_t now = now_ms();
        struct timespec next = from_ms(now + all->request_ms / SWEEPS + 1);

        for (const struct connection *c = all->first; c; c = c->next)
            if (atomic_load_explicit(&c->due_ms, memory_order_relaxed) <= now)
                (void)shutdown(c->fd, SHUT_RDWR); /* it may be gone already */
        (void)pthread_cond_timedwait(&all->wake, &all->lock, &next);
    }
    (void)pthread_mutex_unlock(&all->lock);
    return NULL;
}

int connections_new(int64_t request_ms, int64_t idle_ms, struct connections **ret, struct err *e)
{
    struct connections *all = mem_zalloc(sizeof(*all));
    pthread_condattr_t monotonic;

    all->request_ms = request_ms;
    all->idle_ms = idle_ms;
    (void)pthread_mutex_init(&all->lock, NULL); /* none of the three fails on Linux */
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&all->wake, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    int code = pthread_create(&all->sweeper, NULL, sweep, all);
    if (code != 0) {
        free(all);
        return err_set(e, -code, "start the thread that watches deadlines: %s", err_text(code));
    }
    *ret = all;
    return 0;
}

void connections_free(struct connections *all)
{
    if (!all)
        return;
    (void)pthread_mutex_lock(&all->lock);
    assert(!all->first);
    all->stopping = true;
    (void)pthread_cond_signal(&all->wake);
    (void)pthread_mutex_unlock(&all->lock);
    (void)pthread_join(all->sweeper, NULL);
    (void)pthread_cond_destroy(&all->wake);
    (void)pthread_mutex_destroy(&all->lock);
    free(all);
}

static void set_due(struct connection *c, int64_t ms)
{
    atomic_store_explicit(&c->due_ms, now_ms() + ms, memory_order_relaxed);
}

struct connection *connection_open(struct connections *all, int fd, void *data)
{
    struct connection *c = mem_zalloc(sizeof(*c));

    c->all = all;
    c->fd = fd;
    c->data = data;
    set_due(c, all->request_ms);
    (void)pthread_mutex_lock(&all->lock);
    c->next = all->first;
    if (c->next)
        c->next->prev = c;
    all->first = c;
    (void)pthread_mutex_unlock(&all->lock);
    return c;
}

void *connection_data(struct connection *c)
{
    return c->data;
}

struct transport *connection_transport(struct connection *c)
{
    return &c->transport;
}

void connection_begins_request(struct connection *c)
{
    set_due(c, c->all->request_ms);
}

void connection_is_idle(struct connection *c)
{
    set_due(c, c->all->idle_ms);
}

void connection_close(struct connection *c)
{
    struct connections *all = c->all;

    (void)pthread_mutex_lock(&all->lock);
    if (c->prev)
        c->prev->next = c->next;
    else
        all->first = c->next;
    if (c->next)
        c->next->prev = c->prev;
    (void)pthread_mutex_unlock(&all->lock);
    free(c);
}
