/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/runtimes/runtime_functions.h"

#include "agent/hash.h"
#include "lib/mem.h"

#include <stdlib.h>
#include <string.h>

/* What the walk saw of a function: the same in a process and in what it forked. */
struct function_sight {
    uint64_t object;
    uint32_t check, runtime;
};

struct function_key {
    struct function_sight sight;
    uint64_t number; /* of the image that the process runs */
};

struct function {
    struct function_key key;
    void *data; /* owned; NULL: it was gone */
    uint32_t index;
    bool is_put_off; /* there was no time to read it yet */
    uint32_t n_gone; /* frames of it since it was gone */
    UT_hash_handle hh, hh_sight;
};

struct chain_key {
    struct function_key function;
    uint64_t pc;
    uint32_t at, pad;
};

/* What a frame runs. */
struct chain {
    struct chain_key key;
    UT_hash_handle hh;
    size_t n;
    struct runtimes_call calls[];
};

struct found_calls {
    struct runtimes_call calls[RUNTIME_CALLS_MAX];
    size_t n;
    bool is_known; /* all of them have names */
};

/* What a frame ran in the stack where it was met last. */
struct recent {
    struct chain_key key;
    uint64_t stack;
    struct found_calls found;
};

enum { RECENT_MAX = 64 };

/* Where functions are read, if there is time for it. */
struct reader {
    const struct runtime_place *place;
    bool has_time;
};

struct runtime_functions {
    struct reading *reading;
    struct function *by_key;
    struct function *by_sight; /* those that could be read, the first of each */
    struct function **items;
    uint32_t n;
    size_t n_bytes;       /* that they keep */
    struct chain *chains; /* owned; by key */
    struct recent recent[RECENT_MAX];
    uint64_t stack; /* the number of the stack that is looked at */
};

struct runtime_functions *runtime_functions_new(struct reading *reading)
{
    struct runtime_functions *f = mem_zalloc(sizeof(*f));

    f->reading = reading;
    f->stack = 1;
    return f;
}

void runtime_functions_begin_stack(struct runtime_functions *f)
{
    f->stack++;
}

static void free_function(struct function *function)
{
    if (function->data)
        runtime_kinds[function->key.sight.runtime]->release_function(function->data);
    free(function->data);
    free(function);
}

void runtime_functions_free(struct runtime_functions *f)
{
    struct chain *chain, *next;

    if (!f)
        return;
    HASH_ITER (hh, f->chains, chain, next) {
        HASH_DEL(f->chains, chain);
        free(chain);
    }
    HASH_CLEAR(hh, f->by_key);
    HASH_CLEAR(hh_sight, f->by_sight);
    for (uint32_t i = 0; i < f->n; i++)
        free_function(f->items[i]);
    free((void *)f->items);
    free(f);
}

/* Names are as long as the target makes them: past a bound they are not kept. */
static void keep_function(struct runtime_functions *f, struct function *function)
{
    const struct runtime_kind *kind = runtime_kinds[function->key.sight.runtime];
    size_t bytes = kind->function_size + kind->function_bytes(function->data);

    if (bytes <= RUNTIMES_BYTES_MAX - f->n_bytes) {
        f->n_bytes += bytes;
        return;
    }
    kind->release_function(function->data);
    free(function->data);
    function->data = NULL;
    f->reading->n_put_off++;
}

/* False: there is no time. Else its data are there, or it is gone. */
static bool read_function(struct runtime_functions *f, struct function *function,
                          const struct reader *reader)
{
    const struct function_sight *sight = &function->key.sight;
    const struct runtime_kind *kind = runtime_kinds[sight->runtime];
    const struct runtime_place *place = reader->place;

    if (!place->data)
        return true;
    if (!reader->has_time)
        return false;
    function->data = mem_zalloc(kind->function_size);
    if (!kind->read_function(place->pid, place->data, sight->object, sight->check,
                             function->data)) {
        free(function->data);
        function->data = NULL;
    }
    if (function->data)
        keep_function(f, function);
    return true;
}

/* One that is gone with its process may be known from the parent of that. */
static void look_at_function(struct runtime_functions *f, struct function *function,
                             const struct reader *reader)
{
    const struct function_key *key = &function->key;
    struct function *same;

    HASH_FIND(hh_sight, f->by_sight, &key->sight, sizeof(key->sight), same);
    function->is_put_off = !read_function(f, function, reader) && !same;
    if (!function->data && same)
        function->index = same->index;
    if (function->data && !same)
        HASH_ADD(hh_sight, f->by_sight, key.sight, sizeof(key->sight), function);
}

static struct function *add_function(struct runtime_functions *f, const struct function_key *key,
                                     const struct reader *reader)
{
    struct function *function = mem_zalloc(sizeof(*function));
    uint32_t n = f->n;

    function->key = *key;
    function->index = n;
    if ((n & (n - 1)) == 0)
        f->items = mem_grow((void *)f->items, n ? n * 2 : 1, sizeof(struct function *));
    f->items[f->n++] = function;
    HASH_ADD(hh, f->by_key, key, sizeof(function->key), function);
    look_at_function(f, function, reader);
    return function;
}

/* What was gone is looked for ever more rarely: code that lives shortly may be made anew. */
static bool is_due(const struct runtime_functions *f, struct function *function)
{
    if (function->is_put_off)
        return true;
    if (f->items[function->index]->data)
        return false;
    function->n_gone++;
    return (function->n_gone & (function->n_gone - 1)) == 0;
}

static struct function *find_function(struct runtime_functions *f, const struct reader *reader,
                                      const struct function_key *key)
{
    static const struct runtime_place nowhere = { 0 };
    const struct function_key nameless = { .sight = { .runtime = key->sight.runtime } };
    struct function *function;

    HASH_FIND(hh, f->by_key, key, sizeof(*key), function);
    if (function && is_due(f, function))
        look_at_function(f, function, reader);
    if (function)
        return function;
    if (f->n < RUNTIMES_FUNCTIONS_MAX)
        return add_function(f, key, reader);
    f->reading->n_put_off++;
    HASH_FIND(hh, f->by_key, &nameless, sizeof(nameless), function);
    return function ? function : add_function(f, &nameless, &(struct reader){ .place = &nowhere });
}

/* Adds it to what is found, unless it should not be shown. */
static void place_call(struct runtime_functions *f, const struct reader *reader,
                       const struct function_key *key, uint32_t at, enum runtime_way way,
                       struct found_calls *found)
{
    const struct runtime_kind *kind = runtime_kinds[key->sight.runtime];
    uint32_t index = find_function(f, reader, key)->index;
    const struct function *function = f->items[index];
    bool is_known = function->data != NULL;

    found->is_known = found->is_known && is_known;
    if (is_known && kind->is_shown && !kind->is_shown(function->data))
        return;
    found->calls[found->n++] = (struct runtimes_call){
        .function = index,
        .line = is_known && reader->has_time ? kind->line(function->data, at) : 0,
        .way = way,
    };
}

/* False: the frame is its function as it is. */
static bool find_calls(struct runtime_functions *f, const struct reader *reader,
                       const struct chain_key *key, const struct runtime_frame *frame,
                       struct found_calls *ret)
{
    const struct function_key *function = &key->function;
    const struct runtime_place *place = reader->place;
    struct runtime_call calls[RUNTIME_CALLS_MAX];

    if (!place->data || !reader->has_time)
        return false;

    size_t n = runtime_kinds[function->sight.runtime]->calls(place->pid, place->data, frame,
                                                             key->pc, calls);

    for (size_t i = 0; i < n; i++) {
        struct function_key called = { { calls[i].object, calls[i].check, function->sight.runtime },
                                       function->number };

        place_call(f, reader, &called, calls[i].at, calls[i].way, ret);
    }
    return n > 0;
}

static void find_all_calls(struct runtime_functions *f, const struct reader *reader,
                           const struct chain_key *key, const struct runtime_frame *frame,
                           struct found_calls *ret)
{
    ret->n = 0;
    ret->is_known = true;
    if (!runtime_kinds[key->function.sight.runtime]->calls ||
        !find_calls(f, reader, key, frame, ret))
        place_call(f, reader, &key->function, key->at, RUNTIME_WAY_FUNCTION, ret);
}

static void add_chain(struct runtime_functions *f, const struct chain_key *key,
                      const struct found_calls *found)
{
    struct chain *chain = mem_zalloc(sizeof(*chain) + found->n * sizeof(chain->calls[0]));

    chain->key = *key;
    chain->n = found->n;
    memcpy(chain->calls, found->calls, found->n * sizeof(chain->calls[0]));
    HASH_ADD(hh, f->chains, key, sizeof(chain->key), chain);
}

/* Looks at the target, if there is time. */
static void read_calls(struct runtime_functions *f, const struct runtime_place *place,
                       const struct chain_key *key, const struct runtime_frame *frame,
                       struct found_calls *ret)
{
    struct reader reader = { .place = place };
    uint64_t began_ns = 0;

    reader.has_time = reading_begin(f->reading, &began_ns);
    find_all_calls(f, &reader, key, frame, ret);
    if (reader.has_time)
        reading_end(f->reading, began_ns);
}

/* Of code that changes: the same frame runs the same within one stack, which recursion fills. */
static const struct found_calls *find_changing(struct runtime_functions *f,
                                               const struct runtime_place *place,
                                               const struct chain_key *key,
                                               const struct runtime_frame *frame)
{
    struct recent *recent = &f->recent[hash_bytes(key, sizeof(*key)) % RECENT_MAX];

    if (recent->stack != f->stack || memcmp(&recent->key, key, sizeof(*key)) != 0) {
        recent->stack = f->stack;
        recent->key = *key;
        read_calls(f, place, key, frame, &recent->found);
    }
    return &recent->found;
}

static size_t copy_calls(const struct runtimes_call *calls, size_t n,
                         struct runtimes_call ret_calls[RUNTIME_CALLS_MAX])
{
    memcpy(ret_calls, calls, n * sizeof(*calls));
    return n;
}

size_t runtime_functions_find(struct runtime_functions *f, uint64_t number,
                              const struct runtime_place *place, const struct runtime_frame *frame,
                              uint64_t pc, struct runtimes_call ret_calls[RUNTIME_CALLS_MAX])
{
    uint32_t runtime = (uint32_t)(frame->object >> RUNTIME_OBJECT_BITS);
    int64_t n_put_off = f->reading->n_put_off;
    struct found_calls found;
    const struct chain *chain;
    struct chain_key key;

    memset(&key, 0, sizeof(key));
    key.function =
        (struct function_key){ { runtime_frame_object(frame), frame->check, runtime }, number };
    key.at = frame->at & RUNTIME_AT_UNKNOWN;
    if (runtime_kinds[runtime]->calls_change) {
        key.pc = pc;

        const struct found_calls *changing = find_changing(f, place, &key, frame);

        return copy_calls(changing->calls, changing->n, ret_calls);
    }
    HASH_FIND(hh, f->chains, &key, sizeof(key), chain);
    if (chain)
        return copy_calls(chain->calls, chain->n, ret_calls);
    read_calls(f, place, &key, frame, &found);
    if (found.is_known && n_put_off == f->reading->n_put_off &&
        HASH_COUNT(f->chains) < RUNTIMES_CHAINS_MAX)
        add_chain(f, &key, &found);
    return copy_calls(found.calls, found.n, ret_calls);
}

char *runtime_functions_name(const struct runtime_functions *f, uint32_t function, uint32_t line,
                             bool *ret_known)
{
    static const char *const languages[RUNTIME_COUNT] = { "python", "javascript", "java" };
    const struct function *named = f->items[function];

    *ret_known = named->data != NULL;
    if (named->data)
        return runtime_kinds[named->key.sight.runtime]->name(named->data, line);
    return mem_printf(
        "[%s+0x%llx]", languages[named->key.sight.runtime],
        (unsigned long long)(named->key.sight.object & ((1ULL << RUNTIME_ADDRESS_BITS) - 1)));
}
