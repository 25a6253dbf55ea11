/* SPDX-License-Identifier: Apache-2.0 */
/*
 * python: CPython in the profiled processes: which run it, where the kernel side finds its frames,
 * and what they are called.
 *
 * A function's name and lines are read from the target's memory when its first sample arrives, and
 * kept. Nothing of the target is stopped or written. Memory is bounded; what is past a bound, or
 * was freed before it could be read, is a frame without a name.
 */
#pragma once

#include "agent/bpf/python_table.h"
#include "agent/code.h"
#include "agent/images.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { PYTHON_CODES_MAX = 1 << 16, PYTHON_PROCESSES_MAX = 4096 };

struct python;
struct python *python_new(struct images *images); /* borrows them */
void python_free(struct python *python);          /* NULL is fine */

/* The map of the BPF programs that says where CPython runs; borrowed. Once. */
void python_attach(struct python *python, int spaces_fd);

/* A process and what is mapped in it, seen for the first time or again. @number: of the image that
 * it runs, as running_image() has it; @image: as the kernel knows it. */
void python_look(struct python *python, pid_t pid, uint64_t number,
                 const struct process_image *image, const struct code *code, size_t n);
void python_forget(struct python *python, uint64_t number); /* it ended */

bool python_is_image(const struct python *python, uint32_t image); /* is CPython in it? */

/* Does the function that runs byte code cover this part of an image's file? */
bool python_is_loop(struct python *python, uint32_t image, uint64_t off);

/* A frame's function, by a number, and its line; 0: no line is known. False: the process is not
 * known any more, or the table is full. */
bool python_place(struct python *python, uint64_t number, const struct python_frame *frame,
                  uint32_t *ret_code, uint32_t *ret_line);

/* "function (file.py:line)"; owned by the caller. @ret_known: false when it is made up. */
char *python_name(const struct python *python, uint32_t code, uint32_t line, bool *ret_known);

/* What was met, "python 3.11" or "python 3.15: not supported, native frames only", each once;
 * NULL: no more. Borrowed. */
const char *python_version(const struct python *python, size_t i);
