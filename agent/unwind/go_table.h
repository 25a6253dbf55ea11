/* SPDX-License-Identifier: Apache-2.0 */
/*
 * go_table: the functions of a Go program, as its own runtime knows them: it needs the table for
 * its tracebacks, so no linker option strips it (Go 1.16 and later; runtime/symtab.go and
 * runtime/runtime2.go, _func, of each release).
 *
 * Input is untrusted and may change while it is read; all reads go through a small cache. Every
 * answer is in bounds, but only as true as the file.
 *
 * "pc" is the offset of an instruction from the start of its function.
 */
#pragma once

#include "agent/unwind/go_locate.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { GO_NAME_MAX = 1024 /* a longer name is cut */ };

struct go_table {
    struct file_reader reader;
    struct go_location location;
};

struct go_function {
    uint64_t start, end; /* vaddr */
    uint32_t name;       /* where it is among the names */
    uint32_t sp_values;  /* where its stack pointer's values are; 0: nowhere, as it is C code */
    uint32_t n_pc_data, n_func_data;
    uint64_t data_off; /* in the file: the offsets of its other values and data */
    uint8_t flags;     /* enum go_function_flag; since 1.17 */
};

/* internal/abi/symtab.go, FuncFlag */
enum go_function_flag { GO_TOP_FRAME = 1, GO_SP_WRITE = 2 };

/* False: not a Go program, or none that is understood. Borrows @fd until the release. */
bool go_table_open(int fd, struct go_table *ret_table);
void go_table_release(struct go_table *table); /* safe on a zeroed one */

/* The @i-th function, by address; there are location.header.n_functions. False: it is broken. */
bool go_table_function(struct go_table *table, uint64_t i, struct go_function *ret);
/* The one that covers @vaddr. */
bool go_table_find(struct go_table *table, uint64_t vaddr, struct go_function *ret);

/* The name at that place among the names, cut to @max bytes, which end in a NUL; its length. */
size_t go_table_name(struct go_table *table, uint32_t name, char *to, size_t max);

/* A function's value for each of its instructions, in runs of one value. */
struct go_values {
    struct go_table *table;
    uint64_t at, end;  /* in the file */
    uint64_t from, to; /* pc of the run */
    uint64_t size;     /* of the function */
    int32_t value;
};

/* @values: as sp_values of go_function has it. */
void go_values_start(struct go_table *table, const struct go_function *function, uint32_t values,
                     struct go_values *ret);
/* The next run; false: there is none any more, or it is broken. Runs grow, and end at the size. */
bool go_values_next(struct go_values *values);

/* The functions that are inlined at an instruction of @function, innermost first. */
struct go_inlined {
    struct go_table *table;
    struct go_function function;
    uint64_t tree_off; /* in the file; 0: none */
    uint32_t values;
    uint64_t pc;
};

void go_inlined_start(struct go_table *table, const struct go_function *function, uint64_t vaddr,
                      struct go_inlined *ret);
/* The place of the next one's name; false: what is left is the function itself. Those that call
 * each other in a circle are for the caller to end. */
bool go_inlined_next(struct go_inlined *inlined, uint32_t *ret_name);
