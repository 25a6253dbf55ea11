/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * python_step: from one frame of a Python thread to its caller.
 *
 * The same source runs in the kernel and, for tests, in user space. Who includes it says before how
 * memory is read:
 *
 *   static bool python_read(void *to, __u32 size, __u64 addr);
 *
 * The thread runs while it is looked at, or rather stands still in the middle of an instruction: a
 * frame may be half made. What does not read ends the walk, and what it led to is checked later.
 */
#pragma once

#include "agent/bpf/python_table.h"
#include "agent/bpf/runtime_frame.h"

enum python_stop {
    PYTHON_STOP_END,  /* nobody called the last frame */
    PYTHON_STOP_FULL, /* the caller has no room for more */
    PYTHON_STOP_NO_READ,
    PYTHON_CONTINUE,
};

/*
 * The search for a thread's state: all threads of all interpreters, one a step. A thread has one
 * for each interpreter that it ever ran code of, and runs with one of them.
 */
struct python_search {
    __u64 id; /* the thread's, as pthread_self() gives it */
    __u64 interp, thread;
    __u64 current;      /* of any thread; 0: not known */
    __u64 found, other; /* 0: not yet; other: it has frames too, which called those of found */
    __u8 is_single;     /* there is one interpreter */
    __u8 is_active;     /* found is what the thread runs with, else the best guess */
    __u8 pad[6];
};

struct python_walk {
    struct python_space space;
    struct python_search search;
    __u64 frame;
    __u64 cframe;   /* 3.11: of the C call that runs it */
    __u64 on_stack; /* after the last frame of a C call: an address in that call's native frame */
    __u64 frame_words[PYTHON_FIELDS_MAX / sizeof(__u64)]; /* the frame that was looked at last */
    __u64 code_words[PYTHON_FIELDS_MAX / sizeof(__u64)];  /* and what it runs */
    __u32 stop;                                           /* enum python_stop */
    __u32 pad;
};

/* What is @off bytes from the beginning of an object, in the lower bits. */
static __always_inline __u64 python_field(const __u64 *object, __u16 off)
{
    return object[off / sizeof(__u64) % (PYTHON_FIELDS_MAX / sizeof(__u64))] >>
           off % sizeof(__u64) * 8;
}

static __always_inline bool python_read_u64(__u64 addr, __u64 *ret_value)
{
    return python_read(ret_value, sizeof(*ret_value), addr);
}

/* The frame that a thread runs; 0: none. */
static __always_inline __u64 python_first_frame(const struct python_layout *l, __u64 thread,
                                                __u64 *ret_cframe)
{
    __u64 frame = 0;

    *ret_cframe = 0;
    if (l->cframe_frame == PYTHON_NO_FIELD)
        (void)python_read_u64(thread + l->thread_frame, &frame);
    else if (python_read_u64(thread + l->thread_frame, ret_cframe) && *ret_cframe)
        (void)python_read_u64(*ret_cframe + l->cframe_frame, &frame);
    return frame;
}

static __always_inline bool python_is_active(const struct python_walk *w, __u64 thread)
{
    const struct python_layout *l = &w->space.layout;
    __u8 status = 0;

    if (!l->active_mask)
        return thread == w->search.current;
    return python_read(&status, 1, thread + l->thread_status) && status & l->active_mask;
}

/* It is one of the states that the thread has. New interpreters come first, and are called by old
 * ones more often than they call them. */
static __always_inline void python_note_thread(struct python_walk *w, __u64 thread)
{
    struct python_search *s = &w->search;
    __u64 cframe;

    if (!s->is_single && python_is_active(w, thread)) {
        if (!s->other)
            s->other = s->found;
        s->is_active = true;
        s->found = thread;
    } else if (s->is_single || python_first_frame(&w->space.layout, thread, &cframe)) {
        if (!s->found)
            s->found = thread;
        else if (!s->other)
            s->other = thread;
    }
}

/* False: there is no thread left to look at. */
static __always_inline bool python_search_step(struct python_walk *w)
{
    const struct python_layout *l = &w->space.layout;
    struct python_search *s = &w->search;
    __u64 id = 0;

    if (!s->thread) {
        if (!s->interp || !python_read_u64(s->interp + l->interp_threads, &s->thread) ||
            !python_read_u64(s->interp + l->interp_next, &s->interp))
            return false;
        return true;
    }
    if (!python_read_u64(s->thread + l->thread_id, &id))
        return false;
    if (id == s->id)
        python_note_thread(w, s->thread);
    return !(s->found && (s->is_single || (s->is_active && s->other))) &&
           python_read_u64(s->thread + l->thread_next, &s->thread);
}

/* Sets w->frame to the frame that a thread runs; 0: none. */
static __always_inline void python_begin(struct python_walk *w, __u64 thread)
{
    w->stop = PYTHON_CONTINUE;
    w->on_stack = 0;
    w->frame = python_first_frame(&w->space.layout, thread, &w->cframe);
}

static __always_inline __u32 python_at(const struct python_walk *w, __u64 code)
{
    const struct python_layout *l = &w->space.layout;
    __u64 instr = python_field(w->frame_words, l->frame_instr);

    if (l->instr == PYTHON_INSTR_POINTER)
        instr -= code + l->code_instrs;
    else
        instr = (__u32)(l->instr == PYTHON_INSTR_UNITS ? instr * 2 : instr);
    return instr < RUNTIME_AT_UNKNOWN ? (__u32)instr : RUNTIME_AT_UNKNOWN;
}

/* The frame is the last one that a C call runs. Up to 3.10 nothing of it is on the C stack. */
static __always_inline void python_end_call(struct python_walk *w, __u64 frame)
{
    const struct python_layout *l = &w->space.layout;

    if (l->entry == PYTHON_ENTRY_OWNER) {
        w->on_stack = frame;
    } else if (l->entry == PYTHON_ENTRY_FLAG) {
        w->on_stack = w->cframe;
        if (!w->cframe || !python_read_u64(w->cframe + l->cframe_back, &w->cframe))
            w->cframe = 0;
    }
}

static __always_inline bool python_is_entry(const struct python_layout *l, __u8 value)
{
    if (l->entry == PYTHON_ENTRY_EACH)
        return true;
    return l->entry == PYTHON_ENTRY_FLAG ? value != 0 : value >= l->owner_min;
}

/* Notes the frame in *ret and goes to its caller, or sets w->stop; false: nothing was noted,
 * which ends it unless it says to continue. */
static __always_inline bool python_step(struct python_walk *w, struct runtime_frame *ret)
{
    const struct python_layout *l = &w->space.layout;
    __u64 frame = w->frame, names[PYTHON_NAMES_MAX];

    if (!frame) {
        w->stop = PYTHON_STOP_END;
        if (w->search.other) {
            python_begin(w, w->search.other);
            w->search.other = 0;
        }
        return false;
    }
    w->stop = PYTHON_STOP_NO_READ;
    if (!python_read(w->frame_words, l->frame_size, frame))
        return false;
    w->frame = python_field(w->frame_words, l->frame_back);

    bool is_entry = python_is_entry(l, (__u8)python_field(w->frame_words, l->frame_entry));
    __u64 code = python_field(w->frame_words, l->frame_code) & ~(__u64)l->tag_mask;

    if (l->entry == PYTHON_ENTRY_OWNER && is_entry) {
        *ret = (struct runtime_frame){ .at = RUNTIME_AT_ENTRY };
    } else {
        if (!python_read(w->code_words, l->code_size, code))
            return false;
        for (__u16 i = 0; i < PYTHON_NAMES_MAX; i++)
            names[i] = python_field(w->code_words, (__u16)(l->code_names + i * sizeof(*names)));
        ret->object = code;
        ret->at = python_at(w, code) | (is_entry ? RUNTIME_AT_ENTRY : 0);
        ret->check =
            python_check(names, l->n_names, (__u32)python_field(w->code_words, l->code_first_line));
    }
    if (is_entry)
        python_end_call(w, frame);
    w->stop = PYTHON_CONTINUE;
    return true;
}
