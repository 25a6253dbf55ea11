/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/cli.h"

#include "lib/cleanup.h"
#include "lib/duration.h"
#include "lib/mem.h"

#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CODE_HELP = 1000, CODE_VERSION, CODE_FIRST };

static void print_option(const char *name, const char *arg, const char *help)
{
    char left[64];

    (void)snprintf(left, sizeof(left), "  --%s%s%s", name, arg ? " " : "", arg ? arg : "");
    if (strlen(left) > 28)
        printf("%s\n%-30s%s\n", left, "", help);
    else
        printf("%-30s%s\n", left, help);
}

static void print_help(const struct cli_program *p)
{
    printf("usage: %s\n\n%s\n\noptions:\n", p->usage, p->summary);
    for (const struct cli_option *o = p->options; o->name; o++) {
        if (o->kind == CLI_HEADING)
            printf("\n%s:\n", o->name);
        else
            print_option(o->name, o->arg, o->help);
    }
    print_option("help", NULL, "print this text");
    print_option("version", NULL, "print the version");
    if (p->footer)
        printf("\n%s\n", p->footer);
}

/* "90s", "12h", "365d"; false when it is no such text or out of range. */
static bool span_parse(const char *text, int64_t min, int64_t max, int64_t *ret)
{
    static const struct {
        char letter;
        int64_t seconds;
    } units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
    char *end;

    errno = 0;
    int64_t number = strtoll(text, &end, 10);
    if (errno || *text < '0' || *text > '9' || !end[0] || end[1])
        return false;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (units[i].letter != *end)
            continue;
        if (number > max / units[i].seconds || number * units[i].seconds < min)
            return false;
        *ret = number * units[i].seconds;
        return true;
    }
    return false;
}

static int set_value(const struct cli_program *p, const struct cli_option *o, const char *text,
                     struct err *e)
{
    int64_t number;
    char *end;

    switch (o->kind) {
    case CLI_FLAG:
        *(bool *)o->value = true;
        return 0;
    case CLI_TEXT:
        *(const char **)o->value = text;
        return 0;
    case CLI_INT:
        errno = 0;
        number = strtoll(text, &end, 10);
        if (errno || end == text || *end || number < o->min || number > o->max)
            return err_set(e, -EINVAL,
                           "--%s '%s': must be a whole number from %lld to %lld; try '%s --help'",
                           o->name, text, (long long)o->min, (long long)o->max, p->name);
        *(int64_t *)o->value = number;
        return 0;
    case CLI_DURATION:
        if (duration_parse(text, o->value, e) < 0)
            return err_wrap(e, "--%s '%s'", o->name, text);
        return 0;
    case CLI_SPAN:
        if (!span_parse(text, o->min, o->max, o->value))
            return err_set(e, -EINVAL,
                           "--%s '%s': must be a number with s, m, h or d, from %llds to %lldd; "
                           "try '%s --help'",
                           o->name, text, (long long)o->min, (long long)o->max / 86400, p->name);
        return 0;
    case CLI_HEADING:
        break;
    }
    return err_set(e, -EINVAL, "--%s is a heading, no option", o->name);
}

int cli_parse(const struct cli_program *p, int argc, char **argv, int *ret_first_arg, struct err *e)
{
    size_t n = 0;

    while (p->options[n].name)
        n++;
    _cleanup_free_ struct option *longs = mem_array(n + 3, sizeof(*longs));
    size_t used = 0;
    for (size_t i = 0; i < n; i++) {
        if (p->options[i].kind == CLI_HEADING)
            continue;
        longs[used++] =
            (struct option){ .name = p->options[i].name,
                             .has_arg = p->options[i].arg ? required_argument : no_argument,
                             .val = CODE_FIRST + (int)i };
    }
    longs[used++] = (struct option){ "help", no_argument, NULL, CODE_HELP };
    longs[used++] = (struct option){ "version", no_argument, NULL, CODE_VERSION };

    opterr = 0;
    optind = 0; /* 0 makes glibc start over, so that a program may parse twice */
    for (;;) {
        int code = getopt_long(argc, argv, "+:h", longs, NULL); /* NOLINT(concurrency-mt-unsafe) */

        if (code == -1)
            break;
        if (code == ':')
            return err_set(e, -EINVAL, "'%s' needs a value; try '%s --help'", argv[optind - 1],
                           p->name);
        if (code == '?')
            return err_set(e, -EINVAL, "'%s' is not an option; try '%s --help'", argv[optind - 1],
                           p->name);
        if (code == CODE_HELP || code == 'h') {
            print_help(p);
            return CLI_EXIT_OK;
        }
        if (code == CODE_VERSION) {
            printf("%s %s\n", p->name, PODFLAME_VERSION);
            return CLI_EXIT_OK;
        }
        if (set_value(p, &p->options[code - CODE_FIRST], optarg, e) < 0)
            return e->code;
    }
    *ret_first_arg = optind;
    return CLI_RUN;
}
