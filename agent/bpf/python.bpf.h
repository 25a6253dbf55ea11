/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * python: the frames of Python functions that the interrupted thread runs, leaf first.
 *
 * User space says in which processes CPython runs, and where it keeps what. The state of a thread
 * is found in the interpreters' lists by the thread's id, which is its thread pointer, and
 * remembered. Where a thread runs code of several interpreters, the frames of two are shown, the
 * callers' below the called.
 */
#pragma once

#include "agent/bpf/kernel.bpf.h"
#include "agent/bpf/python_table.h"
#include "agent/bpf/record.h"
#include "agent/bpf/unwind.bpf.h"
#include "agent/bpf/user_read.bpf.h"

#include <bpf/bpf_helpers.h>

static __always_inline bool python_read(void *to, __u32 size, __u64 addr)
{
    return user_read(to, size, addr);
}

#include "agent/bpf/python_step.h"

enum { PYTHON_SEARCH_MAX = SPENT_MAX / SPENT_READ, PYTHON_THREADS_MAX = 16384 };

/* By pid. */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, RECORD_PIDS_MAX);
    __type(key, __u32);
    __type(value, struct python_space);
} python_spaces SEC(".maps");

struct python_thread {
    __u64 id;
    struct process_image image;
};

/* Where the state of a thread is, and the only interpreter: another one would be the first. */
struct python_known {
    __u64 state, interp;
};

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, PYTHON_THREADS_MAX);
    __type(key, struct python_thread);
    __type(value, struct python_known);
} python_threads SEC(".maps");

struct python_state {
    struct python_walk walk;
    __u64 entry;  /* of the record's words: the last frame of a C call, to be told which */
    __u64 native; /* frames that lie below what was looked for on the C stack so far */
};

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct python_state);
} python_states SEC(".maps");

static __always_inline struct python_state *python_state(void)
{
    __u32 zero = 0;

    return bpf_map_lookup_elem(&python_states, &zero);
}

/* One step of the search, and of the walk below; 0: go on. Global functions, as unwind_one() is. */
__attribute__((noinline)) int python_search_one(void)
{
    struct python_state *p = python_state();

    return !p || spent_is_over() || !python_search_step(&p->walk);
}

/*
 * Which native frame holds an address of the C stack, a step nearer. Frames lie one above the other
 * and so do the addresses that are asked for, one after the other; where that is not so (an
 * alternate signal stack), the answer is another frame, and the order of frames a little off.
 * Behind the last frame of a stack that is cut, it is not known.
 */
static __always_inline void python_find_native(struct python_state *p, struct scratch *s)
{
    __u32 zero = 0;
    const struct unwind_frames *f = bpf_map_lookup_elem(&unwind_frames, &zero);
    __u64 at = p->entry;
    __u64 native = p->native;

    barrier_var(at);
    barrier_var(native);
    if (f && native < s->walk.n && native < RECORD_USER_MAX && f->sps[native] <= p->walk.on_stack) {
        p->native++;
        return;
    }
    p->walk.on_stack = 0;
    if (native == s->walk.n && s->walk.stop != RECORD_STOP_END)
        return;
    if (at < sizeof(s->pcs) / sizeof(s->pcs[0]))
        s->pcs[at] |= native << RUNTIME_AT_NATIVE_SHIFT;
}

/* Puts one frame behind those that the record has. */
static __always_inline int python_put_one(struct python_state *p, struct scratch *s)
{
    struct runtime_frame frame = { 0 };

    if (s->record.n_runtime >= RECORD_RUNTIME_MAX) {
        p->walk.stop = PYTHON_STOP_FULL;
        return 1;
    }
    if (!python_step(&p->walk, &frame))
        return p->walk.stop != PYTHON_CONTINUE;

    __u64 at = (__u64)s->record.n_kernel + s->record.n_user + 2 * (__u64)s->record.n_runtime;

    barrier_var(at);
    if (at >= sizeof(s->pcs) / sizeof(s->pcs[0]) - 1)
        return 1;
    s->pcs[at] = frame.object;
    s->pcs[at + 1] = (__u64)frame.check << 32 | frame.at;
    s->record.n_runtime++;
    p->entry = at + 1;
    return 0;
}

__attribute__((noinline)) int python_one(void)
{
    __u32 zero = 0;
    struct python_state *p = python_state();
    struct scratch *s = bpf_map_lookup_elem(&scratches, &zero);

    if (!p || !s || spent_is_over())
        return 1;
    if (!p->walk.on_stack)
        return python_put_one(p, s);
    python_find_native(p, s);
    return 0;
}

DEFINE_LOOP(python_search_some, python_search_one)
DEFINE_LOOP(python_some, python_one)

/* Fills the walk's search; what it finds in a process of one interpreter is remembered. A global
 * function, so that what it keeps on the stack is not added to that of the other walks. */
__attribute__((noinline)) int python_find_thread(void)
{
    __u32 zero = 0;
    struct python_state *p = python_state();
    const struct scratch *scratch = bpf_map_lookup_elem(&scratches, &zero);

    if (!p || !scratch)
        return 0;

    struct python_walk *w = &p->walk;
    struct python_thread key = { .id = scratch->record.thread, .image = scratch->record.image };
    const struct python_known *known = bpf_map_lookup_elem(&python_threads, &key);
    const struct python_layout *l = &w->space.layout;
    struct python_search *s = &w->search;
    struct python_known found = { 0 };
    __u64 next = 0, thread_id = 0, cframe;

    *s = (struct python_search){ .id = key.id };
    if (!python_read_u64(w->space.interpreters, &found.interp) || !found.interp)
        return 0;
    if (known && known->interp == found.interp &&
        python_read_u64(known->state + l->thread_id, &thread_id) && thread_id == key.id &&
        python_first_frame(l, known->state, &cframe)) { /* and is none that was freed */
        s->found = known->state;
        return 1;
    }
    s->interp = found.interp;
    s->is_single = python_read_u64(found.interp + l->interp_next, &next) && next == 0;
    if (w->space.current)
        (void)python_read_u64(w->space.current, &s->current);
    for (int i = 0; i < LOOPS_FOR(PYTHON_SEARCH_MAX); i++) {
        if (python_search_some() != 0)
            break;
    }
    found.state = s->found;
    if (found.state && s->is_single)
        (void)bpf_map_update_elem(&python_threads, &key, &found, BPF_ANY);
    return s->found != 0;
}

/* Puts the thread's Python frames behind the native ones. A global function for its stack's sake:
 * see unwind_native(). */
__attribute__((noinline)) int python_walk(void)
{
    __u32 zero = 0;
    struct scratch *s = bpf_map_lookup_elem(&scratches, &zero);
    struct python_state *p = python_state();

    if (!s || !p)
        return 0;

    __u32 pid = s->record.pid;
    struct python_space *space = bpf_map_lookup_elem(&python_spaces, &pid);

    if (!space || !process_image_binds(&space->image, &s->record.image))
        return 0;
    p->native = 0;
    p->walk.space = *space;

    if (!python_find_thread()) {
        if (spent_is_over())
            s->record.flags |= RECORD_RUNTIME_COSTLY;
        return 0;
    }
    python_begin(&p->walk, p->walk.search.found);
    for (int i = 0; i < LOOPS_FOR(RECORD_RUNTIME_MAX + RECORD_USER_MAX); i++) {
        if (python_some() != 0)
            break;
    }
    if (p->walk.stop == PYTHON_CONTINUE && spent_is_over())
        s->record.flags |= RECORD_RUNTIME_COSTLY;
    else if (p->walk.stop == PYTHON_STOP_NO_READ)
        s->record.flags |= RECORD_RUNTIME_NO_READ;
    else if (p->walk.stop != PYTHON_STOP_END)
        s->record.flags |= RECORD_RUNTIME_FULL;
    return 0;
}

/* A child runs what its parent ran, until user space sees it. */
static __always_inline void python_fork(__u32 parent_pid, __u32 child_pid,
                                        struct process_image child)
{
    const struct python_space *parent = bpf_map_lookup_elem(&python_spaces, &parent_pid);

    if (!parent)
        return;

    struct python_space space = *parent;

    space.image = child;
    (void)bpf_map_update_elem(&python_spaces, &child_pid, &space, BPF_ANY);
}
