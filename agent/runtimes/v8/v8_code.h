/* SPDX-License-Identifier: Apache-2.0 */
/*
 * v8_code: code that V8 compiled, and which functions it runs at a place.
 *
 * Found by a program counter: from there back to the object that the instructions are in, which
 * says where they begin and how many there are. Optimised code holds the functions that were
 * inlined into it, and for each of its places the one that it is of. All is read from the target's
 * memory and bounded; what does not fit together is no code.
 */
#pragma once

#include "agent/runtimes/v8/v8_image.h"
#include "agent/runtimes/v8/v8_positions.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    V8_CODE_MAX = 256 << 10,    /* bytes that are looked at for the beginning of code */
    V8_INLINED_MAX = 1024,      /* inlined calls in one piece of code */
    V8_BYTECODE_MAX = 64 << 10, /* bytes */
};

/* One inlined call. */
struct v8_inlined {
    uint64_t shared; /* the function, a tagged SharedFunctionInfo; 0: it could not be read */
    uint32_t check;  /* as v8_check() has it */
    struct v8_position position; /* of the call, in what it is inlined into */
};

enum { V8_CODE_SEEN = 6 };

struct v8_code {
    uint64_t start, size;        /* of the instructions, at run time */
    uint64_t object;             /* that they are in; untagged */
    uint64_t seen[V8_CODE_SEEN]; /* of what describes them: tells it from what is there later */
    uint64_t shared;             /* whose code it is */
    uint8_t *positions;          /* owned; as v8_positions_find() or v8_baseline_find() take it */
    size_t n_positions;
    bool is_baseline;
    uint8_t *bytecode; /* owned; of baseline code */
    size_t n_bytecode;
    struct v8_inlined *inlined; /* owned; of optimised code */
    size_t n_inlined;
};

/* The code around @pc, if it is @shared's. False: there is none. */
bool v8_code_read(pid_t pid, const struct v8_image *v8, uint64_t pc, uint64_t shared,
                  struct v8_code *ret_code);
void v8_code_release(struct v8_code *code); /* safe on a zeroed one */

/* Is it still there? */
bool v8_code_is_there(pid_t pid, const struct v8_image *v8, const struct v8_code *code);

/* A function that code runs at a place. */
struct v8_code_call {
    uint64_t shared;
    uint32_t check; /* of an inlined one */
    bool is_inlined;
    int32_t place; /* in the script; -1: not known */
};

/* What optimised code runs at @pc, innermost first. 0: not known, or more than @max. Pure. */
size_t v8_code_calls(const struct v8_code *code, uint64_t pc, struct v8_code_call *ret_calls,
                     size_t max);
