/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stacks: the samples of a run, counted by equal stacks. Pure.
 *
 * A frame is a place: an address within a space (the kernel, an image, a process) that keeps its
 * meaning when the process changes its mappings or exits. Each place is held once and named once,
 * at the end. Memory is bounded; samples past a bound are refused, for the caller to count.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { STACKS_MAX = 1 << 18, STACKS_PLACES_MAX = 1 << 20 };

enum place_space {
    PLACE_KERNEL,  /* owner 0; addr: a kernel address */
    PLACE_IMAGE,   /* owner: an index into images; addr: an offset into the file */
    PLACE_PYTHON,  /* owner: a function, by python's number; addr: its line */
    PLACE_JIT,     /* owner: an index into processes; addr: a runtime address */
    PLACE_UNKNOWN, /* the same, where no mapping is known */
};

struct place {
    uint32_t space; /* enum place_space */
    uint32_t owner;
    uint64_t addr;
};

struct stack {
    uint32_t process; /* index */
    uint32_t cut;     /* the caller's: why it stops before its root */
    uint64_t count;
    uint32_t n;
    const uint32_t *places; /* root first */
};

struct stacks;
struct stacks *stacks_new(void);
void stacks_free(struct stacks *stacks); /* NULL is fine */

/* The number of a place, the same for equal places; false past STACKS_PLACES_MAX. */
bool stacks_place(struct stacks *stacks, struct place place, uint32_t *ret_number);

/* Counts one sample; false past STACKS_MAX different ones. @places root first. */
bool stacks_add(struct stacks *stacks, uint32_t process, uint32_t cut, const uint32_t *places,
                uint32_t n);

uint32_t stacks_n_places(const struct stacks *stacks);
struct place stacks_place_at(const struct stacks *stacks, uint32_t number);

/* Visits each stack, in the order of their first samples. */
void stacks_each(const struct stacks *stacks, void (*visit)(void *arg, const struct stack *stack),
                 void *arg);
