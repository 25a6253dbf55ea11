/* SPDX-License-Identifier: Apache-2.0 */
/*
 * come_and_go: a program whose processes, threads and libraries come and go.
 *
 *   come_and_go work MS           works in chain_outer;chain_inner;leaf
 *   come_and_go exec PROGRAM      starts "PROGRAM work 150" every 200 ms, by fork and exec
 *   come_and_go spawn PROGRAM     the same by vfork
 *   come_and_go become PROGRAM    works until SIGUSR1, then is "PROGRAM work 100000"
 *   come_and_go again             calls exec of itself every 20 ms
 *   come_and_go load LIBRARY      works until SIGUSR1, then in library_outer;library_leaf
 *   come_and_go threads N NAME    N threads work now and then, their names are NAME and a number
 *   come_and_go swarm             threads of one name come and go, 20 ms each
 *   come_and_go names             a process and a thread with names that mean harm
 *   come_and_go mappings N        works with N executable mappings
 *   come_and_go maze              900 calls deep, by another way each time, in threads of new names
 *   come_and_go storm             forks children that end at once, as many as it can
 *   come_and_go jobs              forks children that exec and end at once, as many as it can
 *
 * Compiled with -DLIBRARY -shared it is the library.
 */
#include <stdint.h>

/* noipa: stays one function, never inlined, cloned or merged. */
#define DISTINCT __attribute__((noipa))

static volatile uint64_t sink;

static inline __attribute__((always_inline)) void spin(uint64_t n)
{
    uint64_t x = n;

    for (uint64_t i = 0; i < n; i++) {
        x = x * 6364136223846793005U + 1442695040888963407U;
        __asm__ volatile("" : "+r"(x));
    }
    sink = x;
}

#ifdef LIBRARY

DISTINCT static uint64_t library_leaf(uint64_t n)
{
    spin(n);
    return sink;
}

uint64_t library_outer(uint64_t n);
DISTINCT uint64_t library_outer(uint64_t n)
{
    return library_leaf(n) + 1;
}

#else

#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ROUND = 200000, PAGE = 4096 };

static int64_t now_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

DISTINCT static uint64_t leaf(uint64_t n)
{
    spin(n);
    return sink;
}

DISTINCT static uint64_t chain_inner(uint64_t n)
{
    return leaf(n) + 1;
}

DISTINCT static uint64_t chain_outer(uint64_t n)
{
    return chain_inner(n) + 1;
}

DISTINCT static void work(int64_t ms)
{
    int64_t end = now_ms() + ms;

    while (now_ms() < end)
        (void)chain_outer(ROUND);
}

static void start(const char *program, int by_vfork)
{
    char *const arguments[] = { (char *)program, "work", "150", NULL };
    pid_t pid = 0;

    if (by_vfork) {
        (void)posix_spawn(&pid, program, NULL, NULL, arguments, environ);
    } else if ((pid = fork()) == 0) {
        (void)execv(program, arguments);
        _exit(1);
    }
    (void)usleep(200000);
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
}

static volatile sig_atomic_t is_told;

static void on_signal(int number)
{
    (void)number;
    is_told = 1;
}

static void work_until_told(void)
{
    while (!is_told)
        work(10);
}

static void become(const char *program)
{
    work_until_told();
    (void)execl(program, program, "work", "100000", (char *)NULL);
}

static void again(const char *self)
{
    work(20);
    (void)execl(self, self, "again", (char *)NULL);
}

DISTINCT static void load(const char *library)
{
    uint64_t (*run)(uint64_t) = NULL;

    work_until_told();

    void *handle = dlopen(library, RTLD_NOW);

    if (handle)
        *(void **)&run = dlsym(handle, "library_outer");
    while (run)
        (void)run(ROUND);
}

static void *thread(void *arg)
{
    if (arg)
        (void)prctl(PR_SET_NAME, arg);
    for (;;) {
        work(3); /* for each to have its turn on a busy machine */
        (void)usleep(100000);
    }
    return NULL;
}

static void threads(int n, const char *prefix)
{
    char name[16];
    pthread_t id;

    for (int i = 0; i < n; i++) {
        (void)snprintf(name, sizeof(name), "%.12s%02d", prefix, i % 100);
        (void)pthread_create(&id, NULL, thread, strdup(name));
    }
    (void)sleep(100);
}

static void *short_lived(void *arg)
{
    (void)prctl(PR_SET_NAME, "swarm");
    work(20);
    return arg;
}

static void swarm(void)
{
    pthread_t id;

    for (;;) {
        (void)pthread_create(&id, NULL, short_lived, NULL);
        (void)pthread_join(id, NULL);
    }
}

static void names(void)
{
    pthread_t id;

    (void)prctl(PR_SET_NAME, "</script>\n\033[1m");
    (void)pthread_create(&id, NULL, thread, "<b>\";\\\n\r\302");
    work(100000);
}

/* Each other page of a file, so that no two mappings are one. */
static void mappings(const char *self, long n)
{
    int fd = open(self, O_RDONLY | O_CLOEXEC);
    char *room = mmap(NULL, (size_t)n * 2 * PAGE, PROT_NONE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    for (long i = 0; i < n && room != MAP_FAILED; i++)
        if (mmap(room + i * 2 * PAGE, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, fd,
                 0) == MAP_FAILED)
            break;
    work(100000);
}

static unsigned way;

DISTINCT static uint64_t left(int depth);
DISTINCT static uint64_t right(int depth);

static inline __attribute__((always_inline)) uint64_t go_on(int depth)
{
    if (depth == 0)
        return leaf(ROUND);
    way = way * 1103515245 + 12345;
    return way >> 16 & 1 ? left(depth - 1) + 1 : right(depth - 1) + 1;
}

DISTINCT static uint64_t left(int depth)
{
    return go_on(depth);
}

DISTINCT static uint64_t right(int depth)
{
    return go_on(depth) + 2;
}

static void maze(void)
{
    char name[16];

    for (unsigned i = 0;; i++) {
        (void)snprintf(name, sizeof(name), "maze-%u", i);
        (void)prctl(PR_SET_NAME, name);
        (void)left(900);
    }
}

static void *maze_thread(void *arg)
{
    maze();
    return arg;
}

static void mazes(void)
{
    pthread_t id;

    (void)pthread_create(&id, NULL, maze_thread, NULL);
    (void)pthread_join(id, NULL);
}

static void storm(const char *self, int by_exec)
{
    for (;;) {
        pid_t pid = fork();

        if (pid == 0 && by_exec)
            (void)execl(self, self, "work", "0", (char *)NULL);
        if (pid == 0)
            _exit(0);
        (void)waitpid(pid, NULL, 0);
    }
}

int main(int argc, char **argv)
{
    const char *how = argc > 1 ? argv[1] : "", *what = argc > 2 ? argv[2] : "";

    (void)signal(SIGUSR1, on_signal);
    if (strcmp(how, "work") == 0)
        work(strtol(what, NULL, 10));
    while (strcmp(how, "exec") == 0 || strcmp(how, "spawn") == 0)
        start(what, strcmp(how, "spawn") == 0);
    if (strcmp(how, "become") == 0)
        become(what);
    if (strcmp(how, "again") == 0)
        again(argv[0]);
    if (strcmp(how, "load") == 0)
        load(what);
    if (strcmp(how, "threads") == 0)
        threads((int)strtol(what, NULL, 10), argc > 3 ? argv[3] : "worker-");
    if (strcmp(how, "swarm") == 0)
        swarm();
    if (strcmp(how, "names") == 0)
        names();
    if (strcmp(how, "mappings") == 0)
        mappings(argv[0], strtol(what, NULL, 10));
    if (strcmp(how, "maze") == 0)
        mazes();
    if (strcmp(how, "storm") == 0 || strcmp(how, "jobs") == 0)
        storm(argv[0], strcmp(how, "jobs") == 0);
    return 0;
}

#endif
