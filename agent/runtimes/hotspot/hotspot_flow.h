/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hotspot_flow: what C2's machine code leads to, and comes from, at an instruction without a note.
 *
 * The compilers note which methods run where a thread can be stopped: behind calls, at polls, and
 * where compiled code gives up (an "uncommon trap", share/opto/graphKit.cpp: a jump out of the way
 * to a call that never returns). An instruction runs what the notes of its own loop run; there may
 * be none. Then the last note before that loop and the next one behind it are what is known.
 *
 * Pure. The code is the target's and hostile: no byte past it is read. Of x86-64 alone.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    HOTSPOT_FLOW_CODE_MAX = 64 * 1024, /* bytes; of more of it, nothing is known */
    HOTSPOT_FLOW_NOTES_MAX = 4096,
    HOTSPOT_FLOW_NONE = -1,
};

/* What the compiler knew of a place (share/code/pcDesc.hpp). */
struct hotspot_note {
    uint32_t pc;    /* of the instruction behind a call, or of one that polls */
    uint32_t scope; /* where the methods that run there are written down */
    bool is_call;   /* filled in: it may return */
};

/* Indices of notes, or HOTSPOT_FLOW_NONE. */
struct hotspot_flow {
    int here;           /* the nearest one; in a loop, of the innermost one around it */
    bool is_loop;       /* the rest is known of a loop */
    bool is_inner;      /* no other loop is in it */
    int before, behind; /* the loop */
    bool is_poll;       /* the one behind it */
};

/* @code: from where @pc and the notes' count, all of it that the compiler made; @notes: by their
 * pc. False: the code cannot be read as such, or is another processor's. */
bool hotspot_flow_read(const uint8_t *code, size_t size, struct hotspot_note *notes, size_t n,
                       uint32_t pc, struct hotspot_flow *ret_flow);
