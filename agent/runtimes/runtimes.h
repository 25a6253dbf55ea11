/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runtimes: interpreted languages in the profiled processes: which run where, and what the
 * functions are called that the kernel side met.
 *
 * A function's name and lines are read from the target's memory when its first sample arrives, and
 * kept. Nothing of the target is stopped or written. Memory is bounded; what is past a bound, or
 * was gone before it could be read, is a frame without a name.
 */
#pragma once

#include "agent/bpf/process_image.h"
#include "agent/bpf/runtime_frame.h"
#include "agent/code.h"
#include "agent/images.h"
#include "agent/runtimes/runtime.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    RUNTIMES_PROCESSES_MAX = 4096,
    RUNTIMES_FUNCTIONS_MAX = 1 << 17,
    RUNTIMES_BYTES_MAX = 16 << 20, /* of their names and lines */
    RUNTIMES_CHAINS_MAX = 1 << 16, /* frames whose functions are remembered */
};

struct runtimes;
struct runtimes *runtimes_new(struct images *images); /* borrows them */
void runtimes_free(struct runtimes *runtimes);        /* NULL is fine */

/* The maps of the BPF programs that say where a language runs, as descriptors; borrowed. Once. */
void runtimes_attach(struct runtimes *runtimes, const int spaces[RUNTIME_COUNT]);

struct runtimes_target {
    pid_t pid;
    uint64_t started;         /* as proc_file_started() has it */
    uint64_t number;          /* of the image that it runs, as running_image() has it */
    struct process_image run; /* the same, as the kernel knows it */
};

/* A process and what is mapped in it, seen for the first time or again. */
void runtimes_look(struct runtimes *runtimes, const struct runtimes_target *target,
                   const struct code *code, size_t n);

/* Looks again where a language begins to run. Returns when to call it again; UINT64_MAX: there is
 * none. @now_ns: of CLOCK_MONOTONIC. */
uint64_t runtimes_work(struct runtimes *runtimes, uint64_t now_ns);

void runtimes_forget(struct runtimes *runtimes, uint64_t number); /* it ended */

/* Does this part of an image's file run code of a language, as far as its symbols tell? */
bool runtimes_is_loop(const struct runtimes *runtimes, uint32_t image, uint64_t off);

/* Is the implementation of a language in it? */
bool runtimes_has_image(const struct runtimes *runtimes, uint32_t image);

/* A function that a frame runs. */
struct runtimes_call {
    uint32_t function; /* by a number */
    uint32_t line;     /* 0: not known */
    enum runtime_way way;
};

/* The frames that are asked for from now on are of another stack. */
void runtimes_begin_stack(struct runtimes *runtimes);

/* What a frame runs, innermost first; none: nothing that should be shown.
 * @pc: as the calls() of a runtime_kind take it. */
size_t runtimes_place(struct runtimes *runtimes, uint64_t number, const struct runtime_frame *frame,
                      uint64_t pc, struct runtimes_call ret_calls[RUNTIME_CALLS_MAX]);

/* Which language makes code at run time in that process; RUNTIME_COUNT: none. */
enum runtime_id runtimes_jit(const struct runtimes *runtimes, uint64_t number);

/* What such code is called when no function is known of it. */
const char *runtimes_jit_name(enum runtime_id runtime);

/* Owned by the caller. @ret_known: false when it is made up. */
char *runtimes_name(const struct runtimes *runtimes, uint32_t function, uint32_t line,
                    bool *ret_known);

/* How often there was no time to read a function: it has no name then, until there is; or no room
 * to keep it. */
int64_t runtimes_put_off(const struct runtimes *runtimes);

/* What the language calls a thread of the process @number; NULL: nothing, or not known yet.
 * Borrowed, until the next call. @id: its thread pointer. */
const char *runtimes_thread_name(struct runtimes *runtimes, uint64_t number, pid_t tid,
                                 uint64_t id);

/* What was met, "python 3.11" or "python 3.15: not supported, native frames only", each once; NULL:
 * no more. Borrowed. */
const char *runtimes_version(const struct runtimes *runtimes, size_t i);
