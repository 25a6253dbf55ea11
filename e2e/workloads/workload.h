/* SPDX-License-Identifier: Apache-2.0
 *
 * workload: what the test programs share. Their profiles are known beforehand, because all time
 * goes into one loop whose iterations are counted and cost the same everywhere.
 */
#pragma once

#include <signal.h>
#include <stdint.h>
#include <unistd.h>

/* A function that stays one: not inlined, not cloned, not merged with its like. */
#define DISTINCT __attribute__((noipa))

static volatile uint64_t spin_result;

/* Calling it makes the caller keep a frame: GCC gives none to a function that calls nobody. */
DISTINCT static void keep_frame(void)
{
    __asm__ volatile("");
}

/*
 * Each step waits for the multiplication of the one before, so that neither the alignment of the
 * loop nor what surrounds it changes its speed. A part of the function that calls it, never a frame
 * of its own.
 */
static inline __attribute__((always_inline)) void spin(uint64_t n_iterations)
{
    uint64_t x = n_iterations;

    for (uint64_t i = 0; i < n_iterations; i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        __asm__ volatile("" : "+r"(x));
    }
    spin_result = x;
    keep_frame();
}

static void exit_at_once(int signal_number)
{
    (void)signal_number;
    _exit(0);
}

/* The first process of a container ignores signals without a handler, and its pod would take 30 s
 * to end. */
static inline void end_on_signal(void)
{
    (void)signal(SIGTERM, exit_at_once);
    (void)signal(SIGINT, exit_at_once);
}
