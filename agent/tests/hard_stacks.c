/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hard_stacks: a program whose stacks are hard to walk, as production binaries are: built without
 * frame pointers, and busy in one place at a time, for ever.
 *
 *   hard_stacks leaf       a function that calls nobody: chain_outer, chain_inner, leaf
 *   hard_stacks recursion  900 calls deep: descend, ..., descend, leaf
 *   hard_stacks library    called back by the C library: sort_all, qsort, compare
 *   hard_stacks signal     in a signal's handler: on_alarm above interrupted
 *   hard_stacks vdso       ask_time, clock_gettime, the vdso
 *   hard_stacks syscall    ask_kernel, getppid, the kernel
 *   hard_stacks thread     in a thread: start_thread, in_thread, leaf
 *   hard_stacks variable   frames whose size is not known before: variable, leaf
 *   hard_stacks altstack   in a signal's handler on a stack of its own: on_alarm above
 * interrupted_far hard_stacks coroutine  on a stack of its own, as swapcontext() makes: coroutine,
 * leaf hard_stacks longjmp    after a jump out of deeper calls: jumped, leaf hard_stacks realigned
 * frames that are aligned to 64 bytes: realigned, leaf
 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#ifdef __GLIBC__
#include <ucontext.h>
#endif
#include <unistd.h>

/* noipa: stays one function, never inlined, cloned or merged. */
#define DISTINCT __attribute__((noipa))

enum { DEPTH = 900, ITEMS = 4096, ROUNDS = 20000, LONG = 1000 * ROUNDS };

static volatile uint64_t sink;

/* What a call is followed by, so that it is none by jump. */
static inline __attribute__((always_inline)) void stay(void)
{
    __asm__ volatile("" ::: "memory");
}

DISTINCT static void leaf(uint64_t n)
{
    uint64_t x = n;

    for (uint64_t i = 0; i < n; i++) {
        x = x * 6364136223846793005U + 1442695040888963407U;
        __asm__ volatile("" : "+r"(x));
    }
    sink = x;
}

DISTINCT static void chain_inner(void)
{
    leaf(ROUNDS);
    stay();
}

DISTINCT static void chain_outer(void)
{
    chain_inner();
    stay();
}

/* Spends next to nothing itself: what it does at the bottom takes a thousand times as long. */
DISTINCT static void descend(int depth)
{
    if (depth > 1)
        descend(depth - 1);
    else
        leaf(LONG);
    stay();
}

DISTINCT static void recursion(void)
{
    descend(DEPTH);
    stay();
}

DISTINCT static int compare(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;

    leaf(200);
    return *x < *y ? -1 : *x > *y;
}

DISTINCT static void sort_all(void)
{
    static uint32_t items[ITEMS];

    for (size_t i = 0; i < ITEMS; i++)
        items[i] = (uint32_t)(i * 2654435761U);
    qsort(items, ITEMS, sizeof(*items), compare);
    stay();
}

DISTINCT static void on_alarm(int signal)
{
    (void)signal;
    leaf(LONG);
    stay();
}

DISTINCT static void interrupted(void)
{
    (void)raise(SIGUSR1);
    stay();
}

DISTINCT static void ask_time(void)
{
    struct timespec now;

    for (int i = 0; i < 1000; i++)
        (void)clock_gettime(CLOCK_MONOTONIC, &now);
    stay();
}

DISTINCT static void ask_kernel(void)
{
    for (int i = 0; i < 1000; i++)
        (void)syscall(SYS_getppid);
    stay();
}

DISTINCT static void variable(size_t size)
{
    char *room = __builtin_alloca(size);

    memset(room, 1, size);
    leaf(ROUNDS + (uint64_t)room[size - 1]);
    stay();
}

DISTINCT static void variables(void)
{
    for (size_t size = 8; size < 4096; size *= 2)
        variable(size);
    stay();
}

DISTINCT static void realigned(void)
{
    char room[64] __attribute__((aligned(64)));

    memset(room, 1, sizeof(room));
    __asm__ volatile("" ::"r"(room) : "memory");
    leaf(ROUNDS + (uint64_t)room[1]);
    stay();
}

DISTINCT static void interrupted_far(void)
{
    static char room[64 * 1024];
    stack_t stack = { .ss_sp = room, .ss_size = sizeof(room) };
    struct sigaction action = { .sa_handler = on_alarm, .sa_flags = SA_ONSTACK };

    (void)sigaltstack(&stack, NULL);
    (void)sigaction(SIGUSR2, &action, NULL);
    (void)raise(SIGUSR2);
    stay();
}

static jmp_buf way_back;

DISTINCT static void jump(int depth)
{
    if (depth == 0)
        longjmp(way_back, 1);
    jump(depth - 1);
    stay();
}

DISTINCT static void jumped(void)
{
    if (setjmp(way_back) == 0)
        jump(20);
    leaf(ROUNDS);
    stay();
}

#ifdef __GLIBC__
static ucontext_t outer, inner;

DISTINCT static void coroutine(void)
{
    leaf(LONG);
    stay();
}

DISTINCT static void switched(void)
{
    static char room[64 * 1024];

    (void)getcontext(&inner);
    inner.uc_stack = (stack_t){ .ss_sp = room, .ss_size = sizeof(room) };
    inner.uc_link = &outer;
    makecontext(&inner, coroutine, 0);
    (void)swapcontext(&outer, &inner);
    stay();
}
#endif

static const struct {
    const char *name;
    void (*run)(void);
} ways[] = {
#ifdef __GLIBC__
    { "coroutine", switched },
#endif
    { "altstack", interrupted_far }, { "longjmp", jumped },      { "leaf", chain_outer },
    { "thread", chain_outer },       { "recursion", recursion }, { "library", sort_all },
    { "signal", interrupted },       { "vdso", ask_time },       { "syscall", ask_kernel },
    { "variable", variables },       { "realigned", realigned },
};

DISTINCT static void *in_thread(void *arg)
{
    void (*run)(void) = *(void (*const *)(void))arg;

    for (;;) {
        run();
        stay();
    }
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t thread;

    (void)signal(SIGUSR1, on_alarm);
    for (size_t i = 0; argc > 1 && i < sizeof(ways) / sizeof(ways[0]); i++) {
        void *run = (void *)&ways[i].run;

        if (strcmp(ways[i].name, argv[1]) != 0)
            continue;
        if (strcmp(argv[1], "thread") == 0 && pthread_create(&thread, NULL, in_thread, run) == 0)
            (void)pthread_join(thread, NULL);
        (void)in_thread(run);
    }
    (void)fprintf(stderr, "usage: hard_stacks HOW\n");
    return 2;
}
