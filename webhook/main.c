/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/alone.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} commands[] = {
    { "review", webhook_review_main, "judge one AdmissionReview from standard input" },
    { "webhook", webhook_alone_main, "serve the admission webhook without a cluster" },
};

enum { COMMANDS = sizeof(commands) / sizeof(commands[0]), EXIT_USAGE = 2 };

static void print_help(FILE *out)
{
    (void)fprintf(out, "usage: podflame-operator COMMAND [options]\n\ncommands:\n");
    for (size_t i = 0; i < COMMANDS; i++)
        (void)fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].help);
}

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < COMMANDS; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        print_help(stdout);
        return 0;
    }
    print_help(stderr);
    return EXIT_USAGE;
}
