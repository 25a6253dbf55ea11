/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/graph.h"

#include "lib/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the last step needs for each stack. */
struct build {
    const struct stacks *stacks;
    const struct processes *processes;
    const struct names *names;
    struct flame *flame;
    struct result_profile *result;
    struct flame_frame *frames; /* the stack at hand */
    size_t n, room;
    char title[RECORD_COMM_SIZE + 16];
};

static void push(struct build *b, const char *name, enum flame_kind kind)
{
    if (b->n == b->room) {
        b->room = b->room ? b->room * 2 : 256;
        b->frames = mem_grow(b->frames, b->room, sizeof(*b->frames));
    }
    b->frames[b->n++] = (struct flame_frame){ name, kind };
}

/* A run of frames of a module without names says no more than one of them. */
static bool repeats(const struct name *name, const struct flame_frame *last)
{
    return name->is_module && last->kind == name->kind && strcmp(last->name, name->text) == 0;
}

/* The first frame that belongs to a stack found by frame pointers: what seems to call the bottom of
 * a thread is garbage. */
static uint32_t find_bottom(const struct build *b, const struct stack *stack)
{
    for (uint32_t i = stack->n; i > 0; i--) {
        if (names_at(b->names, stack->places[i - 1])->names[0].is_bottom)
            return i - 1;
    }
    return UINT32_MAX;
}

/* Why stacks are cut, as a frame and as a note. */
static const struct {
    const char *frame;
    enum result_note note;
} cuts[] = {
    [RECORD_STOP_FULL] = { "[truncated: too deep]", RESULT_NOTE_TOO_DEEP },
    [RECORD_STOP_NO_CODE] = { "[truncated: caller in no code]", RESULT_NOTE_NO_CODE },
    [RECORD_STOP_NO_RULE] = { "[truncated: caller unknown]", RESULT_NOTE_NO_RULE },
    [RECORD_STOP_NO_READ] = { "[truncated: stack unreadable]", RESULT_NOTE_NO_READ },
    [RECORD_STOP_COSTLY] = { "[truncated: too long to walk]", RESULT_NOTE_TOO_COSTLY },
    [GRAPH_NO_ROOM] = { "[truncated: too many different stacks]", RESULT_NOTE_NO_ROOM },
};

static void push_process(struct build *b, const struct stack_root *root)
{
    const struct process *process = processes_at(b->processes, root->process);

    if (process->pid)
        (void)snprintf(b->title, sizeof(b->title), "%s (%d)", process->comm, process->pid);
    else
        (void)snprintf(b->title, sizeof(b->title), "%s%s(others)", process->comm,
                       *process->comm ? " " : "");
    push(b, b->title, FLAME_PROCESS);
    if (root->thread != STACKS_THREAD_MAIN)
        push(b, stacks_thread_name(b->stacks, root->thread), FLAME_THREAD);
}

static void build_stack(void *arg, const struct stack *stack)
{
    struct build *b = arg;
    uint32_t bottom = stack->root.cut & GRAPH_BY_POINTERS ? find_bottom(b, stack) : UINT32_MAX;
    uint32_t cut = stack->root.cut & ~(uint32_t)GRAPH_BY_POINTERS;
    bool whole = bottom != UINT32_MAX, known = false;

    b->n = 0;
    push_process(b, &stack->root);
    if (cut < sizeof(cuts) / sizeof(cuts[0]) && cuts[cut].frame && !whole) {
        push(b, cuts[cut].frame, FLAME_NOTE);
        b->result->truncated += (int64_t)stack->count;
        b->result->notes[cuts[cut].note] += (int64_t)stack->count;
    }
    for (uint32_t i = whole ? bottom : 0; i < stack->n; i++) {
        const struct name_chain *chain = names_at(b->names, stack->places[i]);

        known = chain->names[0].known;
        for (size_t j = 0; j < chain->n; j++) {
            if (!repeats(&chain->names[j], &b->frames[b->n - 1]))
                push(b, chain->names[j].text, chain->names[j].kind);
        }
    }
    if (!known && cut != GRAPH_NO_ROOM)
        b->result->unknown += (int64_t)stack->count;
    flame_add(b->flame, b->frames, b->n, stack->count);
}

static void list_runtimes(const struct names *names, uint32_t n, const struct runtimes *met,
                          struct result_profile *result)
{
    static const struct {
        enum flame_kind kind;
        const char *name;
    } runtimes[] = { { FLAME_NATIVE, "native" }, { FLAME_GO, "go" }, { FLAME_JIT, "jit" } };
    size_t used = 0;

    for (size_t i = 0; i < sizeof(runtimes) / sizeof(runtimes[0]); i++) {
        bool seen = false;

        for (uint32_t j = 0; j < n && !seen; j++)
            seen = names_at(names, j)->names[0].kind == runtimes[i].kind;
        if (seen)
            (void)snprintf(result->runtimes[used++], sizeof(result->runtimes[0]), "%s",
                           runtimes[i].name);
    }
    for (size_t i = 0; used < RESULT_RUNTIMES_MAX && runtimes_version(met, i); i++)
        (void)snprintf(result->runtimes[used++], sizeof(result->runtimes[0]), "%s",
                       runtimes_version(met, i));
}

struct flame *graph_build(const struct stacks *stacks, const struct processes *processes,
                          const struct names *names, const struct runtimes *runtimes,
                          struct result_profile *result)
{
    struct flame *flame = flame_new();
    struct build build = {
        .stacks = stacks, .processes = processes, .names = names, .flame = flame, .result = result
    };

    stacks_each(stacks, build_stack, &build);
    list_runtimes(names, stacks_n_places(stacks), runtimes, result);
    free(build.frames);
    return flame;
}
