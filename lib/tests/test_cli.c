/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { ARGS_MAX = 8 };

struct values {
    bool flag;
    const char *text;
    int64_t number, seconds, span;
};

static int parse(const char *const *args, struct values *v, int *first, struct err *e)
{
    const struct cli_option options[] = {
        { "Where", NULL, NULL, CLI_HEADING, NULL, 0, 0 },
        { "flag", NULL, "be loud", CLI_FLAG, &v->flag, 0, 0 },
        { "text", "WORD", "a word", CLI_TEXT, &v->text, 0, 0 },
        { "number", "N", "a number", CLI_INT, &v->number, 1, 999 },
        { "span", "TIME", "a life", CLI_SPAN, &v->span, 10, INT64_C(20) * 86400 },
        { "a-very-long-name-of-an-option", "SECONDS", "how long", CLI_DURATION, &v->seconds, 0, 0 },
        { 0 },
    };
    const struct cli_program program = { "prog sub", "prog sub [options] FILE", "Does it.", options,
                                         "exit code: 0" };
    char *argv[ARGS_MAX + 1] = { "sub" };
    int argc = 1;

    memcpy(argv + 1, args, ARGS_MAX * sizeof(*args)); /* getopt moves the pointers only */
    while (argc < ARGS_MAX && argv[argc])
        argc++;
    return cli_parse(&program, argc, argv, first, e);
}

static void options_reach_their_variables(void **state)
{
    static const char *const args[ARGS_MAX] = {
        "--flag", "--text=--x", "--number", "999", "--a-very-long-name-of-an-option",
        "1m30s",  "FILE"
    };
    struct values v = { .number = 5 };
    struct err e = { 0 };
    int first = 0;

    (void)state;
    assert_int_equal(parse(args, &v, &first, &e), CLI_RUN);
    assert_true(v.flag);
    assert_string_equal(v.text, "--x");
    assert_int_equal(v.number, 999);
    assert_int_equal(v.seconds, 90);
    assert_int_equal(first, 7);
}

static void defaults_and_operands_are_left_alone(void **state)
{
    static const char *const none[ARGS_MAX] = { NULL };
    static const char *const operands[ARGS_MAX] = { "FILE", "--flag" };
    static const char *const ended[ARGS_MAX] = { "--", "--flag" };
    struct values v = { .number = 5 };
    struct err e = { 0 };
    int first = 0;

    (void)state;
    assert_int_equal(parse(none, &v, &first, &e), CLI_RUN);
    assert_int_equal(first, 1);
    assert_int_equal(parse(operands, &v, &first, &e), CLI_RUN);
    assert_int_equal(first, 1);
    assert_int_equal(parse(ended, &v, &first, &e), CLI_RUN);
    assert_int_equal(first, 2);
    assert_int_equal(v.number, 5);
    assert_false(v.flag);
}

static void spans_have_a_unit(void **state)
{
    static const struct {
        const char *text;
        int64_t seconds; /* -1: refused */
    } cases[] = {
        { "10s", 10 },
        { "2m", 120 },
        { "3h", 10800 },
        { "20d", 1728000 },
        { "480h", 1728000 },
        { "9s", -1 },
        { "21d", -1 },
        { "10", -1 },
        { "", -1 },
        { "s", -1 },
        { "-10s", -1 },
        { " 10s", -1 },
        { "10S", -1 },
        { "1m30s", -1 },
        { "99999999999999999999d", -1 },
        { "9000000000000000000d", -1 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *const args[ARGS_MAX] = { "--span", cases[i].text };
        struct values v = { .span = -1 };
        struct err e = { 0 };
        int first = 0;
        int code = parse(args, &v, &first, &e);

        if (v.span != cases[i].seconds || (code < 0) != (cases[i].seconds < 0))
            fail_msg("'%s': %lld", cases[i].text, (long long)v.span);
    }
}

static void mistakes_are_named(void **state)
{
    static const struct {
        const char *args[ARGS_MAX];
        const char *message;
    } cases[] = {
        { { "--colour" }, "'--colour' is not an option; try 'prog sub --help'" },
        { { "-x" }, "'-x' is not an option; try 'prog sub --help'" },
        { { "--text" }, "'--text' needs a value; try 'prog sub --help'" },
        { { "--number", "0" }, "--number '0': must be a whole number from 1 to 999" },
        { { "--number", "1000" }, "--number '1000': must be a whole number from 1 to 999" },
        { { "--number", "5x" }, "--number '5x': must be" },
        { { "--number", "" }, "--number '': must be" },
        { { "--number", "99999999999999999999" }, "--number '99999999999999999999': must be" },
        { { "--a-very-long-name-of-an-option", "69x" },
          "--a-very-long-name-of-an-option '69x': must be hours" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct values v = { .number = 5 };
        struct err e = { 0 };
        int first = -7;

        assert_int_equal(parse(cases[i].args, &v, &first, &e), -EINVAL);
        if (strncmp(e.msg, cases[i].message, strlen(cases[i].message)) != 0)
            fail_msg("got '%s', want '%s'", e.msg, cases[i].message);
        assert_int_equal(first, -7);
        assert_int_equal(v.number, 5);
    }
}

/* What parsing @arg prints. */
static void capture(const char *arg, char *text, size_t size)
{
    const char *const args[ARGS_MAX] = { arg };
    struct values v = { 0 };
    struct err e = { 0 };
    int first, saved = dup(STDOUT_FILENO);
    FILE *f = tmpfile();

    assert_non_null(f);
    (void)fflush(stdout);
    (void)dup2(fileno(f), STDOUT_FILENO);
    int code = parse(args, &v, &first, &e);
    (void)fflush(stdout);
    (void)dup2(saved, STDOUT_FILENO);
    (void)close(saved);
    rewind(f);
    text[fread(text, 1, size - 1, f)] = '\0';
    (void)fclose(f);
    assert_int_equal(code, CLI_EXIT_OK);
}

static void help_and_version_are_printed(void **state)
{
    char text[4096];

    (void)state;
    capture("--help", text, sizeof(text));
    assert_string_equal(text, "usage: prog sub [options] FILE\n\n"
                              "Does it.\n\noptions:\n\nWhere:\n"
                              "  --flag                      be loud\n"
                              "  --text WORD                 a word\n"
                              "  --number N                  a number\n"
                              "  --span TIME                 a life\n"
                              "  --a-very-long-name-of-an-option SECONDS\n"
                              "                              how long\n"
                              "  --help                      print this text\n"
                              "  --version                   print the version\n"
                              "\nexit code: 0\n");
    capture("-h", text, sizeof(text));
    assert_int_equal(strncmp(text, "usage: ", 7), 0);
    capture("--version", text, sizeof(text));
    assert_string_equal(text, "prog sub " PODFLAME_VERSION "\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_reach_their_variables),
        cmocka_unit_test(defaults_and_operands_are_left_alone),
        cmocka_unit_test(spans_have_a_unit),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(help_and_version_are_printed),
    };

    return cmocka_run_group_tests_name("cli", tests, NULL, NULL);
}
