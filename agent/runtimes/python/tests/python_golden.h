/* SPDX-License-Identifier: Apache-2.0 */
/*
 * python_golden: recorded stacks of Python threads, as far as the agent read them. What
 * record_python writes and test_python_golden replays:
 *
 *   # ...                    a remark
 *   image MINOR RUNTIME CODE_TYPE    struct python_image, as it was mapped
 *   packed ...               as recorded_memory.h has it
 *   thread ID NUMBER         a thread that was stopped: its thread pointer and its number
 *   call NAME (FILE:LINE)    what it ran, leaf first, as the interpreter itself said it; and below
 *   call thread NAME         what it is called
 *
 * MINOR and NUMBER are decimal, the rest is hexadecimal.
 */
#pragma once

#include "agent/bpf/python_table.h"
#include "agent/runtimes/python/python_image.h"
#include "agent/runtimes/target_memory.h"
#include "agent/runtimes/tests/recorded_process.h"
#include "lib/cleanup.h"

#include <sys/cdefs.h>

static pid_t python_golden_pid;

static bool python_read(void *to, __u32 size, __u64 addr)
{
    return target_memory_read(python_golden_pid, addr, to, size);
}

#include "agent/bpf/python_step.h"

/* Adds what the thread runs and is called; false: the walk did not get to the end. */
static bool python_golden_walk(struct recorded_process *process, uint64_t id, pid_t number)
{
    enum { STEPS_MAX = 4096 };
    struct python_walk w = { .search = { .id = id } };
    struct runtime_frame frame;
    __u64 interp, next = 0;

    python_golden_pid = process->place.pid;
    memcpy(&w.space, process->space, sizeof(w.space));
    if (!python_read_u64(w.space.interpreters, &interp))
        return false;
    w.search.interp = interp;
    w.search.is_single = python_read_u64(interp + w.space.layout.interp_next, &next) && next == 0;
    if (w.space.current)
        (void)python_read_u64(w.space.current, &w.search.current);
    for (int i = 0; i < STEPS_MAX && python_search_step(&w); i++)
        ;
    if (!w.search.found)
        return false;
    python_begin(&w, w.search.found);
    for (int i = 0; i < STEPS_MAX && w.stop == PYTHON_CONTINUE; i++) {
        if (python_step(&w, &frame) && frame.object)
            recorded_process_add(process, &frame, 0);
    }

    _cleanup_free_ char *name =
        process->kind->thread_name(process->place.pid, process->place.data, id, number);

    if (name)
        recorded_process_say(process, mem_printf("thread %s", name));
    return w.stop == PYTHON_STOP_END;
}
