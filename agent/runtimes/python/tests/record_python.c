/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record_python: records stacks of a live Python process, as record_stacks.h says, and writes what
 * python_golden.h says. golden_stacks.py is such a process.
 */
#include "agent/runtimes/python/tests/python_golden.h"
#include "agent/runtimes/tests/record_stacks.h"

#include <time.h>

static void write_image(const void *data, uint64_t bias)
{
    const struct python_image *image = data;

    printf("image %d %" PRIx64 " %" PRIx64 "\n", image->minor, bias + image->runtime,
           bias + image->code_type);
}

static bool record(struct recorded_process *process, pid_t thread)
{
    const struct timespec pause = { .tv_nsec = 50000000 }; /* from what was said to the wait */
    struct user_regs_struct regs;
    bool was_walked;

    (void)nanosleep(&pause, NULL);
    if (!recorder_stop(thread, &regs))
        return false;
    was_walked = python_golden_walk(process, regs.fs_base, thread);
    recorder_go_on(thread);
    recorded_memory_write(&recorder_memory);
    printf("thread %llx %d\n", regs.fs_base, thread);
    return was_walked;
}

int main(void)
{
    return record_main(&(struct record_language){ RUNTIME_PYTHON, write_image, record });
}
