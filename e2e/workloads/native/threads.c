/* SPDX-License-Identifier: Apache-2.0 */
/* threads: 64 threads, each with a name of its own, in three functions. */
#include <pthread.h>

#include "truth.h"

/* All threads together do a round in so many turns. */
enum { N_THREADS = 64, TURNS = 10 };

TRUTH_PART(parse)
TRUTH_PART(render)
TRUTH_PART(compress)

#define BELOW "work;truth_round;"

static const struct truth_part parts[] = {
    { "parse", BELOW "parse;parse_leaf", 6, parse },
    { "render", BELOW "render;render_leaf", 3, render },
    { "compress", BELOW "compress;compress_leaf", 1, compress },
};
enum { N_PARTS = sizeof(parts) / sizeof(parts[0]) };

static char names[N_THREADS][16];

DISTINCT static void *work(void *arg)
{
    uint64_t seed = (uint64_t)(uintptr_t)arg;

    (void)pthread_setname_np(pthread_self(), (const char *)arg);
    for (uint64_t round = 0; truth_goes_on(round * N_THREADS / TURNS); round++)
        truth_round(parts, 0, N_PARTS, &seed);
    return NULL;
}

int main(int argc, char **argv)
{
    const char *all[N_THREADS + 1] = { NULL };
    pthread_t threads[N_THREADS];

    truth_open(argc, argv);
    for (int i = 0; i < N_THREADS; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "worker-%02d", i);
        all[i] = names[i];
        if (pthread_create(&threads[i], NULL, work, names[i]) != 0)
            return 1;
    }
    for (int i = 0; i < N_THREADS; i++)
        (void)pthread_join(threads[i], NULL);
    return truth_print(parts, N_PARTS, all);
}
