/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * unwind: the program counters of the interrupted thread's user stack, leaf first.
 *
 * By tables, which user space fills, where the process is known. Else by frame pointers with the
 * kernel's own walker, RECORD_FRAME_POINTERS: code without them ends the stack early or skips the
 * caller of a leaf, unnoticed.
 */
#pragma once

#include "agent/bpf/kernel.bpf.h"
#include "agent/bpf/record.h"
#include "agent/bpf/unwind_table.h"
#include "agent/bpf/user_read.bpf.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

enum { UNWIND_POINTERS_MAX = 127 };
enum { UNWIND_TURNS_MAX = SPENT_MAX / SPENT_TURN };

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1); /* user space sets it */
    __type(key, __u32);
    __type(value, struct unwind_row);
} unwind_rows SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, UNWIND_RULES_MAX);
    __type(key, __u32);
    __type(value, struct unwind_rule);
} unwind_rules SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, UNWIND_MAPPINGS_MAX);
    __type(key, __u32);
    __type(value, struct unwind_mapping);
} unwind_mappings SEC(".maps");

/* By pid. */
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, RECORD_PIDS_MAX);
    __type(key, __u32);
    __type(value, struct unwind_space);
} unwind_spaces SEC(".maps");

struct unwind_walk;

static __always_inline bool unwind_read(const struct unwind_walk *w, __u64 addr, __u64 *ret_value)
{
    (void)w;
    return user_read(ret_value, sizeof(*ret_value), addr);
}

static __always_inline const struct unwind_mapping *unwind_mapping_at(const struct unwind_walk *w,
                                                                      __u32 i)
{
    (void)w;
    return bpf_map_lookup_elem(&unwind_mappings, &i);
}

static __always_inline const struct unwind_row *unwind_row_at(const struct unwind_walk *w, __u32 i)
{
    (void)w;
    return bpf_map_lookup_elem(&unwind_rows, &i);
}

static __always_inline const struct unwind_rule *unwind_rule_at(const struct unwind_walk *w,
                                                                __u32 i)
{
    (void)w;
    return bpf_map_lookup_elem(&unwind_rules, &i);
}

static __always_inline __u32 unwind_read_words(const struct unwind_walk *w, __u64 addr, __u32 n,
                                               __u64 *to);

#include "agent/bpf/unwind_step.h"

static __always_inline __u32 unwind_read_words(const struct unwind_walk *w, __u64 addr, __u32 n,
                                               __u64 *to)
{
    __u64 size = n * sizeof(*to);

    (void)w;
    barrier_var(size);
    return size <= UNWIND_SCAN_BLOCK * sizeof(*to) && user_read(to, (__u32)size, addr) ? n : 0;
}

/* A record under construction, and the walk that fills it. */
struct scratch {
    struct record record;
    __u64 pcs[RECORD_KERNEL_MAX + 1 + RECORD_USER_MAX + 2 * RECORD_RUNTIME_MAX];
    struct unwind_walk walk;
    struct user_regs regs;
    __u64 pc; /* where user space was interrupted; 0: not known */
};
_Static_assert(sizeof(struct scratch) <= 32 * 1024, "a map of each CPU holds it");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct scratch);
} scratches SEC(".maps");

/* Of each user frame of the record, for what looks at the same stack afterwards. */
struct unwind_frames {
    __u64 sps[RECORD_USER_MAX]; /* the stack pointer */
    __u64 fps[RECORD_USER_MAX]; /* the frame pointer, where that led to the caller; else 0 */
};

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct unwind_frames);
} unwind_frames SEC(".maps");

static __always_inline __u32 unwind_by_pointers(void *ctx, struct record *r, __u64 *pcs)
{
    long bytes = bpf_get_stack(ctx, pcs, UNWIND_POINTERS_MAX * sizeof(*pcs), BPF_F_USER_STACK);

    r->flags |= RECORD_FRAME_POINTERS;
    if (bytes <= 0) {
        r->stop = RECORD_STOP_NO_USER;
        return 0;
    }

    __u32 n = (__u32)bytes / sizeof(*pcs) & 127;

    r->stop = n >= UNWIND_POINTERS_MAX ? RECORD_STOP_FULL : RECORD_STOP_END;
    return n;
}

/* NULL: the process is not known, or runs another image by now. */
static __always_inline struct unwind_space *unwind_space_of(__u32 pid, struct process_image image)
{
    struct unwind_space *space = bpf_map_lookup_elem(&unwind_spaces, &pid);

    return space && process_image_binds(&space->image, &image) ? space : NULL;
}

/* A copy of the space that was taken before its mappings got another use holds nothing. */
static __always_inline bool unwind_is_valid(const struct unwind_space *space)
{
    const struct unwind_mapping *first = unwind_mapping_at(NULL, space->first);

    return space->n > 0 && first && first->version == space->version;
}

/* A child has its parent's mappings until it changes them. False: there is no room for it. */
static __always_inline bool unwind_fork(const struct unwind_space *parent, __u32 child_pid,
                                        struct process_image child)
{
    struct unwind_space space = *parent;

    space.image = child;
    space.flags = 0;
    return bpf_map_update_elem(&unwind_spaces, &child_pid, &space, BPF_ANY) == 0;
}

#ifdef __TARGET_ARCH_arm64
#include "agent/bpf/enter_arm64.bpf.h"
#else
#include "agent/bpf/enter_x86.bpf.h"
#endif

/* Is what the tables say of a frame's code known to be in the cache? */
static __always_inline bool unwind_repeats(const struct scratch *s, __u64 at)
{
    for (__u64 i = 1; i <= SPENT_SHORTLY; i++) {
        if (at >= i && s->pcs[at] == s->pcs[at - i])
            return true;
    }
    return false;
}

int hotspot_one(void); /* of hotspot.bpf.h */

/* A step by tables, or of the search that they lead to. A global function beside hotspot_one(), and
 * not around it: Linux 5.10 adds the stacks of functions that call each other up, whatever calls.
 */
__attribute__((noinline)) int unwind_native(void)
{
    __u32 zero = 0;
    struct scratch *s = bpf_map_lookup_elem(&scratches, &zero);

    if (!s)
        return 1;

    __u32 n = s->walk.n;
    __u64 at = (__u64)s->record.n_kernel + n;

    barrier_var(at);
    if (at >= sizeof(s->pcs) / sizeof(s->pcs[0]))
        return 1;
    unwind_step(&s->walk, &s->pcs[at]);
    if (s->walk.n > n && !s->walk.is_in_made && !unwind_repeats(s, at))
        spent_add(SPENT_LOOKUP);
    return 0;
}

/*
 * One step of the walk in this CPU's scratch; 0: go on. A global function: the verifier looks at it
 * once, by itself, and not at each turn of the loop around it. So the loop needs no bpf_loop(),
 * which came with Linux 5.17. The state is in a map: on the stack, the verifier would tell each
 * frame from each other.
 */
__attribute__((noinline)) int unwind_one(void)
{
    __u32 zero = 0;
    struct scratch *s = bpf_map_lookup_elem(&scratches, &zero);
    struct unwind_frames *f = bpf_map_lookup_elem(&unwind_frames, &zero);

    if (!s || !f)
        return 1;

    __u64 n = s->walk.n;
    __u64 fp = s->walk.bp;

    barrier_var(n);
    if (n >= RECORD_USER_MAX)
        return 1;
    if (spent_is_over()) {
        s->walk.stop = RECORD_STOP_COSTLY;
        return 1;
    }
    spent_add(SPENT_TURN);
    f->sps[n] = s->walk.sp;
    if (!s->walk.is_in_made && unwind_native() != 0)
        return 1;
    if (s->walk.is_in_made && hotspot_one() != 0)
        return 1;
    n = s->walk.n - 1; /* a step of a search belongs to the frame before */
    barrier_var(n);
    if (n < RECORD_USER_MAX)
        f->fps[n] = s->walk.by_pointer ? fp : 0;
    return s->walk.stop != UNWIND_CONTINUE;
}

/* Many turns of a loop around a global function; 0: go on. The verifier takes a loop turn by turn,
 * but this function, too, only once: a loop of such calls is as long as both together. */
#define LOOP_TURNS         32
#define LOOPS_FOR(n_turns) (((n_turns) + LOOP_TURNS - 1) / LOOP_TURNS)
#define DEFINE_LOOP(name, step)                                                                    \
    __attribute__((noinline)) int name(void)                                                       \
    {                                                                                              \
        for (int i = 0; i < LOOP_TURNS; i++) {                                                     \
            if (step() != 0)                                                                       \
                return 1;                                                                          \
        }                                                                                          \
        return 0;                                                                                  \
    }

DEFINE_LOOP(unwind_some, unwind_one)

/* Puts the frames behind the kernel's; how many. */
static __always_inline __u32 unwind(struct bpf_perf_event_data *ctx, struct scratch *s)
{
    struct record *r = &s->record;
    const struct unwind_space *space = unwind_space_of(r->pid, r->image);

    s->walk.n = 0;
    s->pc = unwind_enter(ctx, s) ? s->walk.pc : 0;
    if (!space || !unwind_is_valid(space) || !s->pc)
        return unwind_by_pointers(ctx, r, s->pcs + (r->n_kernel & 127));
    s->walk.space = *space;
    s->walk.scan.is_on = s->walk.is_in_made = 0;
    for (int i = 0; i < LOOPS_FOR(UNWIND_TURNS_MAX); i++) {
        if (unwind_some() != 0)
            break;
    }
    r->stop = s->walk.stop == UNWIND_CONTINUE ? RECORD_STOP_FULL : s->walk.stop;
    return s->walk.n;
}

/* User space may know the code by the time it reads the record; but there are stacks that lead to
 * no code at all, in each sample. */
static __always_inline bool unwind_is_for_later(const struct scratch *s)
{
    const struct record *r = &s->record;

    if (s->pc == 0 || r->n_runtime > 0 ||
        (r->stop != RECORD_STOP_NO_CODE && !(r->flags & RECORD_FRAME_POINTERS)))
        return false;

    struct unwind_space *space = unwind_space_of(r->pid, r->image);

    if (!space)
        return true;
    if (space->flags / UNWIND_SPACE_KEPT >= UNWIND_KEPT_MAX)
        return false;
    space->flags += UNWIND_SPACE_KEPT;
    return true;
}

/* Adds to the record what that needs. A global function, as unwind_one() is. */
__attribute__((noinline)) int unwind_keep_stack(void)
{
    __u32 zero = 0;
    struct scratch *s = bpf_map_lookup_elem(&scratches, &zero);

    if (!s)
        return 0;

    __u64 at = (__u64)s->record.n_kernel + s->record.n_user;
    __u64 sp = s->walk.regs[UNWIND_REG_SP], words = 0;

    barrier_var(at);
    if (at > RECORD_KERNEL_MAX + RECORD_USER_MAX)
        return 0;

    struct record_stack *head = (struct record_stack *)&s->pcs[at];

    head->pc = s->pc;
    unwind_number(&s->regs, head->regs);
    for (int i = 0; i < RECORD_STACK_PAGES && sp % sizeof(__u64) == 0; i++) {
        __u64 n = RECORD_PAGE_WORDS - sp / sizeof(__u64) % RECORD_PAGE_WORDS; /* in this page */
        __u64 to = at + RECORD_STACK_HEAD + words;

        barrier_var(to);
        if (to > sizeof(s->pcs) / sizeof(s->pcs[0]) - RECORD_PAGE_WORDS ||
            !user_read(&s->pcs[to], (__u32)(n * sizeof(__u64)), sp))
            break;
        words += n;
        sp += n * sizeof(__u64);
    }
    s->record.n_stack = (__u16)words;
    return 0;
}
