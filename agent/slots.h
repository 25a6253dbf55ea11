/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slots: which runs of an array are in use. Pure.
 *
 * A run has a power of two of slots, at least SLOTS_PER_BLOCK, and begins at a multiple of its size
 * (the buddy system: Knowlton 1965; Knuth, TAOCP 1, 2.5). Two free halves become one again, so that
 * small runs leave no holes that large ones could not use.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { SLOTS_PER_BLOCK = 8 };

struct slots;
struct slots *slots_new(uint32_t n); /* a power of two, at least SLOTS_PER_BLOCK; all are free */
void slots_free(struct slots *slots);

/* False: no run of @n slots is free. The room of the run is @n rounded up as said above. */
bool slots_take(struct slots *slots, uint32_t n, uint32_t *ret_first);

/* @first and @n as in slots_take. */
void slots_give(struct slots *slots, uint32_t first, uint32_t n);

uint32_t slots_in_use(const struct slots *slots); /* by the room of the runs */
