/* SPDX-License-Identifier: Apache-2.0
 *
 * prefork: a parent that only waits, and four workers that spend 40, 30, 20 and 10 % of the time in
 * functions of their own, worker_0 to worker_3. A token goes round, so that one core is busy and
 * the shares hold on any machine.
 */
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "workload.h"

#define N_WORKERS 4
#define PERCENT                                                                                    \
    50000 /* iterations: a round takes some milliseconds, its four switches next to nothing */

DISTINCT static void worker_0(void)
{
    spin(40 * PERCENT);
}

DISTINCT static void worker_1(void)
{
    spin(30 * PERCENT);
}

DISTINCT static void worker_2(void)
{
    spin(20 * PERCENT);
}

DISTINCT static void worker_3(void)
{
    spin(10 * PERCENT);
}

static void (*const workers[N_WORKERS])(void) = { worker_0, worker_1, worker_2, worker_3 };

DISTINCT static void worker_loop(void (*work)(void), int token_in, int token_out)
{
    char token;

    while (read(token_in, &token, 1) == 1) {
        work();
        if (write(token_out, &token, 1) != 1)
            break;
    }
}

int main(void)
{
    int pipes[N_WORKERS][2]; /* pipes[i] brings the token to worker i */

    end_on_signal();
    for (int i = 0; i < N_WORKERS; i++)
        if (pipe(pipes[i]) < 0)
            return EXIT_FAILURE;

    for (int i = 0; i < N_WORKERS; i++) {
        const pid_t child = fork();

        if (child < 0)
            return EXIT_FAILURE;
        if (child == 0) {
            (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* workers never outlive the parent */
            worker_loop(workers[i], pipes[i][0], pipes[(i + 1) % N_WORKERS][1]);
            _exit(EXIT_FAILURE);
        }
    }
    if (write(pipes[0][1], "t", 1) != 1)
        return EXIT_FAILURE;
    (void)wait(NULL);
    return EXIT_FAILURE; /* a worker ended, which it never does by itself */
}
