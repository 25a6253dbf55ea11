/* SPDX-License-Identifier: Apache-2.0 */
/*
 * processes: work that is done by children. What it does is told by the name it is called by:
 *
 *   prefork    four workers, each in functions of its own; a token goes round, so one core is busy
 *   forking    a new child all the time, which works for about 150 ms
 *   execing    the same, and each child is a new program
 */
#include <sys/prctl.h>
#include <sys/wait.h>

#include "truth.h"

enum { N_WORKERS = 4, CHILD_MS = 150 };

TRUTH_PART(worker_0)
TRUTH_PART(worker_1)
TRUTH_PART(worker_2)
TRUTH_PART(worker_3)
TRUTH_PART(sixty)
TRUTH_PART(thirty)
TRUTH_PART(ten)

#define BELOW_WORKER "main;prefork;worker_loop;truth_round;"
#define BELOW_CHILD  "...;child;truth_round;"

static const struct truth_part worker_parts[N_WORKERS] = {
    { "worker_0", BELOW_WORKER "worker_0;worker_0_leaf", 40, worker_0 },
    { "worker_1", BELOW_WORKER "worker_1;worker_1_leaf", 30, worker_1 },
    { "worker_2", BELOW_WORKER "worker_2;worker_2_leaf", 20, worker_2 },
    { "worker_3", BELOW_WORKER "worker_3;worker_3_leaf", 10, worker_3 },
};
static const struct truth_part child_parts[] = {
    { "sixty", "main;" BELOW_CHILD "sixty;sixty_leaf", 60, sixty },
    { "thirty", "main;" BELOW_CHILD "thirty;thirty_leaf", 30, thirty },
    { "ten", "main;" BELOW_CHILD "ten;ten_leaf", 10, ten },
};
enum { N_CHILD_PARTS = sizeof(child_parts) / sizeof(child_parts[0]) };

/* The token is the number of the round; a closed pipe is the end. */
DISTINCT static void worker_loop(size_t worker, int token_in, int token_out)
{
    uint64_t round, seed = worker + 1;

    while (read(token_in, &round, sizeof(round)) == sizeof(round)) {
        if (worker == 0 && !truth_goes_on(round++))
            break;
        truth_round(worker_parts, worker, 1, &seed);
        if (write(token_out, &round, sizeof(round)) != sizeof(round))
            break;
    }
}

DISTINCT static int prefork(void)
{
    int pipes[N_WORKERS][2]; /* pipes[i] brings the token to worker i */
    uint64_t round = 0;

    for (int i = 0; i < N_WORKERS; i++)
        if (pipe(pipes[i]) < 0)
            return 1;
    for (size_t i = 0; i < N_WORKERS; i++) {
        const pid_t child = fork();

        if (child < 0)
            return 1;
        if (child > 0)
            continue;
        for (size_t k = 0; k < N_WORKERS; k++) {
            if (k != i)
                (void)close(pipes[k][0]);
            if (k != (i + 1) % N_WORKERS)
                (void)close(pipes[k][1]);
        }
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        worker_loop(i, pipes[i][0], pipes[(i + 1) % N_WORKERS][1]);
        _exit(0);
    }
    if (write(pipes[0][1], &round, sizeof(round)) != sizeof(round))
        return 1;
    for (int i = 0; i < N_WORKERS; i++) {
        (void)close(pipes[i][0]);
        (void)close(pipes[i][1]);
    }
    while (wait(NULL) > 0)
        ;
    return truth_print(worker_parts, N_WORKERS, NULL);
}

DISTINCT static void child(uint64_t seed)
{
    truth_round(child_parts, 0, N_CHILD_PARTS, &seed);
    stay();
}

DISTINCT static int parent(bool execs)
{
    char seed[24];

    truth->percent = CHILD_MS * TRUTH_STEPS_PER_MS / 100;
    for (uint64_t n = 0; truth_goes_on(n); n++) {
        const pid_t pid = fork();

        if (pid < 0)
            return 1;
        if (pid > 0) {
            (void)waitpid(pid, NULL, 0);
            continue;
        }
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (!execs) {
            child(n);
            _exit(0);
        }
        (void)snprintf(seed, sizeof(seed), "%" PRIu64, n);
        (void)execl("/proc/self/exe", "child", seed, NULL);
        _exit(1);
    }
    return truth_print(child_parts, N_CHILD_PARTS, NULL);
}

int main(int argc, char **argv)
{
    const char *slash = strrchr(argv[0], '/');
    const char *name = slash ? slash + 1 : argv[0];

    if (strcmp(name, "child") == 0 && argc == 2) {
        truth_open_inherited();
        child(strtoull(argv[1], NULL, 10));
        return 0;
    }
    truth_open(argc, argv);
    const int code =
        strcmp(name, "prefork") == 0 ? prefork() : parent(strcmp(name, "execing") == 0);
    stay(); /* below main() */
    return code;
}
