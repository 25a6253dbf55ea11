/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * v8: the JavaScript functions that the native frames of the interrupted thread run, leaf first.
 *
 * All code that V8 makes keeps frame pointers, and so do its built-in functions, for which no table
 * says anything: the frames that were left by their frame pointer are looked at, one by one.
 */
#pragma once

#include "agent/bpf/kernel.bpf.h"
#include "agent/bpf/record.h"
#include "agent/bpf/unwind.bpf.h"
#include "agent/bpf/user_read.bpf.h"
#include "agent/bpf/v8_table.h"

#include <bpf/bpf_helpers.h>

static __always_inline bool v8_read(void *to, __u32 size, __u64 addr)
{
    return user_read(to, size, addr);
}

#include "agent/bpf/v8_step.h"

/* By pid. */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, RECORD_PIDS_MAX);
    __type(key, __u32);
    __type(value, struct v8_space);
} v8_spaces SEC(".maps");

enum { V8_BUILTIN_WORDS = 4 }; /* that it may have pushed, and the address */

struct v8_state {
    struct v8_layout layout;
    struct v8_seen seen;
    __u64 native; /* frames that were looked at */
    bool is_on;   /* the process runs V8 */
};

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct v8_state);
} v8_states SEC(".maps");

static __always_inline struct v8_state *v8_state(void)
{
    __u32 zero = 0;

    return bpf_map_lookup_elem(&v8_states, &zero);
}

/* src/codegen/x64/register-x64.h: what the interpreter's registers are. */
static __always_inline struct v8_registers v8_registers_of(const struct scratch *s)
{
#ifdef __TARGET_ARCH_x86
    return (struct v8_registers){ .bytecode = s->regs.r12, .offset = s->regs.r9 };
#else
    (void)s;
    return (struct v8_registers){ 0 };
#endif
}

/* Is there code that was made at run time? A global function, so that the verifier looks at the
 * search once. */
__attribute__((noinline)) int v8_is_made(__u64 addr)
{
    __u32 zero = 0;
    const struct scratch *s = bpf_map_lookup_elem(&scratches, &zero);
    const struct unwind_mapping *m = s ? unwind_find_mapping(&s->walk, addr) : NULL;

    return m && m->flags == 0;
}

/* A built-in function without a frame runs in that of the code that called it: where that is lies
 * near the top of the stack, and takes its place. */
static __always_inline void v8_leave_builtin(struct scratch *s, __u64 sp)
{
    __u64 words[V8_BUILTIN_WORDS], at = s->record.n_kernel;

    barrier_var(at);
    if (at > RECORD_KERNEL_MAX || v8_is_made(s->pcs[at]) || !v8_read(words, sizeof(words), sp))
        return;
    for (int i = 0; i < V8_BUILTIN_WORDS; i++) {
        if (v8_is_made(words[i] - 1)) {
            s->pcs[at] = words[i] - 1;
            return;
        }
    }
}

/* Looks at one native frame; 0: go on. A global function, as unwind_one() is. */
__attribute__((noinline)) int v8_one(void)
{
    __u32 zero = 0;
    struct v8_state *v = v8_state();
    struct scratch *s = bpf_map_lookup_elem(&scratches, &zero);
    const struct unwind_frames *f = bpf_map_lookup_elem(&unwind_frames, &zero);
    struct runtime_frame frame = { 0 };
    struct v8_registers regs = { 0 };

    if (!v || !s || !f)
        return 1;

    __u64 native = v->native;

    barrier_var(native);
    if (native >= s->walk.n || native >= RECORD_USER_MAX)
        return 1;
    if (spent_is_over()) {
        s->record.flags |= RECORD_RUNTIME_COSTLY;
        return 1;
    }
    v->native = native + 1;
    if (native == 0)
        regs = v8_registers_of(s);
    if (!f->fps[native] || !v8_step(&v->layout, f->fps[native], &regs, &v->seen, &frame))
        return 0;
    if (s->record.n_runtime >= RECORD_RUNTIME_MAX) {
        s->record.flags |= RECORD_RUNTIME_FULL;
        return 1;
    }

    __u64 at = (__u64)s->record.n_kernel + s->record.n_user + 2 * (__u64)s->record.n_runtime;

    barrier_var(at);
    if (at >= sizeof(s->pcs) / sizeof(s->pcs[0]) - 1)
        return 1;
    s->pcs[at] = frame.object;
    s->pcs[at + 1] = (__u64)frame.check << 32 | frame.at | (native + 1) << RUNTIME_AT_NATIVE_SHIFT;
    s->record.n_runtime++;
    if (native == 0 && (frame.at & RUNTIME_AT_UNKNOWN) == RUNTIME_AT_UNKNOWN)
        v8_leave_builtin(s, f->sps[0]);
    return 0;
}

DEFINE_LOOP(v8_some, v8_one)

/* Before the native walk: what calls V8's code has a frame pointer, too. */
static __always_inline void v8_begin(struct scratch *s)
{
    __u32 pid = s->record.pid;
    struct v8_space *space = bpf_map_lookup_elem(&v8_spaces, &pid);
    struct v8_state *v = v8_state();

    s->walk.keeps_pointers = 0;
    if (!v)
        return;
    v->is_on = space && process_image_binds(&space->image, &s->record.image);
    if (!v->is_on || !space)
        return;
    v->layout = space->layout;
    v->seen = (struct v8_seen){ 0 };
    v->native = 0;
    s->walk.keeps_pointers = 1;
}

/* Puts the thread's JavaScript functions behind the native frames. */
static __always_inline void v8_walk(void)
{
    const struct v8_state *v = v8_state();

    if (!v || !v->is_on)
        return;
    for (int i = 0; i < LOOPS_FOR(RECORD_USER_MAX); i++) {
        if (v8_some() != 0)
            break;
    }
}

/* A child runs what its parent ran, until user space sees it. */
static __always_inline void v8_fork(__u32 parent_pid, __u32 child_pid, struct process_image child)
{
    const struct v8_space *parent = bpf_map_lookup_elem(&v8_spaces, &parent_pid);

    if (!parent)
        return;

    struct v8_space space = *parent;

    space.image = child;
    (void)bpf_map_update_elem(&v8_spaces, &child_pid, &space, BPF_ANY);
}
