/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
/*
 * golden: a recorded walk over a real stack, as text that a test replays. What record_stack writes:
 *
 *   # ...                           a remark
 *   reg NUMBER VALUE                by DWARF's numbers; behind them the program counter, the thread pointer
 *   map START END BASE FLAGS        a mapping that the walk met, in order of START
 *   row ADDR CFA REG BP RA FLAGS CFA_OFF DEREF_OFF BP_OFF RA_OFF
 *                                   of the map above it, in order of ADDR: those in force
 *   word ADDR VALUE                 of the target's memory: those that were read
 *   frame PC                        as another unwinder has it, leaf first
 *   stop NUMBER                     enum record_stop; RECORD_STOP_FULL: there were more frames
 *
 * Addresses and values are hexadecimal, the rest decimal.
 */
/* clang-format on */
#pragma once

#include "agent/bpf/unwind_table.h"

enum {
    GOLDEN_FRAMES_MAX = 1024,
    GOLDEN_WORDS_MAX = 4096,
    GOLDEN_REG_PC = UNWIND_REGS,
    GOLDEN_REG_THREAD,
    GOLDEN_REGS,
};
