/* SPDX-License-Identifier: Apache-2.0 */
/*
 * python_layout: where CPython keeps what is read of it, by version.
 *
 * 3.8 to 3.12: a table, one row a minor version, whose numbers the headers of that version give
 * (offsetof over its internal headers); they do not change between patch releases. From 3.13 on
 * the process says it itself, in the _Py_DebugOffsets that _PyRuntime begins with (internal/
 * pycore_debug_offsets.h; 3.13: internal/pycore_runtime.h).
 */
#pragma once

#include "agent/bpf/python_table.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How a code object says which line an instruction is of. */
enum python_lines {
    PYTHON_LINES_LNOTAB,   /* pairs of increments (Objects/lnotab_notes.txt, 3.8 and 3.9) */
    PYTHON_LINES_PEP_626,  /* co_linetable of 3.10 */
    PYTHON_LINES_LOCATIONS /* co_linetable from 3.11 on (Objects/locations.md) */
};

/* Where an object keeps its attributes, and how a dictionary does. */
enum python_attributes {
    PYTHON_ATTRIBUTES_DICT,   /* a dictionary behind the object (up to 3.10) */
    PYTHON_ATTRIBUTES_BEFORE, /* a dictionary before it, or values without one (3.11) */
    PYTHON_ATTRIBUTES_TAGGED, /* the same, in one word (3.12) */
    PYTHON_ATTRIBUTES_INLINE, /* values behind it (from 3.13) */
};

/* What the walk needs, and what the names do. Offsets in bytes. */
struct python_offsets {
    struct python_layout walk;
    uint16_t interpreters; /* in _PyRuntime */
    uint16_t current;      /* the same; 0: threads have a status */
    uint16_t object_type;
    uint16_t str_length, str_state,
        str_ascii;        /* str_ascii: where the text of an ASCII one begins */
    uint16_t str_compact; /* and of another */
    uint16_t bytes_length, bytes_data;
    uint16_t interp_modules;   /* sys.modules */
    uint16_t type_cached_keys; /* of a class: the keys that its instances share */
    uint8_t state_shift;       /* of str_state, to its kind */
    uint8_t lines;             /* enum python_lines */
    uint8_t attributes;        /* enum python_attributes */
};

enum { PYTHON_DEBUG_OFFSETS_SIZE = 1024, PYTHON_MINOR_MIN = 8, PYTHON_MINOR_MAX = 14 };

/*
 * The offsets of CPython 3.@minor; @debug_offsets: the first bytes of its _PyRuntime, looked at
 * from 3.13 on. NULL, or why not: one of few constant texts.
 */
const char *python_layout_read(int minor, const unsigned char *debug_offsets, size_t size,
                               struct python_offsets *ret_offsets);
