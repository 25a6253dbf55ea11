/* SPDX-License-Identifier: Apache-2.0 */
/*
 * code_frames: the size of the frame at each instruction of x86-64 code that no table describes, by
 * following the code from where its functions begin. Pure.
 *
 * What is called, or has its address taken, is a function, too. Where two ways lead to one
 * instruction, the first one counts. Code that is only reached through a table of jumps has the
 * frame of the jump that stands before it in its function. Input is untrusted; time and memory are
 * linear in its size.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In words; how far the canonical frame address is above something. All 0: nothing is known. */
struct code_frame {
    uint32_t is_seen : 1;
    uint32_t is_entry : 1;
    uint32_t size : 13; /* above the stack pointer; 0: not known */
    uint32_t bp : 11;   /* above the frame pointer; 0: it is none */
    uint32_t saved : 6; /* above where the caller's frame pointer is saved; 0: it is not */
};

struct code_function {
    uint64_t start, size;
};

/* The frames of @code, a value for each byte, which are zero before; those that are not the start
 * of an instruction stay so. @functions: sorted; what lies outside of the code does not count. */
void code_frames_find(const uint8_t *code, size_t size, const struct code_function *functions,
                      size_t n_functions, struct code_frame *frames);
