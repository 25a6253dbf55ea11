/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record_hotspot_walk PID TID LIBJVM START N: stops a thread of a Java virtual machine, whose
 * LIBJVM is mapped at START, N times in code of Java's, and writes what hotspot_walk.h says of the
 * stacks that lead to native code again.
 */
#include "agent/runtimes/hotspot/hotspot_image.h"
#include "agent/runtimes/runtime.h"
#include "agent/runtimes/hotspot/tests/hotspot_walk.h"
#include "agent/runtimes/tests/recorder.h"
#include "lib/cleanup.h"

#include <fcntl.h>
#include <time.h>

enum { TRIES_MAX = 4000 };

static pid_t target;

static bool hotspot_read(void *to, __u32 size, __u64 addr)
{
    return recorder_read(target, addr, to, size);
}

static void write_space(const struct hotspot_space *space)
{
#define X(name) printf("offset " #name " %d\n", space->offsets.name);
    WALK_OFFSETS(X)
#undef X
    for (size_t i = 0; i < HOTSPOT_CODE_HEAPS_MAX && space->heaps[i].high; i++)
        printf("heap %llx %llx %llx\n", space->heaps[i].low, space->heaps[i].high,
               space->heaps[i].segmap);
}

static void write_walk(const struct user_regs_struct *regs, const struct runtime_frame *frames,
                       size_t n, const struct unwind_walk *end)
{
    printf("walk %llx %llx %llx %llx %llx %llx\n", regs->rip, regs->rsp, regs->rbp, regs->rax,
           regs->rbx, regs->r13);
    recorded_memory_write(&recorder_memory);
    for (size_t i = 0; i < n; i++)
        printf("frame %llx %x %x\n", frames[i].object, frames[i].at, frames[i].check);
    printf("end %llx %llx %llx\n", end->pc, end->sp, end->bp);
}

/* Whether it was in Java, and was written. */
static bool record(pid_t thread, const struct hotspot_space *space)
{
    struct runtime_frame frames[WALK_FRAMES_MAX];
    struct user_regs_struct regs;
    bool was_written = false;

    if (!recorder_stop(thread, &regs))
        return false;

    struct unwind_walk w = { .pc = regs.rip,
                             .sp = regs.rsp,
                             .bp = regs.rbp,
                             .regs = { [0] = regs.rax, [3] = regs.rbx, [13] = regs.r13 },
                             .is_exact = 1,
                             .has_regs = 1 };

    if (hotspot_has(space, w.pc)) {
        size_t n = hotspot_walk(&w, space, frames);

        was_written = w.stop == UNWIND_CONTINUE;
        if (was_written)
            write_walk(&regs, frames, n, &w);
        else
            (void)fprintf(stderr, "stopped at %llx: %d\n", w.pc, w.stop);
    }
    recorder_go_on(thread);
    return was_written;
}

int main(int argc, char **argv)
{
    unsigned char process[4096] = { 0 };
    const struct process_image run = { .started = 1 };
    struct elf_image elf = { 0 };
    struct hotspot_image image;
    struct hotspot_space space = { 0 };
    struct err e = { 0 };
    int n = 0;

    if (argc != 6)
        return 2;
    target = (pid_t)strtol(argv[1], NULL, 10);

    pid_t thread = (pid_t)strtol(argv[2], NULL, 10);
    _cleanup_close_ int fd = open(argv[3], O_RDONLY | O_CLOEXEC);

    if (fd < 0 || elf_image_read(fd, &elf, &e) < 0 || !hotspot_image_read(fd, &elf, &image) ||
        runtime_hotspot.process_size > sizeof(process) ||
        runtime_hotspot.meet(target, &run, &image, strtoull(argv[4], NULL, 16), process, &space))
        return 1;
    elf_image_release(&elf);
    write_space(&space);
    for (int i = 0, wanted = (int)strtol(argv[5], NULL, 10); i < TRIES_MAX && n < wanted; i++) {
        (void)nanosleep(&(struct timespec){ .tv_nsec = 3100000 + 97000 * (i % 31) }, NULL);
        n += record(thread, &space);
    }
    recorded_memory_release(&recorder_memory);
    return n > 0 ? 0 : 1;
}
