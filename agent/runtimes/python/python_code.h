/* SPDX-License-Identifier: Apache-2.0 */
/*
 * python_code: what a code object of CPython is called, and which line of it an instruction is of.
 *
 * Read from the target's memory soon after the sample; every length is bounded here. An object that
 * was freed meanwhile, or another in its place, is noticed by its type and by the check that the
 * walk took of it, and has no name then.
 */
#pragma once

#include "agent/runtimes/python/python_layout.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    PYTHON_NAME_MAX = 256,  /* characters; more is cut */
    PYTHON_FILE_MAX = 1024, /* characters */
    PYTHON_LINES_MAX = 64 * 1024,
};

struct python_code {
    char *name;           /* owned; the qualified name from 3.11 on */
    char *file;           /* owned; as the interpreter opened it */
    unsigned char *lines; /* owned; the line table */
    size_t n_lines;       /* bytes */
    int first_line;
};

/* @code: a runtime address; @type: that of PyCode_Type. False: there is no such code object. */
bool python_code_read(pid_t pid, const struct python_offsets *offsets, uint64_t code, uint64_t type,
                      uint32_t check, struct python_code *ret_code);
void python_code_release(struct python_code *code); /* safe on a zeroed one */

/* A str object as UTF-8, at most @max characters, owned by the caller; NULL: it is none. */
char *python_str_read(pid_t pid, const struct python_offsets *offsets, uint64_t str, size_t max);

/* The line of the instruction @at bytes from the first; 0: none is known. Pure. */
int python_code_line(const struct python_code *code, enum python_lines how, uint32_t at);
