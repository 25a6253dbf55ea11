/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/runtimes/python/python_thread.h"

#include "agent/runtimes/python/python_code.h"
#include "agent/runtimes/target_memory.h"
#include "lib/cleanup.h"

#include <string.h>

/* The same in all versions: PyModuleObject, PyDictObject, PyTypeObject; the first digit of an int,
 * which is enough for the number of a thread. */
enum {
    MODULE_DICT = 16,
    DICT_KEYS = 32,
    TYPE_BASIC_SIZE = 32,
    TYPE_FLAGS = 168,
    TYPE_DICT_OFFSET = 288,
    INT_DIGIT = 24,
};

enum { FLAG_INLINE_VALUES = 1 << 2, FLAG_MANAGED_DICT = 1 << 4 };

enum { WORD = 8, CHUNK = 64 /* entries read at once */, STR_SIZE_MAX = 128 };

/* What is known of the process while a name is looked for. */
struct target {
    pid_t pid;
    const struct python_offsets *offsets;
    uint64_t dict_type; /* of the first dictionary that was met; 0: none was */
};

/* The entries of a dictionary, or the attributes of an object. */
struct table {
    uint64_t entries;
    uint64_t values; /* 0: in the entries */
    size_t n;
    bool has_hashes; /* entries are {hash, key, value}, else {key, value} */
};

struct entry {
    uint64_t hash, key, value;
};

static bool type_of(const struct target *t, uint64_t object, uint64_t *ret_type)
{
    return object != 0 && target_memory_u64(t->pid, object + t->offsets->object_type, ret_type);
}

/* PyDictKeysObject up to 3.10: refcnt, size, lookup, usable, nentries, then indices. */
static bool read_old_keys(const struct target *t, uint64_t keys, struct table *ret)
{
    enum { SIZE = 1, N_ENTRIES = 4, WORDS };
    uint64_t head[WORDS];

    if (!target_memory_read(t->pid, keys, head, sizeof(head)) || head[SIZE] > UINT32_MAX)
        return false;

    uint64_t index_size = head[SIZE] <= 0xff ? 1 : head[SIZE] <= 0xffff ? 2 : 4;

    *ret = (struct table){ .entries = keys + sizeof(head) + head[SIZE] * index_size,
                           .n = (size_t)head[N_ENTRIES],
                           .has_hashes = true };
    return true;
}

/* From 3.11 on: refcnt; bytes: log2 of the size, log2 of the indices' size, kind; usable, nentries,
 * then indices. */
static bool read_new_keys(const struct target *t, uint64_t keys, struct table *ret)
{
    enum { BYTES = 1, N_ENTRIES = 3, WORDS, KIND_GENERAL = 0, LOG2_MAX = 32 };
    uint64_t head[WORDS];

    if (!target_memory_read(t->pid, keys, head, sizeof(head)))
        return false;

    unsigned log2_bytes = head[BYTES] >> 8 & 0xff, kind = head[BYTES] >> 16 & 0xff;

    if (log2_bytes > LOG2_MAX)
        return false;
    *ret = (struct table){ .entries = keys + sizeof(head) + (UINT64_C(1) << log2_bytes),
                           .n = (size_t)head[N_ENTRIES],
                           .has_hashes = kind == KIND_GENERAL };
    return true;
}

static bool read_keys(const struct target *t, uint64_t keys, struct table *ret)
{
    bool is_read = t->offsets->attributes == PYTHON_ATTRIBUTES_DICT ? read_old_keys(t, keys, ret)
                                                                    : read_new_keys(t, keys, ret);

    return is_read && ret->n <= PYTHON_ENTRIES_MAX;
}

/* PyDictValues has a head of a word from 3.13 on. */
static uint64_t first_value(const struct target *t, uint64_t values)
{
    return t->offsets->attributes == PYTHON_ATTRIBUTES_INLINE ? values + WORD : values;
}

static bool read_dict(struct target *t, uint64_t dict, struct table *ret)
{
    uint64_t type, parts[2]; /* keys, values */

    if (!type_of(t, dict, &type) || (t->dict_type && type != t->dict_type) ||
        !target_memory_read(t->pid, dict + DICT_KEYS, parts, sizeof(parts)) ||
        !read_keys(t, parts[0], ret))
        return false;
    t->dict_type = type;
    ret->values = parts[1] ? first_value(t, parts[1]) : 0;
    return true;
}

/* False: there is none. Reads some at once. */
static bool read_entry(const struct target *t, const struct table *table, size_t i, uint64_t *words,
                       struct entry *ret)
{
    size_t n_words = table->has_hashes ? 3 : 2, left = table->n - i;
    const uint64_t *at = words + i % CHUNK * n_words;

    if (i % CHUNK == 0 && !target_memory_read(t->pid, table->entries + i * n_words * WORD, words,
                                              (left < CHUNK ? left : CHUNK) * n_words * WORD))
        return false;
    if (table->has_hashes)
        *ret = (struct entry){ at[0], at[1], at[2] };
    else
        *ret = (struct entry){ 0, at[0], at[1] };
    return true;
}

/* Is it this ASCII string? */
static bool is_str(const struct target *t, uint64_t str, const char *text)
{
    const struct python_offsets *o = t->offsets;
    size_t length = strlen(text);
    unsigned char object[STR_SIZE_MAX] = { 0 };
    uint64_t str_length;

    if (o->str_ascii + length > sizeof(object) || o->str_length + WORD > o->str_ascii ||
        !target_memory_read(t->pid, str, object, o->str_ascii + length))
        return false;
    memcpy(&str_length, object + o->str_length, sizeof(str_length));
    return str_length == length && memcmp(object + o->str_ascii, text, length) == 0;
}

/* What has this name; 0: nothing. *ret_str_type: the type of strings. */
static uint64_t find_name(const struct target *t, const struct table *table, const char *name,
                          uint64_t *ret_str_type)
{
    uint64_t words[CHUNK * 3];
    struct entry entry;

    for (size_t i = 0; i < table->n && read_entry(t, table, i, words, &entry); i++) {
        if (!entry.key || !is_str(t, entry.key, name) || !type_of(t, entry.key, ret_str_type))
            continue;
        if (table->values && !target_memory_u64(t->pid, table->values + i * WORD, &entry.value))
            return 0;
        return entry.value;
    }
    return 0;
}

/* A thread's id is its own hash. */
static uint64_t find_number(const struct target *t, const struct table *table, uint64_t number)
{
    uint64_t words[CHUNK * 3];
    struct entry entry;

    if (!table->has_hashes || table->values)
        return 0;
    for (size_t i = 0; i < table->n && read_entry(t, table, i, words, &entry); i++) {
        if (entry.hash == number && entry.key && entry.value)
            return entry.value;
    }
    return 0;
}

/* Attributes that are not in a dictionary: the class has the keys. */
static bool read_values(const struct target *t, uint64_t type, uint64_t values, struct table *ret)
{
    uint64_t keys;

    if (!values || !target_memory_u64(t->pid, type + t->offsets->type_cached_keys, &keys) ||
        !read_keys(t, keys, ret))
        return false;
    ret->values = first_value(t, values);
    return true;
}

static bool read_inline_values(const struct target *t, uint64_t object, uint64_t type,
                               uint64_t flags, struct table *ret)
{
    uint64_t size;

    return flags & FLAG_INLINE_VALUES && target_memory_u64(t->pid, type + TYPE_BASIC_SIZE, &size) &&
           read_values(t, type, object + size, ret);
}

/* Two words before the object, the second where the dictionary is. */
static bool read_managed(struct target *t, uint64_t object, uint64_t type, uint64_t flags,
                         struct table *ret)
{
    enum { VALUES, DICT, WORDS, BEFORE = 4 };
    uint64_t before[WORDS];

    if (!target_memory_read(t->pid, object - BEFORE * (uint64_t)WORD, before, sizeof(before)))
        return false;
    if (t->offsets->attributes == PYTHON_ATTRIBUTES_TAGGED && before[DICT] & 1)
        return read_values(t, type, before[DICT] + 1, ret);
    if (before[DICT])
        return read_dict(t, before[DICT], ret);
    return t->offsets->attributes == PYTHON_ATTRIBUTES_INLINE
               ? read_inline_values(t, object, type, flags, ret)
               : read_values(t, type, before[VALUES], ret);
}

static bool read_attributes(struct target *t, uint64_t object, struct table *ret)
{
    uint64_t type, flags, offset, dict;

    if (!type_of(t, object, &type) || !target_memory_u64(t->pid, type + TYPE_FLAGS, &flags))
        return false;
    if (t->offsets->attributes != PYTHON_ATTRIBUTES_DICT && flags & FLAG_MANAGED_DICT)
        return read_managed(t, object, type, flags, ret);
    return target_memory_u64(t->pid, type + TYPE_DICT_OFFSET, &offset) &&
           target_memory_u64(t->pid, object + offset, &dict) && read_dict(t, dict, ret);
}

/* The threads of an interpreter; 0: its module threading is not there. */
static uint64_t find_active(struct target *t, uint64_t interpreter)
{
    uint64_t modules, module, globals, str_type;
    struct table table;

    if (!target_memory_u64(t->pid, interpreter + t->offsets->interp_modules, &modules) ||
        !read_dict(t, modules, &table))
        return 0;
    module = find_name(t, &table, "threading", &str_type);
    if (!module || !target_memory_u64(t->pid, module + MODULE_DICT, &globals) ||
        !read_dict(t, globals, &table))
        return 0;
    return find_name(t, &table, "_active", &str_type);
}

/* The name of a Thread, if it is that of the thread with this number. */
static char *read_name(struct target *t, uint64_t thread, pid_t number)
{
    uint64_t int_object, name, type, str_type;
    struct table table;
    uint32_t digit;

    if (!read_attributes(t, thread, &table))
        return NULL;
    int_object = find_name(t, &table, "_native_id", &str_type);
    if (!int_object || !target_memory_read(t->pid, int_object + INT_DIGIT, &digit, sizeof(digit)) ||
        digit != (uint32_t)number)
        return NULL;
    name = find_name(t, &table, "_name", &str_type);
    if (!type_of(t, name, &type) || type != str_type)
        return NULL;
    return python_str_read(t->pid, t->offsets, name, PYTHON_THREAD_NAME_MAX);
}

/* The threads of an interpreter, looked for once; 0: not found. A search that led to nothing is
 * made again when it was asked for twice as often. */
static uint64_t active_of(struct target *t, struct python_threads *threads, uint64_t interpreter)
{
    for (size_t i = 0; i < PYTHON_INTERPRETERS_MAX; i++) {
        typeof(threads->known[0]) *known = &threads->known[i];

        if (known->interpreter && known->interpreter != interpreter)
            continue;
        known->interpreter = interpreter;
        if (!known->active && (known->n_searches & (known->n_searches + 1)) == 0)
            known->active = find_active(t, interpreter);
        known->n_searches += !known->active;
        return known->active;
    }
    return 0;
}

static char *name_in(struct target *t, struct python_threads *threads, uint64_t interpreter,
                     uint64_t id, pid_t number)
{
    uint64_t active = active_of(t, threads, interpreter), thread = 0;
    struct table table;

    if (active && read_dict(t, active, &table))
        thread = find_number(t, &table, id);
    return thread ? read_name(t, thread, number) : NULL;
}

/* The main interpreter knows best: to the others its threads may be strangers. */
char *python_thread_name(pid_t pid, const struct python_offsets *offsets, uint64_t interpreters,
                         struct python_threads *threads, uint64_t id, pid_t number)
{
    enum { FIRST, MAIN, HEADS };
    struct target t = { .pid = pid, .offsets = offsets };
    uint64_t heads[HEADS], interpreter;
    char *name;

    if (!id || number <= 0 || !target_memory_read(pid, interpreters, heads, sizeof(heads)))
        return NULL;
    name = heads[MAIN] ? name_in(&t, threads, heads[MAIN], id, number) : NULL;
    interpreter = heads[FIRST];
    for (int i = 0; i < PYTHON_INTERPRETERS_MAX && interpreter && !name; i++) {
        if (interpreter != heads[MAIN])
            name = name_in(&t, threads, interpreter, id, number);
        if (!target_memory_u64(pid, interpreter + offsets->walk.interp_next, &interpreter))
            break;
    }
    return name;
}
