/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/runtimes/python/python_layout.h"

#include <string.h>

/* Py_UNICODE_KIND and what follows it, and the text, lie so in all versions but for a shift. */
#define STRINGS(ascii, compact)                                                                    \
    .str_length = 16, .str_state = 32, .state_shift = 2, .str_ascii = (ascii),                     \
    .str_compact = (compact), .bytes_length = 16, .bytes_data = 32, .object_type = 8

/* Up to 3.10 frames are objects, and differ little. */
#define FRAME_OBJECTS(lasti, how, line_table, current_at, modules, cached_keys)                    \
    .walk = { .interp_next = 0,                                                                    \
              .interp_threads = 8,                                                                 \
              .thread_next = 8,                                                                    \
              .thread_id = 176,                                                                    \
              .thread_frame = 24,                                                                  \
              .cframe_frame = PYTHON_NO_FIELD,                                                     \
              .frame_code = 32,                                                                    \
              .frame_back = 24,                                                                    \
              .frame_instr = (lasti),                                                              \
              .code_names = 104,                                                                   \
              .n_names = 3,                                                                        \
              .code_first_line = 40,                                                               \
              .instr = (how),                                                                      \
              .entry = PYTHON_ENTRY_EACH },                                                        \
    .interpreters = 32, .current = (current_at), .lines = (line_table),                            \
    .interp_modules = (modules), .type_cached_keys = (cached_keys),                                \
    .attributes = PYTHON_ATTRIBUTES_DICT, STRINGS(48, 72)

enum { ACTIVE = 1 << 4 }; /* of PyThreadState._status */

static const struct python_offsets table[] = {
    [8] = { FRAME_OBJECTS(104, PYTHON_INSTR_BYTES, PYTHON_LINES_LNOTAB, 1368, 56, 872) },
    [9] = { FRAME_OBJECTS(104, PYTHON_INSTR_BYTES, PYTHON_LINES_LNOTAB, 568, 856, 864) },
    [10] = { FRAME_OBJECTS(96, PYTHON_INSTR_UNITS, PYTHON_LINES_PEP_626, 568, 856, 872) },
    [11] = { .walk = { .interp_next = 0,
                       .interp_threads = 16,
                       .thread_next = 8,
                       .thread_id = 152,
                       .thread_frame = 56,
                       .cframe_frame = 8,
                       .cframe_back = 16,
                       .frame_code = 32,
                       .frame_back = 48,
                       .frame_instr = 56,
                       .frame_entry = 68,
                       .code_names = 112,
                       .n_names = 4,
                       .code_first_line = 72,
                       .code_instrs = 184,
                       .instr = PYTHON_INSTR_POINTER,
                       .entry = PYTHON_ENTRY_FLAG },
             .interpreters = 40,
             .current = 576,
             .lines = PYTHON_LINES_LOCATIONS,
             .interp_modules = 888,
             .type_cached_keys = 872,
             .attributes = PYTHON_ATTRIBUTES_BEFORE,
             STRINGS(48, 72) },
    [12] = { .walk = { .interp_next = 0,
                       .interp_threads = 72,
                       .thread_next = 8,
                       .thread_id = 136,
                       .thread_frame = 56,
                       .thread_status = 24,
                       .active_mask = ACTIVE,
                       .cframe_frame = 0,
                       .cframe_back = 8,
                       .frame_code = 0,
                       .frame_back = 8,
                       .frame_instr = 56,
                       .frame_entry = 70,
                       .code_names = 112,
                       .n_names = 4,
                       .code_first_line = 68,
                       .code_instrs = 192,
                       .instr = PYTHON_INSTR_POINTER,
                       .entry = PYTHON_ENTRY_OWNER,
                       .owner_min = 3 },
             .interpreters = 40,
             .lines = PYTHON_LINES_LOCATIONS,
             .interp_modules = 944,
             .type_cached_keys = 880,
             .attributes = PYTHON_ATTRIBUTES_TAGGED,
             STRINGS(40, 56) },
};

/* Where _Py_DebugOffsets keeps a value: the index of its 64-bit word, 3.13 and 3.14. */
struct word {
    uint8_t in_13, in_14;
};

enum { COOKIE_SIZE = 8, WORD_VERSION = 1, WORD_FREE_THREADED = 2 };

static uint64_t word_at(const unsigned char *debug_offsets, size_t size, size_t index)
{
    uint64_t value = UINT64_MAX;

    if ((index + 1) * sizeof(value) <= size)
        memcpy(&value, debug_offsets + index * sizeof(value), sizeof(value));
    return value;
}

static const char *read_debug_offsets(int minor, const unsigned char *text, size_t size,
                                      struct python_offsets *ret)
{
    enum { FIELD_MAX = 1 << 15 };
    struct python_offsets o = { .lines = PYTHON_LINES_LOCATIONS,
                                .type_cached_keys = 880,
                                .attributes = PYTHON_ATTRIBUTES_INLINE };
    struct python_layout *w = &o.walk;
    uint16_t names[PYTHON_NAMES_MAX] = { 0 };
    const struct {
        struct word word;
        uint16_t *to;
    } fields[] = {
        { { 5, 5 }, &o.interpreters },       { { 8, 8 }, &w->interp_next },
        { { 9, 9 }, &w->interp_threads },    { { 21, 24 }, &w->thread_next },
        { { 23, 26 }, &w->thread_frame },    { { 24, 27 }, &w->thread_id },
        { { 29, 32 }, &w->frame_back },      { { 30, 33 }, &w->frame_code },
        { { 31, 34 }, &w->frame_instr },     { { 33, 36 }, &w->frame_entry },
        { { 35, 40 }, &names[0] },           { { 36, 41 }, &names[1] },
        { { 37, 42 }, &names[2] },           { { 38, 43 }, &names[3] },
        { { 39, 44 }, &w->code_first_line }, { { 43, 48 }, &w->code_instrs },
        { { 45, 51 }, &o.object_type },      { { 65, 75 }, &o.bytes_length },
        { { 66, 76 }, &o.bytes_data },       { { 68, 78 }, &o.str_state },
        { { 69, 79 }, &o.str_length },       { { 70, 80 }, &o.str_ascii },
        { { 11, 12 }, &o.interp_modules },   { { 27, 30 }, &w->thread_status },
    };

    if (size < COOKIE_SIZE || memcmp(text, "xdebugpy", COOKIE_SIZE) != 0)
        return "its debug offsets cannot be read";
    if (word_at(text, size, WORD_VERSION) >> 16 != (0x0300u | (unsigned)minor))
        return "its debug offsets are of another version";
    if (word_at(text, size, WORD_FREE_THREADED) != 0)
        return "free-threaded, not supported, native frames only";
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        const struct word *word = &fields[i].word;
        uint64_t value = word_at(text, size, minor == 13 ? word->in_13 : word->in_14);

        if (value >= FIELD_MAX)
            return "its debug offsets make no sense";
        *fields[i].to = (uint16_t)value;
    }
    for (size_t i = 1; i < PYTHON_NAMES_MAX; i++) {
        if (names[i] != names[0] + i * sizeof(uint64_t))
            return "its debug offsets make no sense";
    }
    w->cframe_frame = PYTHON_NO_FIELD;
    w->code_names = names[0];
    w->n_names = PYTHON_NAMES_MAX;
    w->instr = PYTHON_INSTR_POINTER;
    w->entry = PYTHON_ENTRY_OWNER;
    w->active_mask = ACTIVE;
    w->owner_min = 3;                  /* FRAME_OWNED_BY_CSTACK; 3.14: _BY_INTERPRETER, and above */
    w->tag_mask = minor == 13 ? 0 : 3; /* _PyStackRef */
    o.str_compact = o.str_ascii + 16;  /* PyCompactUnicodeObject adds utf8_length and utf8 */
    o.state_shift = 2;
    *ret = o;
    return NULL;
}

static size_t end_of(const uint16_t *fields, size_t n)
{
    size_t end = 0;

    for (size_t i = 0; i < n; i++)
        end = fields[i] + sizeof(uint64_t) > end ? fields[i] + sizeof(uint64_t) : end;
    return end;
}

/* The fields of an object are read at one go. False: they lie too far from each other. */
static bool bound(struct python_layout *w)
{
    const uint16_t frame[] = { w->frame_code, w->frame_back, w->frame_instr, w->frame_entry };
    const uint16_t last_name = w->code_names + (uint16_t)((w->n_names - 1) * sizeof(uint64_t));
    const uint16_t code[] = { last_name, w->code_first_line };
    size_t frame_size = end_of(frame, sizeof(frame) / sizeof(frame[0]));
    size_t code_size = end_of(code, sizeof(code) / sizeof(code[0]));

    w->frame_size = (uint8_t)frame_size;
    w->code_size = (uint8_t)code_size;
    return frame_size < PYTHON_FIELDS_MAX && code_size < PYTHON_FIELDS_MAX;
}

const char *python_layout_read(int minor, const unsigned char *debug_offsets, size_t size,
                               struct python_offsets *ret_offsets)
{
    struct python_offsets offsets;
    const char *why = NULL;

    if (minor < PYTHON_MINOR_MIN || minor > PYTHON_MINOR_MAX)
        return "not supported, native frames only";
    if (minor >= 13)
        why = read_debug_offsets(minor, debug_offsets, size, &offsets);
    else
        offsets = table[minor];
    if (!why && !bound(&offsets.walk))
        why = "its debug offsets make no sense";
    if (!why)
        *ret_offsets = offsets;
    return why;
}
