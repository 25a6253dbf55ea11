/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/runtimes/v8_function.h"

#include "agent/runtimes/target_memory.h"
#include "agent/runtimes/v8_string.h"
#include "lib/mem.h"

#include <stdlib.h>
#include <string.h>

enum { TAG = 1, TAG_MASK = 3, WORD = 8 };

static bool is_object(uint64_t word)
{
    return (word & TAG_MASK) == TAG;
}

/* A small integer lies in the upper half of its word. */
static bool is_small(uint64_t word)
{
    return (uint32_t)word == 0;
}

static bool field(pid_t pid, uint64_t object, uint16_t off, uint64_t *ret_value)
{
    return is_object(object) && target_memory_u64(pid, object - TAG + off, ret_value);
}

static bool has_type(pid_t pid, const struct v8_image *v8, uint64_t object, uint16_t type)
{
    uint64_t map;
    uint16_t is;

    return field(pid, object, 0, &map) && is_object(map) &&
           target_memory_read(pid, map - TAG + v8->walk.map_type, &is, sizeof(is)) && is == type;
}

/*
 * A ScopeInfo (src/objects/scope-info.tq) begins with flags and two counts, of parameters and of
 * local variables in contexts. Then follow, in an order that changed between versions: the names of
 * these variables, or one table when they are many; a small integer for each; the function's name
 * or the one that was guessed for it; where in the script the function begins and ends.
 */
enum { SCOPE_WORDS = 192, SCOPE_LOCALS = 2, SCOPE_REST = 3, LOCALS_INLINE_MAX = 75 };

struct scope {
    uint64_t words[SCOPE_WORDS];
    size_t n;
};

/* The words that can be read, fewer at the end of a mapping. */
static void read_scope(pid_t pid, uint64_t scope_info, struct scope *ret)
{
    ret->n = SCOPE_WORDS;
    while (ret->n > SCOPE_REST && !target_memory_read(pid, scope_info - TAG + WORD, ret->words,
                                                      ret->n * sizeof(*ret->words)))
        ret->n /= 2;
    if (ret->n <= SCOPE_REST)
        ret->n = 0;
}

static bool is_range(const struct scope *s, size_t at)
{
    return at + 1 < s->n && is_small(s->words[at]) && is_small(s->words[at + 1]) &&
           s->words[at] < s->words[at + 1];
}

static void parse_scope(pid_t pid, const struct v8_image *v8, const struct scope *s,
                        struct v8_function *f)
{
    enum { LOOK_MAX = 12 };
    uint64_t locals = s->n > SCOPE_LOCALS ? s->words[SCOPE_LOCALS] >> 32 : 0;
    size_t at = SCOPE_REST;

    /* The range in front, as newer versions have it: there a string or a table would be. */
    if (is_range(s, at)) {
        f->start = (int64_t)(s->words[at] >> 32);
        at += 2;
    }
    at += locals < LOCALS_INLINE_MAX ? 2 * locals : 1 + locals;
    for (size_t end = at + LOOK_MAX; at < end && at < s->n; at++) {
        if (!f->name && v8_string_is(pid, v8, s->words[at])) {
            f->name = v8_string_read(pid, v8, s->words[at], V8_NAME_MAX);
            if (f->name && (!*f->name || *f->name == '.')) { /* .catch: V8's own, by a guess */
                free(f->name);
                f->name = NULL;
            }
        } else if (f->start < 0 && is_range(s, at) && !is_range(s, at + 1)) {
            f->start = (int64_t)(s->words[at] >> 32);
        }
    }
}

bool v8_function_read(pid_t pid, const struct v8_image *v8, uint64_t shared, uint32_t check,
                      struct v8_function *ret_function)
{
    struct v8_function f = { .start = -1 };
    uint64_t name = 0, script = 0, file;
    struct scope scope;

    if (!has_type(pid, v8, shared, v8->shared_type) ||
        !field(pid, shared, v8->walk.shared_name, &name) ||
        !field(pid, shared, v8->walk.shared_script, &script) || v8_check(name, script) != check)
        return false;
    if (has_type(pid, v8, name, v8->scope_info_type)) {
        read_scope(pid, name, &scope);
        parse_scope(pid, v8, &scope, &f);
    } else if (is_object(name)) {
        f.name = v8_string_read(pid, v8, name, V8_NAME_MAX);
    }
    if (has_type(pid, v8, script, v8->script_type)) {
        if (field(pid, script, v8->script_name, &file))
            f.file = v8_string_read(pid, v8, file, V8_FILE_MAX);
        if (!field(pid, script, v8->script_source, &f.source))
            f.source = 0;
    }
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
    *function = (struct v8_function){ 0 };
}

struct counting {
    struct v8_lines *lines;
    uint32_t at;
};

static void find_ends(void *arg, const unsigned char *chars, size_t n, unsigned width)
{
    struct counting *c = arg;

    for (size_t i = 0; i < n; i++, c->at++) {
        struct v8_lines *l = c->lines;

        if (chars[i * width] != '\n' || (width == 2 && chars[i * width + 1] != 0))
            continue;
        if ((l->n & (l->n - 1)) == 0)
            l->ends = mem_grow(l->ends, l->n ? l->n * 2 : 1, sizeof(*l->ends));
        l->ends[l->n++] = c->at;
    }
}

bool v8_lines_read(pid_t pid, const struct v8_image *v8, uint64_t source, struct v8_lines *ret)
{
    struct v8_lines lines = { 0 };
    struct counting counting = { &lines, 0 };

    if (!v8_string_each(pid, v8, source, V8_SOURCE_MAX, find_ends, &counting)) {
        free(lines.ends);
        return false;
    }
    *ret = lines;
    return true;
}

int v8_lines_at(const struct v8_lines *lines, int64_t start)
{
    size_t low = 0, high = lines->n;

    if (start < 0 || start >= V8_SOURCE_MAX)
        return 0;
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (lines->ends[middle] < start)
            low = middle + 1;
        else
            high = middle;
    }
    return (int)low + 1;
}
