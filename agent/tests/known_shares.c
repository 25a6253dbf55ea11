/* SPDX-License-Identifier: Apache-2.0 */
/*
 * known_shares: a program whose profile is known beforehand.
 *
 *   known_shares            60 % in sixty, 30 % in thirty, 10 % in ten, below serve; for ever
 *   known_shares sleep      sleeps for ever
 *   known_shares fork       forks a worker every 300 ms, which serves for 200 ms
 *   known_shares daemon     after a second a grandchild serves, and its parent exits: init adopts
 *   known_shares SECONDS    serves that long, then exits
 */
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* noipa: stays one function, never inlined, cloned or merged. */
#define DISTINCT __attribute__((noipa))

static volatile uint64_t sink;
static uint64_t size = 1; /* of the request that is served */

/* A function that calls nothing gets no frame from GCC, and frame pointers then miss its caller. */
DISTINCT static void keep_frame(void)
{
    __asm__ volatile("");
}

static inline __attribute__((always_inline)) void spin(uint64_t n)
{
    uint64_t x = n;

    for (uint64_t i = 0; i < n * 1000; i++) {
        x = x * 6364136223846793005U + 1442695040888963407U;
        __asm__ volatile("" : "+r"(x));
    }
    sink = x;
    keep_frame();
}

DISTINCT static void sixty(void)
{
    spin(60 * size);
}

DISTINCT static void thirty(void)
{
    spin(30 * size);
}

DISTINCT static void ten(void)
{
    spin(10 * size);
}

static int64_t now_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

DISTINCT static void serve(int64_t ms)
{
    int64_t end = ms < 0 ? INT64_MAX : now_ms() + ms;

    for (uint64_t random = 1; now_ms() < end;) {
        random = random * 6364136223846793005U + 1442695040888963407U;
        size = 1 + (random >> 33) % 7; /* of one size, they could keep step with the samples */
        sixty();
        thirty();
        ten();
        keep_frame();
    }
}

static void fork_workers(void)
{
    for (;;) {
        if (fork() == 0) {
            serve(200);
            _exit(0);
        }
        (void)usleep(300000);
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
    }
}

static void start_daemon(void)
{
    (void)sleep(1);
    if (fork() == 0) {
        if (fork() == 0) {
            serve(3000);
            _exit(0);
        }
        _exit(0);
    }
    (void)wait(NULL);
    (void)sleep(4);
}

int main(int argc, char **argv)
{
    const char *how = argc > 1 ? argv[1] : "";

    if (strcmp(how, "sleep") == 0)
        (void)pause();
    else if (strcmp(how, "fork") == 0)
        fork_workers();
    else if (strcmp(how, "daemon") == 0)
        start_daemon();
    else
        serve(*how ? strtol(how, NULL, 10) * 1000 : -1);
    return 0;
}
