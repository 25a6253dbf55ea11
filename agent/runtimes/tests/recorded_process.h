/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recorded_process: a process that runs a language, live or recorded, and what is said of the
 * frames of a stack of it, by what the agent itself says it with: "NAME (FILE:LINE)".
 */
#pragma once

#include "agent/runtimes/reading.h"
#include "agent/runtimes/runtime.h"
#include "agent/runtimes/runtime_functions.h"
#include "lib/mem.h"

#include <stdlib.h>
#include <string.h>

enum { RECORDED_CALLS_MAX = 256, RECORDED_SPACE_MAX = 256 };

struct recorded_process {
    const struct runtime_kind *kind;
    struct runtime_place place;
    unsigned char space[RECORDED_SPACE_MAX] __attribute__((aligned(8)));
    struct reading reading;
    struct runtime_functions *functions;
    char *calls[RECORDED_CALLS_MAX]; /* owned; of one stack, leaf first */
    size_t n_calls;
};

/* NULL, or why it cannot be walked. To be released, in any case. */
static inline const char *recorded_process_meet(struct recorded_process *p, enum runtime_id runtime,
                                                pid_t pid, const void *image, uint64_t bias)
{
    const struct process_image run = { .started = 1 };

    p->kind = runtime_kinds[runtime];
    p->place = (struct runtime_place){ pid, mem_zalloc(p->kind->process_size) };
    reading_init(&p->reading);
    p->functions = runtime_functions_new(&p->reading);
    if (p->kind->space_size > sizeof(p->space))
        return "no room";
    return p->kind->meet(pid, &run, image, bias, p->place.data, p->space);
}

/* Begins with another stack. */
static inline void recorded_process_clear(struct recorded_process *p)
{
    while (p->n_calls > 0)
        free(p->calls[--p->n_calls]);
}

static inline void recorded_process_release(struct recorded_process *p)
{
    recorded_process_clear(p);
    runtime_functions_free(p->functions);
    if (p->place.data && p->kind->release_process)
        p->kind->release_process(p->place.data);
    free(p->place.data);
    *p = (struct recorded_process){ 0 };
}

/* Adds a line, taken over. */
static inline void recorded_process_say(struct recorded_process *p, char *call)
{
    if (p->n_calls < RECORDED_CALLS_MAX)
        p->calls[p->n_calls++] = call;
    else
        free(call);
}

/* Adds what a frame runs; @pc as the calls() of a runtime_kind take it. */
static inline void recorded_process_add(struct recorded_process *p,
                                        const struct runtime_frame *frame, uint64_t pc)
{
    struct runtimes_call calls[RUNTIME_CALLS_MAX];
    size_t n = runtime_functions_find(p->functions, 1, &p->place, frame, pc, calls);
    bool is_known;

    for (size_t i = 0; i < n; i++)
        recorded_process_say(
            p, runtime_functions_name(p->functions, calls[i].function, calls[i].line, &is_known));
}
