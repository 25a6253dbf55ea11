/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/runtimes/python/python_code.h"

#include "agent/bpf/runtime_frame.h"
#include "agent/runtimes/target_memory.h"
#include "agent/runtimes/utf8.h"
#include "lib/cleanup.h"
#include "lib/mem.h"

#include <stdlib.h>
#include <string.h>

/* The state of a string: bits of its kind (bytes a character), compact, ascii. */
enum { STATE_KIND = 7, STATE_COMPACT = 1 << 3, STATE_ASCII = 1 << 4 };

static uint32_t char_at(const unsigned char *text, size_t i, unsigned kind)
{
    uint16_t two;
    uint32_t four;

    if (kind == 1)
        return text[i];
    if (kind == 2) {
        memcpy(&two, text + i * 2, sizeof(two));
        return two;
    }
    memcpy(&four, text + i * 4, sizeof(four));
    return four;
}

char *python_str_read(pid_t pid, const struct python_offsets *o, uint64_t str, size_t max)
{
    uint64_t length = 0;
    uint32_t state = 0;

    if (!target_memory_u64(pid, str + o->str_length, &length) ||
        !target_memory_read(pid, str + o->str_state, &state, sizeof(state)))
        return NULL;
    state >>= o->state_shift;

    unsigned kind = state & STATE_KIND;
    size_t n = length < max ? (size_t)length : max, len = 0;

    if (!(state & STATE_COMPACT) || (kind != 1 && kind != 2 && kind != 4))
        return NULL;
    _cleanup_free_ unsigned char *text = mem_alloc(n * kind);
    _cleanup_free_ char *utf8 = mem_alloc(n * UTF8_MAX + 1);
    if (!target_memory_read(pid, str + (state & STATE_ASCII ? o->str_ascii : o->str_compact), text,
                            n * kind))
        return NULL;
    for (size_t i = 0; i < n; i++)
        len += utf8_put(utf8 + len, char_at(text, i, kind));
    utf8[len] = '\0';
    return take_ptr(utf8);
}

/* A bytes object of at most PYTHON_LINES_MAX; NULL: it is none. */
static unsigned char *read_bytes(pid_t pid, const struct python_offsets *o, uint64_t bytes,
                                 size_t *ret_n)
{
    uint64_t length = 0;

    if (!target_memory_u64(pid, bytes + o->bytes_length, &length))
        return NULL;
    if (length > PYTHON_LINES_MAX)
        length = PYTHON_LINES_MAX;
    _cleanup_free_ unsigned char *data = mem_alloc((size_t)length);
    if (!target_memory_read(pid, bytes + o->bytes_data, data, (size_t)length))
        return NULL;
    *ret_n = (size_t)length;
    return take_ptr(data);
}

bool python_code_read(pid_t pid, const struct python_offsets *o, uint64_t code, uint64_t type,
                      uint32_t check, struct python_code *ret_code)
{
    const struct python_layout *w = &o->walk;
    __u64 names[PYTHON_NAMES_MAX] = { 0 };
    uint64_t is_type = 0;
    struct python_code c = { 0 };
    uint32_t first_line = 0;

    if (!target_memory_u64(pid, code + o->object_type, &is_type) || is_type != type ||
        !target_memory_read(pid, code + w->code_names, names, sizeof(names)) ||
        !target_memory_read(pid, code + w->code_first_line, &first_line, sizeof(first_line)) ||
        python_check(names, w->n_names, first_line) != check)
        return false;
    c.first_line = (int)first_line;
    c.file = python_str_read(pid, o, names[0], PYTHON_FILE_MAX);
    c.name =
        python_str_read(pid, o, names[w->n_names - 2], PYTHON_NAME_MAX); /* the qualified one */
    c.lines = read_bytes(pid, o, names[w->n_names - 1], &c.n_lines);
    if (!c.name || !c.file) {
        python_code_release(&c);
        return false;
    }
    *ret_code = c;
    return true;
}

void python_code_release(struct python_code *code)
{
    free(code->name);
    free(code->file);
    free(code->lines);
    *code = (struct python_code){ 0 };
}

static int signed_byte(unsigned char byte)
{
    return byte < 0x80 ? byte : byte - 0x100;
}

/* Pairs of bytes: so many bytes of code further, so many lines. */
static int64_t line_by_lnotab(const struct python_code *c, uint32_t at)
{
    int64_t line = c->first_line;
    uint32_t addr = 0;

    for (size_t i = 0; i + 1 < c->n_lines; i += 2) {
        addr += c->lines[i];
        if (addr > at)
            break;
        line += signed_byte(c->lines[i + 1]);
    }
    return line;
}

/* Pairs of bytes: the line changes by so many and holds for so many bytes of code; -128: none. */
static int64_t line_by_pep_626(const struct python_code *c, uint32_t at)
{
    enum { NO_LINE = -128 };
    int64_t line = c->first_line;
    uint32_t end = 0;

    for (size_t i = 0; i + 1 < c->n_lines; i += 2) {
        int change = signed_byte(c->lines[i + 1]);

        if (change != NO_LINE)
            line += change;
        end += c->lines[i];
        if (at < end)
            return change == NO_LINE ? 0 : line;
    }
    return 0;
}

struct cursor {
    const unsigned char *at, *end;
};

/* Six bits a byte, the lowest first; the seventh bit says that more follow. */
static uint32_t read_varint(struct cursor *c)
{
    uint32_t value = 0;

    for (unsigned shift = 0; c->at < c->end && shift < 30; shift += 6) {
        unsigned char byte = *c->at++;

        value |= (uint32_t)(byte & 63) << shift;
        if (!(byte & 64))
            break;
    }
    return value;
}

static int read_signed_varint(struct cursor *c)
{
    uint32_t value = read_varint(c);

    return value & 1 ? -(int)(value >> 1) : (int)(value >> 1);
}

/* An entry: a byte with bit 7 set, which has the form and the number of code units less one, and
 * what the form wants; further bytes have bit 7 clear. */
static int64_t line_by_locations(const struct python_code *c, uint32_t at)
{
    enum { ONE_LINE = 10, NO_COLUMNS = 13, LONG = 14, NO_LINE = 15, UNIT = 2 };
    struct cursor cursor = { c->lines, c->lines + c->n_lines };
    int64_t line = c->first_line;
    uint32_t end = 0;

    while (cursor.at < cursor.end) {
        unsigned char first = *cursor.at++;
        unsigned form = first >> 3 & 15;

        if (form >= ONE_LINE && form < NO_COLUMNS)
            line += form - ONE_LINE;
        else if (form == NO_COLUMNS || form == LONG)
            line += read_signed_varint(&cursor);
        while (cursor.at < cursor.end && !(*cursor.at & 0x80))
            cursor.at++;
        end += ((first & 7u) + 1) * UNIT;
        if (at < end)
            return form == NO_LINE ? 0 : line;
    }
    return 0;
}

int python_code_line(const struct python_code *code, enum python_lines how, uint32_t at)
{
    int64_t line;

    if (at == RUNTIME_AT_UNKNOWN || !code->lines)
        return 0;
    if (how == PYTHON_LINES_LNOTAB)
        line = line_by_lnotab(code, at);
    else if (how == PYTHON_LINES_PEP_626)
        line = line_by_pep_626(code, at);
    else
        line = line_by_locations(code, at);
    return line > 0 && line <= INT32_MAX ? (int)line : 0;
}
