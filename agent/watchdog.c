/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/watchdog.h"

#include "agent/output.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static struct {
    pthread_mutex_t lock; /* held by who writes the result */
    struct timespec end;  /* CLOCK_MONOTONIC */
    bool stream;
    int exit_code;
} watchdog = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void *watch(void *arg)
{
    static const char why[] = "the target keeps the agent from reading its files or its memory: "
                              "one does not answer (userfaultfd, or a file system as FUSE or NFS)";
    struct err e = { 0 };

    (void)arg;
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &watchdog.end, NULL) != 0)
        ;
    (void)pthread_mutex_lock(&watchdog.lock);
    (void)fprintf(stderr, "podflame-agent: %s\n", why);
    if (watchdog.stream && output_stream_error(RESULT_INTERNAL, why, &e) < 0)
        (void)fprintf(stderr, "podflame-agent: %s\n", e.msg);
    _exit(watchdog.exit_code);
}

void watchdog_start(int64_t duration_s, bool stream, int exit_code)
{
    pthread_t thread;

    (void)clock_gettime(CLOCK_MONOTONIC, &watchdog.end);
    watchdog.end.tv_sec += duration_s + WATCHDOG_SLACK_S;
    watchdog.stream = stream;
    watchdog.exit_code = exit_code;
    if (pthread_create(&thread, NULL, watch, NULL) == 0) /* else there is none */
        (void)pthread_detach(thread);
}

void watchdog_stop(void)
{
    (void)pthread_mutex_lock(&watchdog.lock);
}
