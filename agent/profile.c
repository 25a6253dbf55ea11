/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/profile.h"

#include "agent/images.h"
#include "agent/process.h"
#include "agent/runtimes/interleave.h"
#include "agent/runtimes/python.h"
#include "agent/stacks.h"
#include "agent/symbols/names.h"
#include "lib/cleanup.h"
#include "lib/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FRAMES_MAX = RECORD_USER_MAX + RECORD_RUNTIME_MAX + RECORD_KERNEL_MAX, BY_POINTERS = 0x100 };

struct profile {
    struct images *images;
    struct unwind_tables *tables;
    struct python *python;
    struct processes *processes;
    struct stacks *stacks;
    int64_t samples;
    int64_t lost; /* a table here was full */
};

struct profile *profile_new(void)
{
    struct profile *p = mem_zalloc(sizeof(*p));

    p->images = images_new();
    p->tables = unwind_tables_new(p->images);
    p->python = python_new(p->images);
    p->processes = processes_new(p->images, p->tables, p->python);
    p->stacks = stacks_new();
    return p;
}

void profile_free(struct profile *p)
{
    if (!p)
        return;
    stacks_free(p->stacks);
    processes_free(p->processes);
    python_free(p->python);
    unwind_tables_free(p->tables);
    images_free(p->images);
    free(p);
}

void profile_expect(struct profile *p, const pid_t *pids, size_t n, uint64_t now_ns)
{
    for (size_t i = 0; i < n; i++)
        processes_expect(p->processes, pids[i], now_ns);
}

struct unwind_tables *profile_tables(struct profile *p)
{
    return p->tables;
}

struct python *profile_python(struct profile *p)
{
    return p->python;
}

/* One stack, root first. */
struct sample {
    uint32_t places[FRAMES_MAX];
    uint32_t n;
    uint32_t cut; /* enum record_stop, RECORD_STOP_END when it is whole; and BY_POINTERS */
};

static struct place user_place(struct profile *p, struct process *process, uint64_t addr,
                               uint64_t now_ns)
{
    const struct unwind_code *m = processes_find(p->processes, process, addr, now_ns);

    if (!m)
        return (struct place){ PLACE_UNKNOWN, process->index, addr };
    if (m->image != IMAGE_NONE)
        return (struct place){ PLACE_IMAGE, m->image, addr - m->start + m->off };
    process_open_perf_map(process, now_ns);
    return (struct place){ PLACE_JIT, process->index, addr };
}

/* The native frames of a stack, leaf first. */
struct natives {
    const uint32_t *numbers; /* of their places */
    bool *is_loop;
    uint32_t n;
};

static uint32_t native_of(const struct python_frame *frame)
{
    return frame->at >> PYTHON_AT_NATIVE_SHIFT & PYTHON_AT_NATIVE_MASK;
}

/* Where the kernel side says which native frames run Python ones, no look at names is needed. */
static bool mark_loops(const struct python_frame *frames, size_t n, struct natives *natives)
{
    bool is_known = false;

    for (size_t i = 0; i < n && !is_known; i++)
        is_known = native_of(&frames[i]) > 0;
    if (!is_known)
        return false;
    memset(natives->is_loop, 0, natives->n * sizeof(*natives->is_loop));
    for (size_t i = 0; i < n; i++) {
        if (native_of(&frames[i]) > 0 && native_of(&frames[i]) <= natives->n)
            natives->is_loop[native_of(&frames[i]) - 1] = true;
    }
    return true;
}

/* Puts native frames and those of Python functions into @ret in their order. @words: the record's,
 * two for each Python frame. */
static bool merge(struct profile *p, const struct process *process, const uint64_t *words, size_t n,
                  struct natives *natives, struct sample *ret)
{
    struct python_frame frames[RECORD_RUNTIME_MAX];
    uint32_t numbers[RECORD_RUNTIME_MAX], line;
    bool ends_group[RECORD_RUNTIME_MAX], is_shown[RECORD_RUNTIME_MAX];
    struct interleaved order[RECORD_USER_MAX + RECORD_RUNTIME_MAX];

    for (size_t i = 0; i < n; i++) {
        struct place place = { .space = PLACE_PYTHON };

        frames[i] = (struct python_frame){ words[2 * i], (uint32_t)words[2 * i + 1],
                                           (uint32_t)(words[2 * i + 1] >> 32) };
        ends_group[i] = frames[i].at & PYTHON_AT_ENTRY;
        is_shown[i] = frames[i].code != 0;
        if (!is_shown[i])
            continue;
        if (!python_place(p->python, process->pid, process->generation, &frames[i], &place.owner,
                          &line))
            return false;
        place.addr = line;
        if (!stacks_place(p->stacks, place, &numbers[i]))
            return false;
    }

    bool is_exact = mark_loops(frames, n, natives);
    struct interleave_input in = { .n_native = natives->n,
                                   .is_loop = natives->is_loop,
                                   .from_root = !is_exact && ret->cut == RECORD_STOP_END,
                                   .n_frames = n,
                                   .ends_group = ends_group,
                                   .is_shown = is_shown };

    for (size_t i = interleave(&in, order); i > 0; i--)
        ret->places[ret->n++] =
            (order[i - 1].is_native ? natives->numbers : numbers)[order[i - 1].index];
    return true;
}

/*
 * All addresses but the interrupted one are return addresses: behind the call, which may be the
 * last instruction of its function. One less is inside the call.
 *
 * Where code keeps no frame pointer, the chain leads to arbitrary values: a caller that lies in no
 * code ends the stack, which is then marked as cut. (With no mapping known all frames stay.)
 */
static bool collect(struct profile *p, struct process *process, const struct record *r,
                    const uint64_t *pcs, struct sample *ret)
{
    uint32_t numbers[RECORD_USER_MAX];
    bool is_loop[RECORD_USER_MAX];
    uint32_t n = 0;

    ret->n = 0;
    ret->cut = r->stop == RECORD_STOP_NO_USER ? RECORD_STOP_END : r->stop;
    if (r->flags & RECORD_FRAME_POINTERS)
        ret->cut |= BY_POINTERS;
    for (; n < r->n_user; n++) {
        struct place place = user_place(p, process, pcs[r->n_kernel + n] - (n > 0), r->time_ns);

        if (place.space == PLACE_UNKNOWN && n > 0 && process->n_mappings > 0) {
            ret->cut = (ret->cut & BY_POINTERS) | RECORD_STOP_NO_CODE;
            break;
        }
        if (!stacks_place(p->stacks, place, &numbers[n]))
            return false;
        is_loop[n] =
            place.space == PLACE_IMAGE && python_is_loop(p->python, place.owner, place.addr);
    }
    if (!merge(p, process, pcs + r->n_kernel + r->n_user, r->n_runtime,
               &(struct natives){ numbers, is_loop, n }, ret))
        return false;
    for (uint32_t i = r->n_kernel; i > 0; i--) {
        struct place place = { PLACE_KERNEL, 0, pcs[i - 1] - (i > 1) };

        if (!stacks_place(p->stacks, place, &ret->places[ret->n++]))
            return false;
    }
    return true;
}

void profile_add(struct profile *p, const struct record *r, const uint64_t *pcs)
{
    struct process *process = processes_get(p->processes, r);
    struct sample sample;

    if (!process || r->n_user > RECORD_USER_MAX || r->n_kernel > RECORD_KERNEL_MAX ||
        r->n_runtime > RECORD_RUNTIME_MAX || !collect(p, process, r, pcs, &sample) ||
        !stacks_add(p->stacks, process->index, sample.cut, sample.places, sample.n)) {
        p->lost++;
        return;
    }
    p->samples++;
}

int64_t profile_samples(const struct profile *p)
{
    return p->samples;
}

/* What the last step needs for each stack. */
struct build {
    const struct profile *profile;
    const struct names *names;
    struct flame *flame;
    struct result_profile *result;
    struct flame_frame *frames; /* the stack at hand */
    size_t n, room;
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

static const char *cut_text(uint32_t stop)
{
    static const char *const texts[RECORD_STOP_COUNT] = {
        [RECORD_STOP_FULL] = "[truncated: too deep]",
        [RECORD_STOP_NO_CODE] = "[truncated: caller in no code]",
        [RECORD_STOP_NO_RULE] = "[truncated: caller unknown]",
        [RECORD_STOP_NO_READ] = "[truncated: stack unreadable]",
    };

    return stop < RECORD_STOP_COUNT && texts[stop] ? texts[stop] : "[truncated]";
}

static void build_stack(void *arg, const struct stack *stack)
{
    struct build *b = arg;
    const struct process *process = processes_at(b->profile->processes, stack->process);
    char title[RECORD_COMM_SIZE + 16];
    uint32_t bottom = stack->cut & BY_POINTERS ? find_bottom(b, stack) : UINT32_MAX;
    uint32_t stop = stack->cut & ~(uint32_t)BY_POINTERS;
    bool whole = bottom != UINT32_MAX, known = false;

    (void)snprintf(title, sizeof(title), "%s (%d)", process->comm, process->pid);
    b->n = 0;
    push(b, title, FLAME_PROCESS);
    if (stop != RECORD_STOP_END && !whole) {
        push(b, cut_text(stop), FLAME_NOTE);
        b->result->truncated += (int64_t)stack->count;
    }
    for (uint32_t i = whole ? bottom : 0; i < stack->n; i++) {
        const struct name_chain *chain = names_at(b->names, stack->places[i]);

        known = chain->names[0].known;
        for (size_t j = 0; j < chain->n; j++) {
            if (!repeats(&chain->names[j], &b->frames[b->n - 1]))
                push(b, chain->names[j].text, chain->names[j].kind);
        }
    }
    if (!known)
        b->result->unknown += (int64_t)stack->count;
    flame_add(b->flame, b->frames, b->n, stack->count);
}

static void list_runtimes(const struct names *names, uint32_t n, const struct python *python,
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
    for (size_t i = 0; used < RESULT_RUNTIMES_MAX && python_version(python, i); i++)
        (void)snprintf(result->runtimes[used++], sizeof(result->runtimes[0]), "%s",
                       python_version(python, i));
}

/* Processes by pid: one that called exec is still one. */
static int64_t count_processes(const struct processes *processes)
{
    int64_t n = 0;

    for (uint32_t i = 0; i < processes_count(processes); i++)
        n += processes_at(processes, i)->generation == 0 && processes_at(processes, i)->is_sampled;
    return n;
}

struct flame *profile_finish(struct profile *p, struct result_profile *result)
{
    uint32_t n = stacks_n_places(p->stacks);

    for (uint32_t i = 0; i < processes_count(p->processes); i++)
        process_open_late_perf_map(processes_at(p->processes, i));

    struct names *names = names_resolve(p->stacks, p->images, p->processes, p->python);
    struct flame *flame = flame_new();
    struct build build = { .profile = p, .names = names, .flame = flame, .result = result };

    result->samples = p->samples;
    result->lost += p->lost;
    result->processes = count_processes(p->processes);
    stacks_each(p->stacks, build_stack, &build);
    list_runtimes(names, n, p->python, result);
    names_free(names);
    free(build.frames);
    return flame;
}
