/* SPDX-License-Identifier: Apache-2.0 */
/*
 * go_rows: the unwind rows of a Go program, from its own table of stack pointer values.
 *
 * The table knows the size of the frame at each instruction, so a leaf, a prologue and an epilogue
 * are as exact as any code. Functions that go from one stack to another (runtime/asm_amd64.s) keep
 * the frame pointer of the stack they left, or write down where it is; where they do neither, Go's
 * own tracebacks end too, and so do the rows: at the scheduler's, which runs no goroutine. On arm64
 * what the runtime writes down is not followed: there a goroutine's stack ends where it grows.
 */
#pragma once

#include "agent/unwind/eh_frame.h"
#include "agent/unwind/go_table.h"

/* Puts rows of all functions of @go in place of what @table has there: at most @max_rows in all.
 * Addresses count from @range.start, as those of @table do. */
void go_rows_add(struct go_table *go, struct eh_range range, size_t max_rows,
                 struct unwind_rules *rules, struct eh_table *table);
