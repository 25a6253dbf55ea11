/* SPDX-License-Identifier: Apache-2.0 */
/*
 * truth: programs that measure where their own CPU time goes, to compare a profile with.
 *
 * usage of each: PROGRAM until-eof    works until its stdin ends
 *                PROGRAM rounds N     does a fixed amount of work: N rounds
 *
 * A program is a table of parts. Each round calls every part for its percent of the round, and the
 * thread's own CPU clock is read before and after: what it showed is the truth, printed at the end
 * as one JSON object on stdout. A round takes about TRUTH_ROUND_MS (environment; 25) of CPU; its
 * length is drawn at random, so that no sampling period falls in step with it. Chance matters least
 * when a round is much longer than the time between two samples.
 *
 * The counters are in shared memory: threads and forked children add to the same ones, and so do
 * children after an exec, which inherit the descriptor. For C and C++.
 */
#pragma once

#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* A function that stays one: not inlined, not cloned, not merged with its like. */
#ifdef __clang__
#define DISTINCT __attribute__((noinline))
#else
#define DISTINCT __attribute__((noipa))
#endif
#define MAYBE_UNUSED __attribute__((unused))

#define TRUTH_STEPS_PER_MS 800000 /* of spin(), about; no result depends on it */
#define TRUTH_PARTS_MAX    80
#define TRUTH_FD           99 /* of the counters, in children after an exec */

struct truth_part {
    const char *name; /* of the function whose share is told: run() itself, or one below it */
    const char
        *chain; /* what calls it and what it calls, root first: "main;...;f;leaf"; see folded.py */
    unsigned percent;
    void (*run)(uint64_t n_steps);
};

struct truth {
    uint64_t cpu_ns[TRUTH_PARTS_MAX];
    uint64_t wanted_rounds; /* 0: until stdin ends */
    uint64_t percent;       /* of a round, in steps of spin() */
    double begin;           /* on CLOCK_MONOTONIC, in seconds */
};

static struct truth *truth;
static volatile uint64_t truth_sink;

/* What a call is followed by, so that it is none by jump. */
static inline __attribute__((always_inline)) void stay(void)
{
    __asm__ volatile("" ::: "memory");
}

/*
 * Each step waits for the multiplication of the one before. A part of the function that calls it,
 * never a frame of its own.
 */
static inline __attribute__((always_inline)) void spin(uint64_t n_steps)
{
    uint64_t x = n_steps;

    for (uint64_t i = 0; i < n_steps; i++) {
        x = x * 6364136223846793005U + 1442695040888963407U;
        __asm__ volatile("" : "+r"(x));
    }
    truth_sink = x;
}

static inline double truth_clock(clockid_t clock)
{
    struct timespec t;

    (void)clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static inline uint64_t truth_thread_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

static inline void truth_add(size_t part, uint64_t cpu_ns)
{
    (void)__atomic_fetch_add(&truth->cpu_ns[part], cpu_ns, __ATOMIC_RELAXED);
}

/* From 0.75 to 1.25 times @n_steps. */
static inline uint64_t truth_vary(uint64_t n_steps, uint64_t *seed)
{
    *seed = *seed * 6364136223846793005U + 1442695040888963407U;
    return n_steps * (768 + (*seed >> 55)) / 1024;
}

static inline bool truth_goes_on(uint64_t n_rounds)
{
    struct pollfd end = { STDIN_FILENO, POLLIN, 0 };

    return truth->wanted_rounds ? n_rounds < truth->wanted_rounds : poll(&end, 1, 0) == 0;
}

/* One round of @parts; their counters begin at @first. */
MAYBE_UNUSED DISTINCT static void truth_round(const struct truth_part *parts, size_t first,
                                              size_t n, uint64_t *seed)
{
    const uint64_t percent = truth_vary(truth->percent, seed);

    for (size_t i = first; i < first + n; i++) {
        const uint64_t before = truth_thread_ns();

        parts[i].run(percent * parts[i].percent);
        truth_add(i, truth_thread_ns() - before);
    }
}

/* Reads the arguments and makes the counters; exits when they are wrong. */
MAYBE_UNUSED static void truth_open(int argc, char **argv)
{
    const char *how = argc > 1 ? argv[1] : "";
    const uint64_t n_rounds =
        argc == 3 && strcmp(how, "rounds") == 0 ? strtoull(argv[2], NULL, 10) : 0;
    const char *round_ms = getenv("TRUTH_ROUND_MS");
    const int fd = memfd_create("truth", 0);

    if (n_rounds == 0 && (argc != 2 || strcmp(how, "until-eof") != 0)) {
        (void)fprintf(stderr, "usage: %s until-eof | rounds N\n", argv[0]);
        exit(2);
    }
    if (fd < 0 || ftruncate(fd, sizeof(*truth)) < 0 || dup2(fd, TRUTH_FD) < 0)
        exit(1);
    (void)close(fd);
    truth =
        (struct truth *)mmap(NULL, sizeof(*truth), PROT_READ | PROT_WRITE, MAP_SHARED, TRUTH_FD, 0);
    if (truth == MAP_FAILED)
        exit(1);
    truth->begin = truth_clock(CLOCK_MONOTONIC);
    truth->wanted_rounds = n_rounds;
    truth->percent = (round_ms ? strtoull(round_ms, NULL, 10) : 25) * TRUTH_STEPS_PER_MS / 100;
}

/* In a child after an exec: the counters of its parent. */
MAYBE_UNUSED static void truth_open_inherited(void)
{
    truth =
        (struct truth *)mmap(NULL, sizeof(*truth), PROT_READ | PROT_WRITE, MAP_SHARED, TRUTH_FD, 0);
    if (truth == MAP_FAILED)
        exit(1);
}

static inline uint64_t truth_rusage_ns(int who)
{
    struct rusage r;

    (void)getrusage(who, &r);
    return (uint64_t)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1000000000U +
           (uint64_t)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) * 1000U;
}

/* All children must have been waited for. @threads: names, ended by NULL; or NULL. */
MAYBE_UNUSED static int truth_print(const struct truth_part *parts, size_t n,
                                    const char *const *threads)
{
    (void)printf("{\"wall_s\": %.3f, \"cpu_ns\": %" PRIu64 ", \"parts\": [",
                 truth_clock(CLOCK_MONOTONIC) - truth->begin,
                 truth_rusage_ns(RUSAGE_SELF) + truth_rusage_ns(RUSAGE_CHILDREN));
    for (size_t i = 0; i < n; i++)
        (void)printf("%s{\"name\": \"%s\", \"chain\": \"%s\", \"cpu_ns\": %" PRIu64 "}",
                     i > 0 ? ", " : "", parts[i].name, parts[i].chain, truth->cpu_ns[i]);
    (void)printf("], \"threads\": [");
    for (size_t i = 0; threads && threads[i]; i++)
        (void)printf("%s\"%s\"", i > 0 ? ", " : "", threads[i]);
    (void)printf("]}\n");
    return fflush(stdout) == 0 ? 0 : 1;
}

MAYBE_UNUSED DISTINCT static int truth_serve(int argc, char **argv, const struct truth_part *parts,
                                             size_t n)
{
    uint64_t seed = 1;

    truth_open(argc, argv);
    for (uint64_t round = 0; truth_goes_on(round); round++)
        truth_round(parts, 0, n, &seed);
    return truth_print(parts, n, NULL);
}

/* What the main() of a program with one thread does, and stays below it. */
#define TRUTH_SERVE(argc, argv, parts)                                                             \
    do {                                                                                           \
        const int code = truth_serve(argc, argv, parts, sizeof(parts) / sizeof((parts)[0]));       \
        stay();                                                                                    \
        return code;                                                                               \
    } while (0)

/* A part, and the leaf that it calls. */
#define TRUTH_PART(NAME)                                                                           \
    DISTINCT static void NAME##_leaf(uint64_t n_steps)                                             \
    {                                                                                              \
        spin(n_steps);                                                                             \
    }                                                                                              \
    DISTINCT static void NAME(uint64_t n_steps)                                                    \
    {                                                                                              \
        NAME##_leaf(n_steps);                                                                      \
        stay();                                                                                    \
    }
