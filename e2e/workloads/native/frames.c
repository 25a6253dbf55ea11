/* SPDX-License-Identifier: Apache-2.0 */
/* frames: one stack, of 20 frames with those of the C library before main(), for the cost of
 * walking it. */
#include "truth.h"

enum { BEFORE_MAIN = 3, ABOVE = 3, DEPTH = 20 - BEFORE_MAIN - ABOVE - 1 };

DISTINCT static void leaf(uint64_t n_steps)
{
    spin(n_steps);
}

DISTINCT static void descend(int depth, uint64_t n_steps)
{
    if (depth > 1)
        descend(depth - 1, n_steps);
    else
        leaf(n_steps);
    stay();
}

DISTINCT static void frames(uint64_t n_steps)
{
    descend(DEPTH - 1, n_steps);
    stay();
}

static const struct truth_part parts[] = {
    { "frames", "main;truth_serve;truth_round;frames;descend x12;leaf", 100, frames },
};

int main(int argc, char **argv)
{
    TRUTH_SERVE(argc, argv, parts);
}
