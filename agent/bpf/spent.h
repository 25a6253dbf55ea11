/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * spent: what walking one sample's stacks has cost so far, which is bounded: nothing else runs on
 * the CPU meanwhile, and how long its stacks look is up to the process.
 *
 * Counted are reads of user memory, turns of the native walk and look-ups in the tables. The unit
 * is what a read takes, 50 to 70 ns. Where it is too much the walks end, and the record says so.
 */
#pragma once

enum {
    SPENT_TURN = 1,
    SPENT_READ = 1,
    SPENT_FAULT = 10, /* a read that fails: a page fault */
    SPENT_LOOKUP = 7, /* in tables that are in no cache: of code that no frame shortly before has */
    /* That is 1,024 native frames without any recursion, of two reads each. With it a frame costs
     * 3, or about 8 where it is searched for, and one of an interpreter up to 7; a thread of
     * Python's that is passed by in the search for another, 2. */
    SPENT_MAX = 10 * 1024,
};

enum { SPENT_SHORTLY = 4 /* frames */ };
