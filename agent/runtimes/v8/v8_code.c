/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/runtimes/v8/v8_code.h"

#include "agent/runtimes/v8/v8_function.h"
#include "agent/runtimes/v8/v8_object.h"
#include "lib/cleanup.h"
#include "lib/mem.h"

#include <stdlib.h>
#include <string.h>

/* Words of an object's head that are looked at; how far in front of the instructions it begins. */
enum { HEAD_WORDS = 5, START_MAX = 256 };

enum { PIECE = 4096, ADDRESS_BITS = 47, WEAK = 2, KINDS_OPTIMISED = 4 };

/* Whether a word may point to an object. */
static bool may_be_object(uint64_t word)
{
    return v8_object_is(word) && word >> ADDRESS_BITS == 0 && word > PIECE;
}

static bool read_size(pid_t pid, uint64_t object, uint16_t off, uint64_t *ret_size)
{
    uint32_t size;

    if (!target_memory_read(pid, object - V8_OBJECT_TAG + off, &size, sizeof(size)))
        return false;
    *ret_size = size;
    return size > 0 && size <= INT32_MAX;
}

/* What describes the code at @base: that object itself, or the one that it leads to. */
static bool describe(pid_t pid, const struct v8_image *v8, uint64_t base, struct v8_code *ret_code,
                     uint64_t *ret_described)
{
    const struct v8_compiled *c = &v8->compiled;
    uint64_t object = base + V8_OBJECT_TAG, described = object, stream, seen[V8_CODE_SEEN];

    if (!v8_object_field(pid, object, 0, &seen[0]) ||
        (c->stream && !v8_object_field(pid, object, V8_WORD, &described)) ||
        !v8_object_has_type(pid, v8, described, v8->code_type) ||
        (c->stream && (!v8_object_field(pid, described, c->stream, &stream) || stream != object)) ||
        !v8_object_field(pid, described, c->data, &seen[2]) ||
        !v8_object_field(pid, described, c->positions, &seen[3]) ||
        !read_size(pid, described, c->size, &seen[5]))
        return false;
    seen[1] = described;
    seen[4] = base + c->start;
    if (c->stream && !v8_object_field(pid, described, c->start, &seen[4]))
        return false;
    if (seen[4] <= base || seen[4] - base > START_MAX)
        return false;
    memcpy(ret_code->seen, seen, sizeof(seen));
    ret_code->object = base;
    ret_code->start = seen[4];
    ret_code->size = seen[5];
    *ret_described = described;
    return true;
}

static bool may_begin(const struct v8_image *v8, const uint64_t *words)
{
    for (size_t i = 0; i < (v8->compiled.stream ? 2 : HEAD_WORDS); i++) {
        if (!may_be_object(words[i]))
            return false;
    }
    return true;
}

/* Looks for the code's object from @pc, or the last word of a page, back. */
static bool find_in_page(pid_t pid, const struct v8_image *v8, const uint64_t *words, uint64_t page,
                         uint64_t pc, struct v8_code *ret_code, uint64_t *ret_described)
{
    size_t n = pc - page < PIECE ? (size_t)(pc - page) / V8_WORD + 1 : PIECE / V8_WORD;

    while (n-- > 0) {
        if (may_begin(v8, words + n) &&
            describe(pid, v8, page + n * V8_WORD, ret_code, ret_described))
            return true;
    }
    return false;
}

static bool find(pid_t pid, const struct v8_image *v8, uint64_t pc, struct v8_code *ret_code,
                 uint64_t *ret_described)
{
    uint64_t words[PIECE / V8_WORD + HEAD_WORDS] = { 0 }, page = pc - pc % PIECE;

    for (size_t i = 0; i < V8_CODE_MAX / PIECE && page >= PIECE; i++, page -= PIECE) {
        if (!target_memory_read(pid, page, words, PIECE))
            return false;
        if (find_in_page(pid, v8, words, page, pc, ret_code, ret_described))
            return pc >= ret_code->start && pc - ret_code->start < ret_code->size;
        memcpy(words + PIECE / V8_WORD, words, HEAD_WORDS * sizeof(*words));
    }
    return false;
}

/* An element of an array of objects, which may hold it weakly. */
static bool element(pid_t pid, uint64_t array, size_t i, uint64_t *ret_object)
{
    uint64_t length, object;

    if (!v8_object_field(pid, array, V8_ARRAY_LENGTH, &length) || !v8_small_is(length) ||
        i >= length >> 32 ||
        !target_memory_u64(pid, array - V8_OBJECT_TAG + V8_ARRAY_DATA + i * V8_WORD, &object))
        return false;
    *ret_object = object & ~(uint64_t)WEAK;
    return true;
}

/* The function that optimised code was made of; newer versions wrap it. */
static bool read_shared(pid_t pid, const struct v8_image *v8, uint64_t data, uint64_t *ret_shared)
{
    uint64_t shared;

    if (!element(pid, data, v8->compiled.shared, &shared))
        return false;
    if (!v8_object_has_type(pid, v8, shared, v8->shared_type) &&
        !v8_object_field(pid, shared, V8_WORD, &shared))
        return false;
    *ret_shared = shared;
    return true;
}

/* src/codegen/source-position.h: the position of the call, and which of the literals it calls; -1:
 * the code's own function. */
struct inlined_entry {
    uint64_t position;
    int32_t literal;
    uint32_t pad;
};

static void read_inlined(pid_t pid, const struct v8_image *v8, uint64_t data, struct v8_code *code)
{
    uint64_t array, literals;
    struct inlined_entry entry;
    size_t n = 0;

    if (!element(pid, data, v8->compiled.inlined, &array) ||
        !element(pid, data, v8->compiled.literals, &literals))
        return;

    _cleanup_free_ uint8_t *entries =
        v8_object_bytes(pid, v8, array, V8_INLINED_MAX * sizeof(entry), &n);

    n /= sizeof(entry);
    code->inlined = mem_array(n, sizeof(*code->inlined));
    for (size_t i = 0; i < n; i++) {
        struct v8_inlined *inlined = &code->inlined[i];

        memcpy(&entry, entries + i * sizeof(entry), sizeof(entry));
        inlined->position = v8_position_of(entry.position);
        inlined->shared = code->shared;
        if ((entry.literal >= 0 &&
             !element(pid, literals, (size_t)entry.literal, &inlined->shared)) ||
            !v8_function_check(pid, v8, inlined->shared, &inlined->check))
            inlined->shared = 0;
    }
    code->n_inlined = n;
}

/* Baseline code is what runs the function, or among the first words of that. */
static bool runs(pid_t pid, const struct v8_image *v8, uint64_t shared, uint64_t code)
{
    uint64_t runs, inner;

    if (!v8_object_field(pid, shared, v8->shared_code, &runs))
        return false;
    return runs == code || (v8_object_field(pid, runs, V8_WORD, &inner) && inner == code);
}

static bool read_bytecode(pid_t pid, const struct v8_image *v8, struct v8_code *code)
{
    uint64_t bytecode = v8_shared_bytecode(pid, v8, code->shared), length;

    if (!bytecode || !v8_object_field(pid, bytecode, V8_ARRAY_LENGTH, &length) ||
        !v8_small_is(length) || length >> 32 > V8_BYTECODE_MAX)
        return false;
    code->n_bytecode = (size_t)(length >> 32);
    code->bytecode = mem_alloc(code->n_bytecode + 1);
    return target_memory_read(pid, bytecode - V8_OBJECT_TAG + v8->walk.bytecode_data,
                              code->bytecode, code->n_bytecode);
}

/* Of which kind it is, and what it holds beyond its instructions. */
static bool read_contents(pid_t pid, const struct v8_image *v8, uint64_t described,
                          struct v8_code *code)
{
    const struct v8_compiled *c = &v8->compiled;
    uint64_t data = code->seen[2], shared;
    uint32_t flags;

    if (!target_memory_read(pid, described - V8_OBJECT_TAG + c->flags, &flags, sizeof(flags)))
        return false;

    uint32_t kind = flags & c->kind_mask;

    code->is_baseline = kind == c->baseline_kind;
    if (!code->is_baseline &&
        (kind < c->baseline_kind || kind > (uint32_t)c->baseline_kind + KINDS_OPTIMISED))
        return false;
    code->positions = v8_object_bytes(pid, v8, code->seen[3], V8_POSITIONS_MAX, &code->n_positions);
    if (!code->positions)
        return false;
    if (code->is_baseline)
        return runs(pid, v8, code->shared, described) && read_bytecode(pid, v8, code);
    if (!read_shared(pid, v8, data, &shared) || shared != code->shared)
        return false;
    read_inlined(pid, v8, data, code);
    return true;
}

bool v8_code_read(pid_t pid, const struct v8_image *v8, uint64_t pc, uint64_t shared,
                  struct v8_code *ret_code)
{
    struct v8_code code = { .shared = shared };
    uint64_t described;

    if (v8->compiled.size == 0 || v8->walk.bytecode_data == 0 ||
        !find(pid, v8, pc, &code, &described))
        return false;
    if (!read_contents(pid, v8, described, &code)) {
        v8_code_release(&code);
        return false;
    }
    *ret_code = code;
    return true;
}

void v8_code_release(struct v8_code *code)
{
    free(code->positions);
    free(code->bytecode);
    free(code->inlined);
    *code = (struct v8_code){ 0 };
}

bool v8_code_is_there(pid_t pid, const struct v8_image *v8, const struct v8_code *code)
{
    struct v8_code now;
    uint64_t described;

    return describe(pid, v8, code->object, &now, &described) &&
           memcmp(now.seen, code->seen, sizeof(now.seen)) == 0;
}

size_t v8_code_calls(const struct v8_code *code, uint64_t pc, struct v8_code_call *ret_calls,
                     size_t max)
{
    struct v8_position at;
    size_t n = 0;

    if (!v8_positions_find(code->positions, code->n_positions, (uint32_t)(pc - code->start), &at))
        return 0;
    while (at.inlined >= 0) {
        if ((size_t)at.inlined >= code->n_inlined || n == max)
            return 0;

        const struct v8_inlined *inlined = &code->inlined[at.inlined];

        /* A call is inlined into code that was made before it. */
        if (inlined->shared == 0 || inlined->position.inlined >= at.inlined)
            return 0;
        ret_calls[n++] = (struct v8_code_call){ inlined->shared, inlined->check, true, at.place };
        at = inlined->position;
    }
    if (n == max)
        return 0;
    ret_calls[n++] = (struct v8_code_call){ .shared = code->shared, .place = at.place };
    return n;
}
