/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record_v8: records stacks of a live process that runs V8, as record_stacks.h says, and writes
 * what v8_golden.h says. golden_stacks.js is the program of such a process.
 */
#include "agent/runtimes/v8/tests/v8_golden.h"
#include "agent/runtimes/tests/record_stacks.h"
#include "agent/unwind/unwind_host.h"

#include "agent/process.h"
#include "agent/unwind/unwind_tables.h"

#include <time.h>

enum { NATIVES_MAX = 512, TRIES_MAX = 200 };

/* The native side of the process, as the kernel side is told it. */
static struct native_side {
    pid_t pid;
    struct images *images;
    struct unwind_tables *tables;
    struct unwind_view view;
} native_side;

static bool unwind_read(const struct unwind_walk *w, __u64 addr, __u64 *ret_value)
{
    (void)w;
    return recorder_peek(native_side.pid, addr, ret_value, sizeof(*ret_value));
}

static const struct unwind_mapping *unwind_mapping_at(const struct unwind_walk *w, __u32 i)
{
    (void)w;
    return i < native_side.view.n_mappings ? &native_side.view.mappings[i] : NULL;
}

static const struct unwind_row *unwind_row_at(const struct unwind_walk *w, __u32 i)
{
    (void)w;
    return i < native_side.view.n_rows ? &native_side.view.rows[i] : NULL;
}

static const struct unwind_rule *unwind_rule_at(const struct unwind_walk *w, __u32 i)
{
    (void)w;
    return i < native_side.view.n_rules ? &native_side.view.rules[i] : NULL;
}

static void write_image(const void *data, uint64_t bias)
{
    const struct v8_image *image = data;

    (void)bias;
#define X(name) printf("field " #name " %d\n", image->name);
    V8_GOLDEN_FIELDS(X)
#undef X
    for (size_t i = 0; i < V8_SCALES && image->bytecode_sizes.n > 0; i++) {
        printf("sizes ");
        for (size_t j = 0; j < image->bytecode_sizes.n; j++)
            printf("%02x", image->bytecode_sizes.sizes[i][j]);
        printf("\n");
    }
    printf("known\n");
}

static bool is_made(const struct unwind_walk *w, uint64_t pc)
{
    const struct unwind_mapping *m = unwind_find_mapping(w, pc);

    return m && m->flags == 0;
}

/* As unwind_one() does it. */
static void walk_natives(struct unwind_walk *w, struct v8_golden_native natives[NATIVES_MAX])
{
    w->space = native_side.view.space;
    w->stop = UNWIND_CONTINUE;
    while (w->stop == UNWIND_CONTINUE && (w->n < NATIVES_MAX || w->scan.is_on)) {
        bool notes = !w->scan.is_on;
        __u64 fp = w->bp, pc;

        unwind_step(w, &pc);

        struct v8_golden_native *native = &natives[w->n - 1];

        if (notes)
            native->pc = pc - (w->n > 1);
        native->fp = w->by_pointer ? fp : 0;
    }
}

/* Is the leaf in a function's code, and not in what that calls? */
static bool is_in_function(struct recorded_process *process, const struct unwind_walk *w,
                           const struct v8_registers *registers)
{
    uint64_t bytecode;

    return is_made(w, w->pc) || (recorder_peek(process->place.pid, w->bp + V8_FP_BYTECODE,
                                               &bytecode, sizeof(bytecode)) &&
                                 bytecode == registers->bytecode && v8_is_object(bytecode));
}

static bool record_stopped(struct recorded_process *process, const struct user_regs_struct *r)
{
    struct unwind_walk w = { .pc = r->rip, .sp = r->rsp, .bp = r->rbp, .is_exact = 1 };
    struct v8_registers registers = { .bytecode = r->r12, .offset = r->r9 };
    struct v8_golden_native natives[NATIVES_MAX];
    struct v8_seen seen = { 0 };

    w.space = native_side.view.space;
    if (!is_in_function(process, &w, &registers))
        return false;
    walk_natives(&w, natives);
    for (size_t i = 0; i < w.n; i++) {
        if (!is_made(&w, natives[i].pc))
            natives[i].pc = 0;
        v8_golden_add(process, &seen, &registers, &natives[i]);
        registers = (struct v8_registers){ 0 };
    }
    recorded_memory_write(&recorder_memory);
    printf("stack %llx %llx\n", r->r12, r->r9);
    for (size_t i = 0; i < w.n; i++)
        printf("native %" PRIx64 " %" PRIx64 "\n", natives[i].pc, natives[i].fp);
    return true;
}

/* What is mapped changes with what is compiled. */
static bool record(struct recorded_process *process, pid_t thread)
{
    const struct timespec pause = { .tv_nsec = 50000000 };
    struct user_regs_struct regs;
    bool was_there = false;

    native_side.pid = process->place.pid;
    for (int i = 0; i < TRIES_MAX && !was_there; i++) {
        (void)nanosleep(&pause, NULL);
        if (!recorder_stop(thread, &regs))
            return false;

        struct processes *processes = processes_new(native_side.images, native_side.tables, NULL);

        processes_expect(processes, &native_side.pid, 1, 1);
        native_side.view = unwind_tables_view(
            native_side.tables,
            &running_layout(processes_running(processes, native_side.pid))->place);
        was_there = record_stopped(process, &regs);
        processes_free(processes);
        recorder_go_on(thread);
    }
    return was_there;
}

int main(void)
{
    int failed;

    native_side.images = images_new();
    native_side.tables = unwind_tables_new(native_side.images);
    failed = record_main(&(struct record_language){ RUNTIME_V8, write_image, record });
    unwind_tables_free(native_side.tables);
    images_free(native_side.images);
    return failed;
}
