/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stacks: the samples of a run, counted by equal stacks. Pure.
 *
 * A frame is a place: an address within a space (the kernel, an image, a process) that keeps its
 * meaning when the process changes its mappings or exits. Each place is held once and named once,
 * at the end. Stacks are kept as a tree, whose memory grows with what is new in each. It is
 * bounded; samples past a bound are refused, for the caller to count.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    STACKS_NODES_MAX = 3 << 16, /* of the tree */
    STACKS_ROOTS_MAX = 1 << 16,
    STACKS_SPARE = 8192, /* of both, for stacks that have neither a thread nor frames */
    STACKS_PLACES_MAX = 1 << 18,
    STACKS_DEPTH_MAX = 8192,
    STACKS_THREADS_MAX = 4096, /* names of threads */
};

enum place_space {
    PLACE_KERNEL,  /* owner 0; addr: a kernel address */
    PLACE_IMAGE,   /* owner: an index into images; addr: an offset into the file */
    PLACE_RUNTIME, /* owner: a function, by runtimes' number; addr: its line, and how it runs */
    PLACE_MADE,    /* owner: an enum runtime_id, which made code of no known function; addr 0 */
    PLACE_JIT,     /* owner: an index into processes; addr: a runtime address */
    PLACE_UNKNOWN, /* the same, where no mapping is known */
};

/* Of a PLACE_RUNTIME's addr, an enum runtime_way from this bit on. */
enum { PLACE_RUNTIME_WAY_SHIFT = 32 };

struct place {
    uint32_t space; /* enum place_space */
    uint32_t owner;
    uint64_t addr;
};

/* What a stack stands on. */
struct stack_root {
    uint32_t process; /* index */
    uint32_t thread;  /* as stacks_thread numbers it */
    uint32_t cut;     /* the caller's: why the stack stops before its root */
};

struct stack {
    struct stack_root root;
    uint64_t count;
    uint32_t n;
    const uint32_t *places; /* root first */
};

struct stacks;
struct stacks *stacks_new(void);
void stacks_free(struct stacks *stacks); /* NULL is fine */

/* The number of a place, the same for equal places; false past STACKS_PLACES_MAX. */
bool stacks_place(struct stacks *stacks, struct place place, uint32_t *ret_number);

/* Threads of one name are one: there may be many, and short-lived. */
enum { STACKS_THREAD_MAIN, STACKS_THREAD_OTHER }; /* like its process; past STACKS_THREADS_MAX */

/* The number of a name, at least 2, or STACKS_THREAD_OTHER. */
uint32_t stacks_thread(struct stacks *stacks, const char *name);
const char *stacks_thread_name(const struct stacks *stacks, uint32_t number);

/* Counts one sample of at most STACKS_DEPTH_MAX frames; false when there is no room for another
 * stack. @places root first. */
bool stacks_add(struct stacks *stacks, struct stack_root root, const uint32_t *places, uint32_t n);

uint32_t stacks_n_places(const struct stacks *stacks);
struct place stacks_place_at(const struct stacks *stacks, uint32_t number);

/* Visits each stack, in the order of their first samples. */
void stacks_each(const struct stacks *stacks, void (*visit)(void *arg, const struct stack *stack),
                 void *arg);
