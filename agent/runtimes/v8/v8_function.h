/* SPDX-License-Identifier: Apache-2.0 */
/*
 * v8_function: what a JavaScript function is called, and where it begins.
 *
 * Read from the target's memory soon after the sample; every length and depth is bounded here. An
 * object that was moved meanwhile is noticed by its type and by the check that the walk took of it,
 * and has no name then.
 */
#pragma once

#include "agent/runtimes/v8/v8_image.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    V8_NAME_MAX = 256,           /* characters; more is cut */
    V8_FILE_MAX = 1024,          /* characters */
    V8_POSITIONS_MAX = 64 << 10, /* bytes of a function's table of positions */
    V8_SOURCE_MAX = 16 << 20,    /* characters of a script in which lines are counted */
    V8_LINES_MAX = 1 << 20,      /* lines of such a script */
};

struct v8_function {
    char *name;         /* owned; "" when it has none */
    char *file;         /* owned; as the script is called; "" when it has no name */
    uint64_t source;    /* the script's text, a tagged pointer; 0: none */
    int64_t start, end; /* where in it the function is, in characters; -1: not known */
    uint8_t *positions; /* owned; of its bytecode; NULL: not known */
    size_t n_positions; /* bytes */
};

/* @shared: a tagged pointer to a SharedFunctionInfo. False: there is no such thing. */
bool v8_function_read(pid_t pid, const struct v8_image *v8, uint64_t shared, uint32_t check,
                      struct v8_function *ret_function);

/* As the walk takes it. False: there is no such function. */
bool v8_function_check(pid_t pid, const struct v8_image *v8, uint64_t shared, uint32_t *ret_check);

/* Its array of bytecode, a tagged pointer; 0: it has none. */
uint64_t v8_shared_bytecode(pid_t pid, const struct v8_image *v8, uint64_t shared);
void v8_function_release(struct v8_function *function); /* safe on a zeroed one */

/* Where the lines of a text end, or of a part of it. */
struct v8_lines {
    uint32_t *ends; /* owned; in characters from the beginning of the text */
    size_t n;
    size_t before; /* lines that end before the part */
};

/* False: the text cannot be read, or has too many lines. */
bool v8_lines_read(pid_t pid, const struct v8_image *v8, uint64_t source, struct v8_lines *ret);
int v8_lines_at(const struct v8_lines *lines, int64_t place); /* from 1 on; 0: not known. Pure. */

/* The lines of the part from @start to @end; its ends are the caller's to free. Pure. */
void v8_lines_cut(const struct v8_lines *lines, int64_t start, int64_t end, struct v8_lines *ret);
