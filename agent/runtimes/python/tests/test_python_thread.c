/* SPDX-License-Identifier: Apache-2.0 */
/*
 * python_thread: names out of made-up memory in the forms that the versions have, of which the
 * process is the test itself.
 */
#include "agent/runtimes/python/python_thread.h"
#include "lib/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { WORDS = 8192, ID = 0x7f0012345700, NUMBER = 4711, INTERPRETER_WORDS = 256 };

static uint64_t words[WORDS];
static size_t used;

static uint64_t *make(size_t n)
{
    uint64_t *at = &words[used];

    used += n;
    assert_true(used <= WORDS);
    return at;
}

static uint64_t addr(const void *at)
{
    return (uint64_t)(uintptr_t)at;
}

static uint64_t *at(uint64_t address)
{
    return words + (address - addr(words)) / sizeof(words[0]);
}

/* One target: its types, and the offsets of its version. */
struct made {
    struct python_offsets offsets;
    uint64_t *dict_type, *str_type, *thread_type;
    uint64_t interpreters, main; /* the first one; the main one */
    uint64_t *thread, *active, *keys;
    uint64_t name, number;
};

static bool is_old(const struct made *m)
{
    return m->offsets.attributes == PYTHON_ATTRIBUTES_DICT;
}

static uint64_t make_str(const struct made *m, const char *text)
{
    uint64_t *str = make(32);

    str[1] = addr(m->str_type);
    str[2] = strlen(text);
    ((uint32_t *)str)[8] = (1 | 1 << 3 | 1 << 4) << 2; /* one byte a character, compact, ASCII */
    memcpy((char *)str + m->offsets.str_ascii, text, strlen(text));
    return addr(str);
}

static uint64_t make_int(uint64_t value)
{
    uint64_t *object = make(4);

    object[2] = 1;
    object[3] = value;
    return addr(object);
}

struct item {
    uint64_t hash, key, value;
};

/* Keys with room for eight; the general ones have hashes. */
static uint64_t *make_keys(const struct made *m, const struct item *items, size_t n,
                           bool is_general, bool has_values)
{
    uint64_t *keys = make(64), *entry = keys + (is_old(m) ? 6 : 5);

    if (is_old(m)) {
        keys[1] = 8;
        keys[4] = n;
    } else {
        keys[1] = 3u | 3u << 8 | (is_general ? 0u : 1u) << 16;
        keys[3] = n;
    }
    for (size_t i = 0; i < n; i++) {
        if (is_old(m) || is_general)
            *entry++ = items[i].hash;
        *entry++ = items[i].key;
        *entry++ = has_values ? items[i].value : 0;
    }
    return keys;
}

static uint64_t *make_dict(const struct made *m, const struct item *items, size_t n,
                           bool is_general)
{
    uint64_t *dict = make(6);

    dict[1] = addr(m->dict_type);
    dict[4] = addr(make_keys(m, items, n, is_general, true));
    return dict;
}

/* Where the attributes of the Thread are. */
enum place { PLACE_DICT, PLACE_VALUES };

static void make_thread(struct made *m, enum place place)
{
    const struct item attributes[] = { { 1, make_str(m, "_target"), make_int(1) },
                                       { 2, 0, 0 },
                                       { 3, make_str(m, "_name"), m->name },
                                       { 4, make_str(m, "_native_id"), m->number } };
    enum { N = sizeof(attributes) / sizeof(attributes[0]) };
    uint64_t *object = make(16), *values = NULL, dict = 0;

    m->thread = object += 4;
    object[1] = addr(m->thread_type);
    if (place == PLACE_DICT) {
        dict = addr(make_dict(m, attributes, N, false));
    } else {
        values = m->offsets.attributes == PYTHON_ATTRIBUTES_INLINE ? object + 3 : make(N);
        for (size_t i = 0; i < N; i++)
            values[i] = attributes[i].value;
        m->thread_type[m->offsets.type_cached_keys / 8] =
            addr(make_keys(m, attributes, N, false, false));
    }
    m->thread_type[21] = 1 << 2 | 1 << 4;
    m->thread_type[4] = 16;
    if (m->offsets.attributes == PYTHON_ATTRIBUTES_DICT) {
        m->thread_type[36] = 16; /* tp_dictoffset */
        object[2] = dict;
    } else if (m->offsets.attributes == PYTHON_ATTRIBUTES_TAGGED && values) {
        object[-3] = addr(values) - 1;
    } else {
        object[-3] = dict;
        object[-4] = values && m->offsets.attributes == PYTHON_ATTRIBUTES_BEFORE ? addr(values) : 0;
    }
}

static void make_interpreter(struct made *m)
{
    const struct item active[] = { { 7, make_int(7), m->interpreters },
                                   { ID, make_int(ID), addr(m->thread) } };
    m->active = make_dict(m, active, 2, true);
    m->keys = at(m->active[4]);

    const struct item globals[] = { { 1, make_str(m, "_active_limbo_lock"), 8 },
                                    { 2, make_str(m, "_active"), addr(m->active) } };
    uint64_t *module = make(8);

    module[2] = addr(make_dict(m, globals, 2, false));

    const struct item modules[] = { { 1, make_str(m, "sys"), make_int(3) },
                                    { 2, make_str(m, "threading"), addr(module) } };
    uint64_t *interpreter = make(INTERPRETER_WORDS);

    interpreter[m->offsets.interp_modules / 8] = addr(make_dict(m, modules, 2, false));
    interpreter[m->offsets.walk.interp_next / 8] = m->interpreters;
    m->interpreters = addr(interpreter);
}

static struct made make_target(int minor, enum python_attributes attributes, enum place place)
{
    struct made m = { 0 };

    used = 0;
    memset(words, 0, sizeof(words));
    assert_null(python_layout_read(minor, NULL, 0, &m.offsets));
    m.offsets.attributes = (uint8_t)attributes;
    m.dict_type = make(1);
    m.str_type = make(1);
    m.thread_type = make(128);
    m.name = make_str(&m, "worker-7");
    m.number = make_int(NUMBER);
    make_thread(&m, place);
    make_interpreter(&m);
    return m;
}

static char *name_of(const struct made *m, struct python_threads *threads, uint64_t id,
                     pid_t number)
{
    return python_thread_name(getpid(), &m->offsets, addr(&m->interpreters), threads, id, number);
}

static void expect_name(const char *what, const struct made *m, const char *expect)
{
    struct python_threads threads = { 0 };
    _cleanup_free_ char *name = name_of(m, &threads, ID, NUMBER);

    if (!expect != !name || (name && strcmp(name, expect) != 0))
        fail_msg("%s: %s", what, name ? name : "no name");
}

static const struct {
    const char *what;
    int minor;
    enum python_attributes attributes;
    enum place place;
} forms[] = {
    { "3.8", 8, PYTHON_ATTRIBUTES_DICT, PLACE_DICT },
    { "3.10", 10, PYTHON_ATTRIBUTES_DICT, PLACE_DICT },
    { "3.11, values", 11, PYTHON_ATTRIBUTES_BEFORE, PLACE_VALUES },
    { "3.11, a dictionary", 11, PYTHON_ATTRIBUTES_BEFORE, PLACE_DICT },
    { "3.12, values", 12, PYTHON_ATTRIBUTES_TAGGED, PLACE_VALUES },
    { "3.12, a dictionary", 12, PYTHON_ATTRIBUTES_TAGGED, PLACE_DICT },
    { "3.13, values", 12, PYTHON_ATTRIBUTES_INLINE, PLACE_VALUES },
    { "3.13, a dictionary", 12, PYTHON_ATTRIBUTES_INLINE, PLACE_DICT },
};

static void names_a_thread_in_each_form(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        struct made m = make_target(forms[i].minor, forms[i].attributes, forms[i].place);

        expect_name(forms[i].what, &m, "worker-7");
    }
}

static void finds_the_thread_of_another_interpreter(void **state)
{
    struct made m = make_target(12, PYTHON_ATTRIBUTES_TAGGED, PLACE_VALUES);
    uint64_t *empty = make(INTERPRETER_WORDS);

    (void)state;
    empty[m.offsets.walk.interp_next / 8] = m.interpreters;
    m.interpreters = addr(empty);
    expect_name("the second interpreter", &m, "worker-7");
}

static void the_main_interpreter_knows_best(void **state)
{
    struct made m = make_target(12, PYTHON_ATTRIBUTES_TAGGED, PLACE_VALUES);

    (void)state;
    m.main = m.interpreters;
    m.name = make_str(&m, "MainThread");
    make_thread(&m, PLACE_VALUES);
    make_interpreter(&m);
    expect_name("two interpreters", &m, "worker-7");
    m.main = 0;
    expect_name("the first of two", &m, "MainThread");
}

static void finds_what_was_not_there_at_first(void **state)
{
    struct made m = make_target(11, PYTHON_ATTRIBUTES_BEFORE, PLACE_VALUES);
    uint64_t *modules = at(m.interpreters) + m.offsets.interp_modules / 8;
    uint64_t there = *modules;
    struct python_threads threads = { 0 };
    int n = 0;

    (void)state;
    *modules = 0;
    for (int i = 0; i < 5; i++)
        assert_null(name_of(&m, &threads, ID, NUMBER));
    *modules = there;
    for (char *name = NULL; !name; n++) {
        assert_true(n < 8);
        name = name_of(&m, &threads, ID, NUMBER);
        free(name);
    }
    assert_true(n > 1); /* it does not look each time */
}

/* The thread ended, and another has its id. */
static void another_number_has_no_name(void **state)
{
    struct made m = make_target(8, PYTHON_ATTRIBUTES_DICT, PLACE_DICT);
    struct python_threads threads = { 0 };

    (void)state;
    assert_null(name_of(&m, &threads, ID, NUMBER + 1));
    assert_null(name_of(&m, &threads, ID + 1, NUMBER));
    assert_null(name_of(&m, &threads, 0, NUMBER));
    assert_null(name_of(&m, &threads, ID, 0));
}

static void survives_what_makes_no_sense(void **state)
{
    struct made m = make_target(12, PYTHON_ATTRIBUTES_TAGGED, PLACE_VALUES);

    (void)state;
    at(m.name)[1] = addr(m.dict_type);
    expect_name("a name that is no string", &m, NULL);

    m = make_target(12, PYTHON_ATTRIBUTES_TAGGED, PLACE_VALUES);
    m.keys[3] = UINT64_MAX / 8;
    expect_name("more entries than memory", &m, NULL);

    m = make_target(12, PYTHON_ATTRIBUTES_TAGGED, PLACE_VALUES);
    m.keys[1] |= 0xff << 8;
    expect_name("indices of 2^255 bytes", &m, NULL);

    m = make_target(8, PYTHON_ATTRIBUTES_DICT, PLACE_DICT);
    m.keys[1] = UINT64_MAX;
    expect_name("a table of 2^64 slots", &m, NULL);

    m = make_target(12, PYTHON_ATTRIBUTES_TAGGED, PLACE_VALUES);
    m.active[1] = addr(m.str_type);
    expect_name("a list of threads that is no dictionary", &m, NULL);

    m = make_target(12, PYTHON_ATTRIBUTES_TAGGED, PLACE_VALUES);
    at(m.interpreters)[m.offsets.interp_modules / 8] = 16;
    at(m.interpreters)[0] = m.interpreters;
    expect_name("interpreters in a circle", &m, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_a_thread_in_each_form),
        cmocka_unit_test(finds_the_thread_of_another_interpreter),
        cmocka_unit_test(the_main_interpreter_knows_best),
        cmocka_unit_test(finds_what_was_not_there_at_first),
        cmocka_unit_test(another_number_has_no_name),
        cmocka_unit_test(survives_what_makes_no_sense),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
