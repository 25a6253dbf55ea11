/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/runtimes/runtime_threads.h"

#include "agent/hash.h"
#include "lib/mem.h"

#include <stdlib.h>

struct thread_key {
    uint64_t number, id;
    pid_t tid;
    uint32_t pad;
};

struct thread {
    struct thread_key key;
    char *name; /* owned */
    uint32_t n_asked;
    UT_hash_handle hh;
};

struct runtime_threads {
    struct thread *threads; /* owned; by key */
};

struct runtime_threads *runtime_threads_new(void)
{
    return mem_zalloc(sizeof(struct runtime_threads));
}

static void forget(struct runtime_threads *t)
{
    struct thread *thread, *next;

    HASH_ITER (hh, t->threads, thread, next) {
        HASH_DEL(t->threads, thread);
        free(thread->name);
        free(thread);
    }
}

void runtime_threads_free(struct runtime_threads *t)
{
    if (t)
        forget(t);
    free(t);
}

char **runtime_threads_at(struct runtime_threads *t, uint64_t number, pid_t tid, uint64_t id,
                          bool *ret_is_due)
{
    struct thread_key key = { number, id, tid, 0 };
    struct thread *thread;

    HASH_FIND(hh, t->threads, &key, sizeof(key), thread);
    if (!thread) {
        if (HASH_COUNT(t->threads) >= RUNTIME_THREADS_MAX)
            forget(t);
        thread = mem_zalloc(sizeof(*thread));
        thread->key = key;
        HASH_ADD(hh, t->threads, key, sizeof(thread->key), thread);
    }
    thread->n_asked++;
    *ret_is_due = (thread->n_asked & (thread->n_asked - 1)) == 0;
    return &thread->name;
}
