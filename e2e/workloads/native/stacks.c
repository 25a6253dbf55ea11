/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stacks: the ways in which a C program's stack is hard to walk, each with its share. Built in many
 * ways: with and without frame pointers, static, by musl, stripped.
 */
#include <signal.h>
#include <sys/syscall.h>

#include "truth.h"

enum { DEPTH = 900, ITEMS = 512 };

/* Each way has a leaf of its own, which calls nobody and has no frame. */
#define LEAF(NAME)                                                                                 \
    DISTINCT static void NAME(uint64_t n_steps)                                                    \
    {                                                                                              \
        spin(n_steps);                                                                             \
    }

LEAF(leaf_called)
LEAF(leaf_deep)
LEAF(leaf_compare)
LEAF(leaf_signal)
LEAF(leaf_variable)
LEAF(leaf_realigned)

DISTINCT static void inner(uint64_t n_steps)
{
    leaf_called(n_steps);
    stay();
}

DISTINCT static void outer(uint64_t n_steps)
{
    inner(n_steps);
    stay();
}

DISTINCT static void descend(int depth, uint64_t n_steps)
{
    if (depth > 1)
        descend(depth - 1, n_steps);
    else
        leaf_deep(n_steps);
    stay();
}

DISTINCT static void recursion(uint64_t n_steps)
{
    descend(DEPTH, n_steps);
    stay();
}

static uint64_t steps_of_compare;

DISTINCT static int compare(const void *a, const void *b)
{
    const uint32_t *x = (const uint32_t *)a, *y = (const uint32_t *)b;

    leaf_compare(steps_of_compare);
    return *x < *y ? -1 : *x > *y;
}

/* Called back by the C library. */
DISTINCT static void sort_all(uint64_t n_steps)
{
    static uint32_t items[ITEMS];

    steps_of_compare = n_steps / (ITEMS * 8);
    for (size_t i = 0; i < ITEMS; i++)
        items[i] = (uint32_t)(i * 2654435761U);
    qsort(items, ITEMS, sizeof(*items), compare);
    stay();
}

static volatile uint64_t steps_in_handler;
static volatile sig_atomic_t is_handled;

DISTINCT static void on_timer(int number)
{
    (void)number;
    leaf_signal(steps_in_handler);
    is_handled = 1;
}

/* Whatever instruction the timer finds is the caller. */
DISTINCT static void interrupted(uint64_t n_steps)
{
    const struct itimerspec soon = { .it_value = { .tv_nsec = 200000 } };
    struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
    timer_t timer;

    steps_in_handler = n_steps;
    is_handled = 0;
    (void)signal(SIGUSR1, on_timer);
    if (timer_create(CLOCK_MONOTONIC, &event, &timer) < 0)
        abort();
    (void)timer_settime(timer, 0, &soon, NULL);
    while (!is_handled)
        spin(1000);
    (void)timer_delete(timer);
}

DISTINCT static void variable(size_t size, uint64_t n_steps)
{
    char *room = (char *)__builtin_alloca(size);

    memset(room, 1, size);
    leaf_variable(n_steps + (uint64_t)room[size - 1]);
    stay();
}

/* Frames whose size is not known before. */
DISTINCT static void variables(uint64_t n_steps)
{
    for (size_t size = 16; size < 4096; size *= 2)
        variable(size, n_steps / 8);
    stay();
}

DISTINCT static void realigned(uint64_t n_steps)
{
    char room[64] __attribute__((aligned(64)));

    memset(room, 1, sizeof(room));
    __asm__ volatile("" ::"r"(room) : "memory");
    leaf_realigned(n_steps + (uint64_t)room[1]);
    stay();
}

DISTINCT static void ask_time(uint64_t n_steps)
{
    struct timespec now;

    for (uint64_t i = 0; i < n_steps; i += 25)
        (void)clock_gettime(CLOCK_MONOTONIC, &now);
    stay();
}

DISTINCT static void ask_kernel(uint64_t n_steps)
{
    for (uint64_t i = 0; i < n_steps; i += 60)
        (void)syscall(SYS_getppid);
    stay();
}

#define BELOW "main;truth_serve;truth_round;"

static const struct truth_part parts[] = {
    { "outer", BELOW "outer;inner;leaf_called", 15, outer },
    { "recursion", BELOW "recursion;descend x900;leaf_deep", 15, recursion },
    { "interrupted", BELOW "interrupted;...;on_timer;leaf_signal", 15, interrupted },
    { "variables", BELOW "variables;variable;leaf_variable", 15, variables },
    { "realigned", BELOW "realigned;leaf_realigned", 10, realigned },
    { "ask_time", BELOW "ask_time", 10, ask_time },
    { "ask_kernel", BELOW "ask_kernel", 10, ask_kernel },
    { "sort_all", BELOW "sort_all;...;compare;leaf_compare", 10, sort_all },
};

int main(int argc, char **argv)
{
    TRUTH_SERVE(argc, argv, parts);
}
