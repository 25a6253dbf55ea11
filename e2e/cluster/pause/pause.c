/* SPDX-License-Identifier: Apache-2.0
 *
 * pause: the process that holds a pod's namespaces open. Reaps what is left to it, ends on a
 * signal.
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void on_end(int signal_number)
{
    (void)signal_number;
    _exit(EXIT_SUCCESS);
}

static void on_child(int signal_number)
{
    (void)signal_number;
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
}

int main(void)
{
    const struct sigaction end = { .sa_handler = on_end };
    const struct sigaction child = { .sa_handler = on_child, .sa_flags = SA_NOCLDSTOP };

    if (sigaction(SIGTERM, &end, NULL) < 0 || sigaction(SIGINT, &end, NULL) < 0 ||
        sigaction(SIGCHLD, &child, NULL) < 0)
        return EXIT_FAILURE;
    for (;;)
        (void)pause(); /* returns only when a handler did */
}
