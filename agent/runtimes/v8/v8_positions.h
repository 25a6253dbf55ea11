/* SPDX-License-Identifier: Apache-2.0 */
/*
 * v8_positions: where in the script a place in code is, by the table that V8 keeps of its code.
 *
 * src/codegen/source-position-table.cc: pairs of a difference of code offsets, its complement for a
 * position that is no statement, and a difference of positions; both zigzag, seven bits a byte, the
 * lowest first. A position (src/codegen/source-position.h) has a place in the script and, in
 * optimised code, which of the inlined calls it is in. src/baseline/bytecode-offset-iterator.h: the
 * table of baseline code has the length of the code for each bytecode. Pure; any bytes do.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct v8_position {
    int32_t place;   /* in the script, in characters; -1: none */
    int32_t inlined; /* which inlined call; -1: none */
};

/* The last position that is at or before @offset. False: there is none. */
bool v8_positions_find(const uint8_t *table, size_t n, uint32_t offset,
                       struct v8_position *ret_position);

/* What @raw stands for: a word as V8 keeps it, also among the positions of inlined calls. */
struct v8_position v8_position_of(uint64_t raw);

enum { V8_SCALES = 3, V8_BYTECODES_MAX = 256 };

/* How long a bytecode is, by its scale; of those that change the scale of the next one: 1. */
struct v8_bytecode_sizes {
    uint8_t sizes[V8_SCALES][V8_BYTECODES_MAX];
    size_t n; /* bytecodes; 0: not known */
};

/* The bytecode whose baseline code is around @pc, which counts from the beginning of the code.
 * False: none, or the two do not fit together. */
bool v8_baseline_find(const struct v8_bytecode_sizes *sizes, const uint8_t *table, size_t n,
                      const uint8_t *bytecodes, size_t n_bytecodes, uint32_t pc,
                      uint32_t *ret_offset);
