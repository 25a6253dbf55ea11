/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cfi: runs call frame instructions (DWARF 5, 6.4.2) of x86-64 and arm64 code and gives the rule
 * that is in force from each address on. Pure.
 *
 * Input is untrusted. The time is linear in the bytes of the program, and nothing is allocated. Of
 * all registers only the stack pointer, the frame pointer and the return address are followed. What
 * compilers, linkers and libraries write is understood: a register and an offset, a dereferenced
 * one, the expression of PLT entries. Another expression gives UNWIND_CFA_UNKNOWN, never a guess:
 * so do those of arm64 for frames that depend on the length of its vectors. Whether a return
 * address is signed is not followed, since the walk takes signatures off without being told.
 */
#pragma once

#include "agent/unwind/dwarf_cursor.h"
#include "agent/unwind/unwind_arch.h"

#include <stdbool.h>
#include <stdint.h>

enum { CFI_REMEMBERED_MAX = 8 };

/* What a CIE says about the programs of its FDEs. */
struct cfi_context {
    const struct unwind_registers *registers;
    uint64_t code_align;
    int64_t data_align;
    uint32_t ra_column;
    bool is_signal_frame;
    struct unwind_rule initial; /* after the CIE's own instructions */
    uint8_t initial_ra;         /* cfi's own */
};

/* Runs a CIE's own instructions; the rule that the FDEs of it start with. */
bool cfi_run_initial(struct dwarf_cursor program, struct cfi_context *context);

/* One row: @rule holds from @offset, counted from the start of the function, to the next row. The
 * first one has offset 0; offsets grow. */
typedef void (*cfi_fn)(void *arg, uint64_t offset, const struct unwind_rule *rule);

/* @size: of the function; rows beyond are not given. False: the program broke, and the last row,
 * from where it did, is UNWIND_CFA_UNKNOWN. */
bool cfi_run(struct dwarf_cursor program, const struct cfi_context *context, uint64_t size,
             cfi_fn on_row, void *arg);
