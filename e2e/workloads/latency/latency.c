/* SPDX-License-Identifier: Apache-2.0 */
/*
 * usage: latency SECONDS
 *
 * Does the same small piece of work again and again and times each. Prints the worst time,
 * the 99.9th percentile and the median, in microseconds: a pause of the program shows in the first
 * two.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { WORK = 40000, STEP_NS = 100, STEPS = 1 << 20 };

static uint32_t counts[STEPS]; /* the last one: and more */

static uint64_t now_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static uint32_t work(uint32_t value)
{
    for (int i = 0; i < WORK; i++)
        value = value * 1664525 + 1013904223;
    return value;
}

static double percentile_us(uint64_t n, double part)
{
    uint64_t seen = 0, wanted = (uint64_t)((double)n * part);
    size_t i = 0;

    while (i < STEPS - 1 && (seen += counts[i]) <= wanted)
        i++;
    return (double)i * STEP_NS / 1000;
}

int main(int argc, char **argv)
{
    uint64_t begin = now_ns(), end, last = begin, n = 0, worst = 0;
    volatile uint32_t value = 1;

    if (argc != 2)
        return 2;
    end = begin + (uint64_t)(strtod(argv[1], NULL) * 1e9);
    while (last < end) {
        value = work(value);

        uint64_t now = now_ns(), took = now - last;

        counts[took / STEP_NS < STEPS ? took / STEP_NS : STEPS - 1]++;
        worst = took > worst ? took : worst;
        last = now;
        n++;
    }
    printf("%.1f %.1f %.1f\n", (double)worst / 1000, percentile_us(n, 0.999),
           percentile_us(n, 0.5));
    return 0;
}
