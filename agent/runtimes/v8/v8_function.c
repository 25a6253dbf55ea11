/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/runtimes/v8/v8_function.h"

#include "agent/runtimes/v8/v8_object.h"
#include "agent/runtimes/v8/v8_string.h"
#include "lib/mem.h"

#include <stdlib.h>
#include <string.h>

/* What runs a function is its bytecode, or an object that has it among its first words. */
enum { SHARED_CODE_WORDS = 4 };

/*
 * A ScopeInfo (src/objects/scope-info.tq) begins with flags and two counts, of parameters and of
 * local variables in contexts. Then follow, in an order that changed between versions: the names of
 * these variables, or, from V8 9.7 on, one table when they are many; a small integer for each; the
 * function's name or the one that was guessed for it; where in the script the function begins and
 * ends.
 */
enum { SCOPE_LOCALS = 2, SCOPE_REST = 3, LOCALS_INLINE_MAX = 75, LOCALS_MAX = 1 << 16 };

enum { SCOPE_WORDS = 14 };

/* Some of its words. */
struct scope {
    uint64_t words[SCOPE_WORDS];
    size_t n;
};

/* Those from the @first on that can be read, fewer at the end of a mapping. */
static void read_scope(pid_t pid, uint64_t scope_info, size_t first, struct scope *ret)
{
    uint64_t addr = scope_info - V8_OBJECT_TAG + (1 + first) * V8_WORD;

    ret->n = SCOPE_WORDS;
    while (ret->n > 0 && !target_memory_read(pid, addr, ret->words, ret->n * sizeof(*ret->words)))
        ret->n--;
}

static bool is_range(const struct scope *s, size_t at)
{
    return at + 1 < s->n && v8_small_is(s->words[at]) && v8_small_is(s->words[at + 1]) &&
           s->words[at] < s->words[at + 1];
}

static void set_range(struct v8_function *f, const struct scope *s, size_t at)
{
    f->start = (int64_t)(s->words[at] >> 32);
    f->end = (int64_t)(s->words[at + 1] >> 32);
}

/* How many words there are of local variables. */
static size_t count_locals(pid_t pid, const struct v8_image *v8, const struct scope *s, size_t at)
{
    size_t n = s->words[SCOPE_LOCALS] >> 32;
    bool has_table = n >= LOCALS_INLINE_MAX && at < s->n && !v8_string_is(pid, v8, s->words[at]);

    if (n > LOCALS_MAX)
        return LOCALS_MAX;
    return has_table ? 1 + n : 2 * n;
}

static void parse_scope(pid_t pid, const struct v8_image *v8, uint64_t scope_info,
                        struct v8_function *f)
{
    enum { LOOK_MAX = 12 };
    size_t at = SCOPE_REST;
    struct scope s;

    read_scope(pid, scope_info, 0, &s);
    if (s.n <= SCOPE_REST)
        return;

    /* The range in front, as newer versions have it: there a string or a table would be. */
    bool range_first = is_range(&s, at);

    if (range_first) {
        set_range(f, &s, at);
        at += 2;
    }
    read_scope(pid, scope_info, at + count_locals(pid, v8, &s, at), &s);
    for (size_t i = 0; i < LOOK_MAX && i < s.n; i++) {
        if (!f->name && v8_string_is(pid, v8, s.words[i])) {
            f->name = v8_string_read(pid, v8, s.words[i], V8_NAME_MAX);
            if (f->name && (!*f->name || *f->name == '.')) { /* .catch: V8's own, by a guess */
                free(f->name);
                f->name = NULL;
            }
        } else if (f->start < 0 && is_range(&s, i) && !is_range(&s, i + 1)) {
            set_range(f, &s, i);
            break;
        } else if (range_first && v8_object_is(s.words[i]) && !v8_string_is(pid, v8, s.words[i])) {
            break; /* the scope around it, or another object */
        }
    }
}

uint64_t v8_shared_bytecode(pid_t pid, const struct v8_image *v8, uint64_t shared)
{
    uint64_t code, words[SHARED_CODE_WORDS], inner;

    if (!v8_object_field(pid, shared, v8->shared_code, &code) || !v8_object_is(code))
        return 0;
    if (v8_object_has_type(pid, v8, code, v8->walk.bytecode_type))
        return code;
    if (!target_memory_read(pid, code - V8_OBJECT_TAG + V8_WORD, words, sizeof(words)))
        return 0;
    for (size_t i = 0; i < SHARED_CODE_WORDS; i++) {
        if (v8_object_has_type(pid, v8, words[i], v8->walk.bytecode_type))
            return words[i];
    }
    for (size_t i = 0; i < SHARED_CODE_WORDS; i++) { /* the one that debuggers changed */
        if (v8_object_field(pid, words[i], V8_WORD, &inner) &&
            v8_object_has_type(pid, v8, inner, v8->walk.bytecode_type))
            return inner;
    }
    return 0;
}

/* The table of the function's bytecode; without it only its first line is known. */
static void read_positions(pid_t pid, const struct v8_image *v8, uint64_t shared,
                           struct v8_function *f)
{
    uint64_t bytecode = v8->walk.bytecode_data ? v8_shared_bytecode(pid, v8, shared) : 0, table;

    if (bytecode && v8_object_field(pid, bytecode, v8->bytecode_positions, &table))
        f->positions = v8_object_bytes(pid, v8, table, V8_POSITIONS_MAX, &f->n_positions);
}

bool v8_function_check(pid_t pid, const struct v8_image *v8, uint64_t shared, uint32_t *ret_check)
{
    uint64_t name, script;

    if (!v8_object_has_type(pid, v8, shared, v8->shared_type) ||
        !v8_object_field(pid, shared, v8->walk.shared_name, &name) ||
        !v8_object_field(pid, shared, v8->walk.shared_script, &script))
        return false;
    *ret_check = v8_check(name, script);
    return true;
}

bool v8_function_read(pid_t pid, const struct v8_image *v8, uint64_t shared, uint32_t check,
                      struct v8_function *ret_function)
{
    struct v8_function f = { .start = -1, .end = -1 };
    uint64_t name = 0, script = 0, file;

    if (!v8_object_has_type(pid, v8, shared, v8->shared_type) ||
        !v8_object_field(pid, shared, v8->walk.shared_name, &name) ||
        !v8_object_field(pid, shared, v8->walk.shared_script, &script) ||
        v8_check(name, script) != check)
        return false;
    if (v8_object_has_type(pid, v8, name, v8->scope_info_type)) {
        parse_scope(pid, v8, name, &f);
    } else if (v8_object_is(name)) {
        f.name = v8_string_read(pid, v8, name, V8_NAME_MAX);
    }
    if (v8_object_has_type(pid, v8, script, v8->script_type)) {
        if (v8_object_field(pid, script, v8->script_name, &file))
            f.file = v8_string_read(pid, v8, file, V8_FILE_MAX);
        if (!v8_object_field(pid, script, v8->script_source, &f.source))
            f.source = 0;
    }
    if (f.start >= 0)
        read_positions(pid, v8, shared, &f);
    if (!f.name)
        f.name = mem_strdup("");
    if (!f.file)
        f.file = mem_strdup("");
    *ret_function = f;
    return true;
}

void v8_function_release(struct v8_function *function)
{
    free(function->name);
    free(function->file);
    free(function->positions);
    *function = (struct v8_function){ 0 };
}

struct counting {
    struct v8_lines *lines;
    uint32_t at;
    bool too_many;
};

static void find_ends(void *arg, const unsigned char *chars, size_t n, unsigned width)
{
    struct counting *c = arg;

    for (size_t i = 0; i < n; i++, c->at++) {
        struct v8_lines *l = c->lines;

        if (chars[i * width] != '\n' || (width == 2 && chars[i * width + 1] != 0))
            continue;
        c->too_many = l->n == V8_LINES_MAX;
        if (c->too_many)
            return;
        if ((l->n & (l->n - 1)) == 0)
            l->ends = mem_grow(l->ends, l->n ? l->n * 2 : 1, sizeof(*l->ends));
        l->ends[l->n++] = c->at;
    }
}

bool v8_lines_read(pid_t pid, const struct v8_image *v8, uint64_t source, struct v8_lines *ret)
{
    struct v8_lines lines = { 0 };
    struct counting counting = { .lines = &lines };

    if (!v8_string_each(pid, v8, source, V8_SOURCE_MAX, find_ends, &counting) ||
        counting.too_many) {
        free(lines.ends);
        return false;
    }
    *ret = lines;
    return true;
}

static size_t ends_before(const struct v8_lines *lines, int64_t place)
{
    size_t low = 0, high = lines->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (lines->ends[middle] < place)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

int v8_lines_at(const struct v8_lines *lines, int64_t place)
{
    if (place < 0 || place >= V8_SOURCE_MAX)
        return 0;
    return (int)(lines->before + ends_before(lines, place)) + 1;
}

void v8_lines_cut(const struct v8_lines *lines, int64_t start, int64_t end, struct v8_lines *ret)
{
    size_t from = ends_before(lines, start), to = ends_before(lines, end);

    *ret = (struct v8_lines){ .before = lines->before + from, .n = to > from ? to - from : 0 };
    ret->ends = mem_array(ret->n, sizeof(*ret->ends));
    for (size_t i = 0; i < ret->n; i++)
        ret->ends[i] = lines->ends[from + i];
}
