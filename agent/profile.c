/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/profile.h"

#include "agent/graph.h"
#include "agent/images.h"
#include "agent/late_stacks.h"
#include "agent/process.h"
#include "agent/runtimes/interleave.h"
#include "agent/runtimes/runtimes.h"
#include "agent/stacks.h"
#include "agent/symbols/names.h"
#include "lib/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    CALLS_MAX = 4 * RECORD_RUNTIME_MAX, /* functions that the frames of languages run */
    FRAMES_MAX = RECORD_USER_MAX + CALLS_MAX + RECORD_KERNEL_MAX,
};
static_assert((int)FRAMES_MAX <= (int)STACKS_DEPTH_MAX, "every stack has room");

struct profile {
    struct images *images;
    struct unwind_tables *tables;
    struct runtimes *runtimes;
    struct processes *processes;
    struct stacks *stacks;
    int64_t samples, first_ns;
    int64_t lost_processes, lost_room; /* samples */
    int64_t by_pointers, unmapped;     /* samples */
};

struct profile *profile_new(void)
{
    struct profile *p = mem_zalloc(sizeof(*p));

    p->images = images_new();
    p->tables = unwind_tables_new(p->images);
    p->runtimes = runtimes_new(p->images);
    p->processes = processes_new(p->images, p->tables, p->runtimes);
    p->stacks = stacks_new();
    return p;
}

void profile_free(struct profile *p)
{
    if (!p)
        return;
    stacks_free(p->stacks);
    processes_free(p->processes);
    runtimes_free(p->runtimes);
    unwind_tables_free(p->tables);
    images_free(p->images);
    free(p);
}

void profile_expect(struct profile *p, const pid_t *pids, size_t n, uint64_t now_ns)
{
    processes_expect(p->processes, pids, n, now_ns);
}

struct unwind_tables *profile_tables(struct profile *p)
{
    return p->tables;
}

struct runtimes *profile_runtimes(struct profile *p)
{
    return p->runtimes;
}

/* One stack, root first. */
struct sample {
    struct stack_root root;
    uint32_t places[FRAMES_MAX];
    uint32_t n;
};

/* @unknown: what else it is. */
static struct place made_place(const struct profile *p, struct running *running,
                               struct place unknown)
{
    enum runtime_id made_by = runtimes_jit(p->runtimes, running_image(running));

    return made_by == RUNTIME_COUNT ? unknown : (struct place){ PLACE_MADE, made_by, 0 };
}

static struct place user_place(struct profile *p, struct running *running, uint64_t addr,
                               uint64_t now_ns)
{
    const struct code *code = processes_find(p->processes, running, addr, now_ns);
    struct process *process = running_shown(running);

    if (!code)
        return (struct place){ PLACE_UNKNOWN, process->index, addr };
    if (code->image != IMAGE_NONE)
        return (struct place){ PLACE_IMAGE, code->image, addr - code->start + code->off };
    shown_open_perf_map(process, now_ns);

    struct place jit = { PLACE_JIT, process->index, addr };

    return process->perf_map_fd >= 0 ? jit : made_place(p, running, jit);
}

/* The native frames of a stack, leaf first. */
struct natives {
    const uint64_t *made;    /* where they are in code made at run time; 0: in other code */
    const uint32_t *numbers; /* of their places */
    bool *is_loop;
    uint32_t n;
};

static uint32_t native_of(const struct runtime_frame *frame)
{
    return frame->at >> RUNTIME_AT_NATIVE_SHIFT & RUNTIME_AT_NATIVE_MASK;
}

static struct runtime_frame frame_at(const uint64_t *words, size_t i)
{
    return (struct runtime_frame){ words[2 * i], (uint32_t)words[2 * i + 1],
                                   (uint32_t)(words[2 * i + 1] >> 32) };
}

/* Where the kernel side says which native frames run a language's, no look at symbols is needed. */
static bool mark_loops(const struct runtime_frame *frames, size_t n, struct natives *natives)
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

/* The functions that the frames of languages run, leaf first. */
struct calls {
    uint32_t numbers[CALLS_MAX]; /* of their places */
    bool ends_group[CALLS_MAX], is_shown[CALLS_MAX];
    size_t n;
    bool is_cut; /* there are more */
};

/* False: there is no room for another place. */
static bool add_call(struct profile *p, const struct runtimes_call *call, struct calls *calls)
{
    struct place place = { PLACE_RUNTIME, call->function,
                           call->line | (uint64_t)call->way << PLACE_RUNTIME_WAY_SHIFT };

    calls->is_shown[calls->n] = true;
    calls->ends_group[calls->n] = false;
    return stacks_place(p->stacks, place, &calls->numbers[calls->n++]);
}

/* Adds what a frame runs; what ends its group is the last of it. */
static bool add_frame(struct profile *p, const struct running *running,
                      const struct runtime_frame *frame, const struct natives *natives,
                      struct calls *calls)
{
    uint32_t native = native_of(frame);
    uint64_t pc = native > 0 && native <= natives->n ? natives->made[native - 1] : 0;
    struct runtimes_call found[RUNTIME_CALLS_MAX];
    size_t n = 0, room = CALLS_MAX - calls->n;

    if (room > 0 && runtime_frame_object(frame) != 0)
        n = runtimes_place(p->runtimes, running_image(running), frame, pc, found);
    calls->is_cut |= room == 0 || n > room;
    if (room == 0)
        return true;
    for (size_t i = n > room ? n - room : 0; i < n; i++) {
        if (!add_call(p, &found[i], calls))
            return false;
    }
    if (n == 0)
        calls->is_shown[calls->n++] = false;
    calls->ends_group[calls->n - 1] = frame->at & RUNTIME_AT_ENTRY;
    return true;
}

/* Puts native frames and those of interpreted languages into @ret in their order. @words: the
 * record's, two for each frame of a language. */
static bool merge(struct profile *p, const struct running *running, const uint64_t *words, size_t n,
                  struct natives *natives, struct sample *ret)
{
    struct runtime_frame frames[RECORD_RUNTIME_MAX];
    struct interleaved order[RECORD_USER_MAX + CALLS_MAX];
    struct calls calls = { .n = 0 };

    runtimes_begin_stack(p->runtimes);
    for (size_t i = 0; i < n; i++) {
        frames[i] = frame_at(words, i);
        if (!add_frame(p, running, &frames[i], natives, &calls))
            return false;
    }

    if (calls.is_cut && (ret->root.cut & ~GRAPH_BY_POINTERS) == RECORD_STOP_END)
        ret->root.cut |= RECORD_STOP_FULL;

    bool is_exact = mark_loops(frames, n, natives);
    struct interleave_input in = { .n_native = natives->n,
                                   .is_loop = natives->is_loop,
                                   .from_root = !is_exact && ret->root.cut == RECORD_STOP_END,
                                   .n_frames = calls.n,
                                   .ends_group = calls.ends_group,
                                   .is_shown = calls.is_shown };

    for (size_t i = interleave(&in, order); i > 0; i--)
        ret->places[ret->n++] =
            (order[i - 1].is_native ? natives->numbers : calls.numbers)[order[i - 1].index];
    return true;
}

/* Native frames of which the kernel side says that they run those of a language. */
static void find_run(const uint64_t *words, size_t n, bool is_run[RECORD_USER_MAX + 1])
{
    memset(is_run, 0, (RECORD_USER_MAX + 1) * sizeof(*is_run));
    for (size_t i = 0; i < n; i++) {
        struct runtime_frame frame = frame_at(words, i);

        if (native_of(&frame) <= RECORD_USER_MAX)
            is_run[native_of(&frame)] = true; /* they count from 1 on */
    }
}

/* A library may have come to where another one was: seen at the interrupted code, and at one of its
 * callers by chance. */
static void check_files(struct profile *p, struct running *running, const struct record *r,
                        const uint64_t *pcs)
{
    if (r->n_user == 0)
        return;
    processes_check(p->processes, running, pcs[0], r->time_ns);
    processes_check(p->processes, running, pcs[r->time_ns % r->n_user], r->time_ns);
}

/* Why the stack has no more frames. */
static uint32_t cut_of(const struct record *r)
{
    if (r->stop != RECORD_STOP_END && r->stop != RECORD_STOP_NO_USER)
        return r->stop;
    if (r->flags & RECORD_RUNTIME_FULL)
        return RECORD_STOP_FULL;
    if (r->flags & RECORD_RUNTIME_COSTLY)
        return RECORD_STOP_COSTLY;
    return r->flags & RECORD_RUNTIME_NO_READ ? RECORD_STOP_NO_READ : RECORD_STOP_END;
}

/*
 * All addresses but the interrupted one are return addresses: behind the call, which may be the
 * last instruction of its function. One less is inside the call.
 *
 * Where code keeps no frame pointer, the chain leads to arbitrary values: a caller that lies in no
 * code ends the stack, which is then marked as cut. (With no mapping known all frames stay.)
 */
static bool collect(struct profile *p, struct running *running, const struct record *r,
                    const uint64_t *pcs, struct sample *ret)
{
    uint32_t by_pointers = r->flags & RECORD_FRAME_POINTERS ? GRAPH_BY_POINTERS : 0;
    uint32_t numbers[RECORD_USER_MAX];
    uint64_t made[RECORD_USER_MAX];
    bool is_loop[RECORD_USER_MAX], is_run[RECORD_USER_MAX + 1];
    const uint64_t *words = pcs + r->n_kernel + r->n_user;
    uint32_t n = 0;

    find_run(words, r->n_runtime, is_run);
    check_files(p, running, r, pcs + r->n_kernel);
    ret->n = 0;
    ret->root.cut = cut_of(r) | by_pointers;
    for (; n < r->n_user; n++) {
        uint64_t pc = pcs[r->n_kernel + n] - (n > 0);
        struct place place = user_place(p, running, pc, r->time_ns);

        if (place.space == PLACE_UNKNOWN && is_run[n + 1])
            place = made_place(p, running, place);
        if (place.space == PLACE_UNKNOWN && n > 0 && running_layout(running)) {
            ret->root.cut = by_pointers | RECORD_STOP_NO_CODE;
            break;
        }
        p->unmapped += place.space == PLACE_UNKNOWN && n == 0;
        if (!stacks_place(p->stacks, place, &numbers[n]))
            return false;
        made[n] = place.space == PLACE_IMAGE ? 0 : pc;
        is_loop[n] =
            place.space == PLACE_IMAGE && runtimes_is_loop(p->runtimes, place.owner, place.addr);
    }
    if (!merge(p, running, words, r->n_runtime, &(struct natives){ made, numbers, is_loop, n },
               ret))
        return false;
    for (uint32_t i = r->n_kernel; i > 0; i--) {
        struct place place = { PLACE_KERNEL, 0, pcs[i - 1] - (i > 1) };

        if (!stacks_place(p->stacks, place, &ret->places[ret->n++]))
            return false;
    }
    return true;
}

/* What its language calls it, where the kernel has no name for it or the beginning of that one. */
static const char *own_name(struct profile *p, const struct running *running,
                            const struct record *r, bool is_named)
{
    bool is_cut = strnlen(r->thread_comm, RECORD_COMM_SIZE) == RECORD_COMM_SIZE - 1;
    const char *name;

    if (r->tid == r->pid || (is_named && !is_cut))
        return NULL;
    name = runtimes_thread_name(p->runtimes, running_image(running), (pid_t)r->tid, r->thread);
    return name && is_named && strncmp(name, r->thread_comm, RECORD_COMM_SIZE - 1) != 0 ? NULL
                                                                                        : name;
}

/* A thread that never got a name has that of its process. */
static uint32_t thread_of(struct profile *p, const struct running *running, const struct record *r)
{
    bool is_named = strncmp(r->comm, r->thread_comm, RECORD_COMM_SIZE) != 0;
    const char *name = own_name(p, running, r, is_named);

    if (!name && !is_named)
        return STACKS_THREAD_MAIN;
    return stacks_thread(p->stacks, name ? name : r->thread_comm);
}

/* A record whose stack is the one that was walked late, behind it. */
struct late_record {
    struct record record;
    uint64_t pcs[RECORD_KERNEL_MAX + RECORD_USER_MAX];
};

static bool walk_late(struct profile *p, struct running *running, const struct record *r,
                      const uint64_t *pcs, struct late_record *ret)
{
    struct late_stack late;

    if (r->n_stack == 0 ||
        !late_stacks_walk(p->processes, running, p->images, p->tables, r, pcs, &late))
        return false;
    ret->record = *r;
    ret->record.n_user = (uint16_t)late.n;
    ret->record.n_runtime = ret->record.n_stack = 0;
    ret->record.stop = late.stop;
    ret->record.flags &= (uint8_t)~RECORD_FRAME_POINTERS;
    memcpy(ret->pcs, pcs, r->n_kernel * sizeof(*pcs));
    memcpy(ret->pcs + r->n_kernel, late.pcs, late.n * sizeof(*pcs));
    return true;
}

static void add_sample(struct profile *p, const struct record *r, const uint64_t *pcs)
{
    struct running *running = processes_sampled(p->processes, r);
    struct late_record late;
    struct sample sample;

    if (!running) {
        p->lost_processes++;
        return;
    }
    if (walk_late(p, running, r, pcs, &late)) {
        r = &late.record;
        pcs = late.pcs;
    }
    sample.root.process = running_shown(running)->index;
    sample.root.thread = thread_of(p, running, r);
    p->by_pointers += r->flags & RECORD_FRAME_POINTERS && r->n_user > 0;
    if (!collect(p, running, r, pcs, &sample) ||
        !stacks_add(p->stacks, sample.root, sample.places, sample.n)) {
        sample.root = (struct stack_root){ sample.root.process, STACKS_THREAD_MAIN, GRAPH_NO_ROOM };
        p->lost_room += !stacks_add(p->stacks, sample.root, NULL, 0); /* one a process */
    }
    if (p->samples++ == 0)
        p->first_ns = (int64_t)r->time_ns;
}

void profile_add(struct profile *p, const struct record *r, const uint64_t *pcs)
{
    if (r->kind != RECORD_SAMPLE)
        processes_tell(p->processes, r);
    else if (r->n_user > RECORD_USER_MAX || r->n_kernel > RECORD_KERNEL_MAX ||
             r->n_runtime > RECORD_RUNTIME_MAX)
        p->lost_room++;
    else
        add_sample(p, r, pcs);
}

uint64_t profile_work(struct profile *p, uint64_t now_ns)
{
    uint64_t next_ns = processes_work(p->processes, now_ns);
    uint64_t retry_ns = runtimes_work(p->runtimes, now_ns);

    return next_ns < retry_ns ? next_ns : retry_ns;
}

bool profile_may_hurry(struct profile *p, uint64_t now_ns)
{
    return processes_may_hurry(p->processes, now_ns);
}

int64_t profile_samples(const struct profile *p)
{
    return p->samples;
}

int64_t profile_first_sample_ns(const struct profile *p)
{
    return p->first_ns;
}

static void take_notes(const struct profile *p, struct result_profile *result)
{
    struct processes_counts processes = processes_counts(p->processes);
    struct unwind_left_out tables = unwind_tables_left_out(p->tables);
    int64_t *notes = result->notes;

    result->samples = p->samples;
    result->lost += p->lost_processes + p->lost_room;
    result->processes = processes.sampled;
    notes[RESULT_NOTE_LOST_PROCESSES] = p->lost_processes;
    notes[RESULT_NOTE_LOST_ROOM] = p->lost_room;
    notes[RESULT_NOTE_FRAME_POINTERS] = p->by_pointers;
    notes[RESULT_NOTE_UNMAPPED] = p->unmapped;
    notes[RESULT_NOTE_MERGED] = processes.merged;
    notes[RESULT_NOTE_MAPS_CUT] = processes.maps_cut;
    notes[RESULT_NOTE_PUT_OFF] = processes.reads_put_off;
    notes[RESULT_NOTE_FUNCTIONS_PUT_OFF] = runtimes_put_off(p->runtimes);
    notes[RESULT_NOTE_TABLES_FULL] = processes.layouts_left_out + tables.images + tables.processes;
    notes[RESULT_NOTE_IMAGES_UNREADABLE] = images_unreadable(p->images);
    notes[RESULT_NOTE_IMAGES_LEFT_OUT] = images_left_out(p->images);
}

struct flame *profile_finish(struct profile *p, struct result_profile *result)
{
    for (uint32_t i = 0; i < processes_count(p->processes); i++)
        shown_open_late_perf_map(processes_at(p->processes, i));
    take_notes(p, result);

    struct names *names = names_resolve(p->stacks, p->images, p->processes, p->runtimes);
    struct names_losses losses = names_losses(names);

    result->notes[RESULT_NOTE_NAMES_MANGLED] = (int64_t)losses.mangled;
    result->notes[RESULT_NOTE_INLINES_CUT] = (int64_t)losses.inlines_cut;
    result->notes[RESULT_NOTE_NAMES_LEFT_OUT] = (int64_t)losses.left_out;
    result->notes[RESULT_NOTE_DEBUG_REFUSED] = (int64_t)losses.debug_refused;

    struct flame *flame = graph_build(p->stacks, p->processes, names, p->runtimes, result);

    names_free(names);
    stacks_free(p->stacks); /* the page needs the room */
    p->stacks = NULL;
    return flame;
}
