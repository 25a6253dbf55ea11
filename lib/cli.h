/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli: one table of options that both parses the command line and prints --help.
 *
 *   static struct cli_option options[] = {
 *       { "pid", "PID", "profile this process and its descendants", CLI_INT, &pid, 1, INT32_MAX },
 *       { "verbose", NULL, "log every step", CLI_FLAG, &verbose },
 *       { 0 } };
 *
 * Defaults are what the variables hold before; --help and --version are added by cli_parse().
 */
#pragma once

#include "lib/err.h"

#include <stddef.h>
#include <stdint.h>

enum cli_kind {
    CLI_FLAG,     /* bool *, no argument */
    CLI_TEXT,     /* const char **, borrows from argv */
    CLI_INT,      /* int64_t *, min..max */
    CLI_DURATION, /* int64_t * in seconds, see duration.h */
    CLI_SPAN,     /* int64_t * in seconds, min..max: a number and one of s, m, h, d */
    CLI_HEADING,  /* no option: name is printed as a heading */
};

struct cli_option {
    const char *name; /* without the dashes; NULL ends the table */
    const char *arg;  /* what --help calls the argument */
    const char *help;
    enum cli_kind kind;
    void *value;
    int64_t min, max; /* CLI_INT, CLI_SPAN */
};

struct cli_program {
    const char *name;    /* "podflame-agent" or "podflame-operator certs" */
    const char *usage;   /* the lines after "usage: " */
    const char *summary; /* one paragraph */
    const struct cli_option *options;
    const char *footer; /* examples, exit codes; may be NULL */
};

enum cli_result {
    CLI_RUN,
    CLI_EXIT_OK
}; /* CLI_EXIT_OK: --help or --version was printed to stdout */

/* >= 0: a cli_result, *ret_first_arg is the index of the first operand in argv. -EINVAL: the
 * message names the option and what it takes, and ends with "try '<name> --help'". */
int cli_parse(const struct cli_program *program, int argc, char **argv, int *ret_first_arg,
              struct err *e) WARN_UNUSED;
