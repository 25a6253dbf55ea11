/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libc: where a C library spends the time itself: deep below what it was called for, in functions
 * that are called through pointers or by jump, with frames of many kilobytes.
 */
#include <regex.h>

#include "truth.h"

/* About as long as the calls take. */
enum { STEPS_PER_CALL = 300, STEPS_PER_ALLOCATION = 6000, STEPS_PER_SORT = 200000, ITEMS = 1000 };

static char text[4096];
static FILE *nowhere;
static regex_t expression;
static volatile double number;

DISTINCT static void formats(uint64_t n_steps)
{
    for (uint64_t i = 0; i < n_steps; i += STEPS_PER_CALL)
        (void)snprintf(text, sizeof(text), "%d %s %g", (int)i, "text", (double)i * 1.25);
    stay();
}

DISTINCT static void writes(uint64_t n_steps)
{
    for (uint64_t i = 0; i < n_steps; i += STEPS_PER_CALL) {
        (void)fprintf(nowhere, "%d\n", (int)i);
        (void)fflush(nowhere);
    }
    stay();
}

DISTINCT static void allocates(uint64_t n_steps)
{
    for (uint64_t i = 0; i < n_steps; i += STEPS_PER_ALLOCATION) {
        void *volatile few[4];

        for (size_t k = 0; k < 4; k++)
            few[k] = malloc(64 + k * 300);
        for (size_t k = 0; k < 4; k++)
            free(few[k]);
    }
    stay();
}

DISTINCT static void reads_numbers(uint64_t n_steps)
{
    for (uint64_t i = 0; i < n_steps; i += STEPS_PER_CALL)
        number = strtod("3.14159265358979e10", NULL);
    stay();
}

DISTINCT static void matches(uint64_t n_steps)
{
    for (uint64_t i = 0; i < n_steps; i += STEPS_PER_CALL)
        (void)regexec(&expression, "the quick brown fox 12345 jumps", 0, NULL, 0);
    stay();
}

DISTINCT static int compare(const void *a, const void *b)
{
    const int *x = (const int *)a, *y = (const int *)b;

    return *x < *y ? -1 : *x > *y;
}

DISTINCT static void sorts(uint64_t n_steps)
{
    static int items[ITEMS];

    for (uint64_t i = 0; i < n_steps; i += STEPS_PER_SORT) {
        for (int k = 0; k < ITEMS; k++)
            items[k] = k * 7919 % ITEMS;
        qsort(items, ITEMS, sizeof(*items), compare);
    }
    stay();
}

#define BELOW "main;truth_serve;truth_round;"

static const struct truth_part parts[] = {
    { "formats", BELOW "formats", 15, formats },
    { "writes", BELOW "writes", 15, writes },
    { "allocates", BELOW "allocates", 15, allocates },
    { "reads_numbers", BELOW "reads_numbers", 15, reads_numbers },
    { "matches", BELOW "matches", 15, matches },
    { "sorts", BELOW "sorts", 15, sorts },
};

int main(int argc, char **argv)
{
    nowhere = fopen("/dev/null", "w");
    if (!nowhere || regcomp(&expression, "([a-z]+) (fox|dog) [0-9]+ k", REG_EXTENDED) != 0)
        return 1;
    TRUTH_SERVE(argc, argv, parts);
}
