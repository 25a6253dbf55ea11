/* SPDX-License-Identifier: Apache-2.0 */
/* v8_code: code that is found from a program counter, in made-up objects of this very process. */
#include "agent/runtimes/v8/v8_codes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* Instance types, and the layouts of two versions. */
enum { SHARED_TYPE = 282, CODE_TYPE = 187, BYTES_TYPE = 196, BYTECODE_TYPE = 186, OTHER_TYPE = 5 };

static const struct v8_image layouts[] = {
    { .major = 13,
      .walk = { .map_type = 12,
                .shared_name = 24,
                .shared_script = 40,
                .bytecode_type = BYTECODE_TYPE,
                .bytecode_data = 64 },
      .shared_type = SHARED_TYPE,
      .shared_code = 8,
      .bytecode_positions = 24,
      .code_type = CODE_TYPE,
      .bytes_type = BYTES_TYPE,
      .plain_bytes_type = BYTES_TYPE,
      .compiled = { 8, 16, 32, 40, 56, 52, 15, 10, 3, 7, 8 } },
    { .major = 9,
      .walk = { .map_type = 12,
                .shared_name = 16,
                .shared_script = 32,
                .bytecode_type = BYTECODE_TYPE,
                .bytecode_data = 54 },
      .shared_type = SHARED_TYPE,
      .shared_code = 8,
      .bytecode_positions = 32,
      .code_type = CODE_TYPE,
      .bytes_type = BYTES_TYPE,
      .plain_bytes_type = BYTES_TYPE,
      .compiled = { 16, 24, 0, 96, 40, 48, 15, 11, 2, 6, 7 } },
};

enum { LAYOUTS = sizeof(layouts) / sizeof(layouts[0]) };

/* Where in the world things are, in words; each map is two of them. */
enum {
    OTHER_MAP = 2,
    SHARED_MAP = 4,
    CODE_MAP = 6,
    BYTES_MAP = 8,
    BYTECODE_MAP = 10,
    OUTER = 20,
    INNER = 30,
    POSITIONS = 40,
    INLINED = 50,
    LITERALS = 60,
    WRAPPER = 70,
    DATA = 80,
    BYTECODE = 100,
    CODE = 130,
    STREAM = 200, /* code that is far longer than a page follows */
    WORDS = 4096,
};

/* The whole lies in one page at least, and what is in front of it can be read or not. */
static _Alignas(4096) uint64_t world[WORDS];

static uint64_t object(size_t at)
{
    return (uint64_t)(uintptr_t)&world[at] + 1;
}

static uint64_t small(uint64_t value)
{
    return value << 32;
}

static void put_map(size_t at, uint64_t type)
{
    world[at] = object(OTHER_MAP);
    world[at + 1] = type << 32;
}

static void put_bytes(size_t at, const void *bytes, size_t n)
{
    world[at] = object(BYTES_MAP);
    world[at + 1] = small(n);
    memcpy(&world[at + 2], bytes, n);
}

static void put_array(size_t at, size_t n)
{
    world[at] = object(OTHER_MAP);
    world[at + 1] = small(n);
}

static void put_function(const struct v8_image *v8, size_t at)
{
    world[at] = object(SHARED_MAP);
    world[at + v8->walk.shared_name / 8U] = object(OTHER_MAP);
    world[at + v8->walk.shared_script / 8U] = object(OTHER_MAP);
}

/* OUTER's code, in which a call of INNER at 136 is inlined from 4 on up to 9. */
static void put_tables(const struct v8_image *v8)
{
    static const uint8_t positions[] = { 0x02, 0x08, 0x08, 0xfc, 0x80, 0x80, 0x80,
                                         0x10, 0x0a, 0xf7, 0x80, 0x80, 0x80, 0x10 };
    static const struct {
        uint64_t position;
        int32_t literal, pad;
    } inlined = { 137 << 1, 0, -1 };
    const struct v8_compiled *c = &v8->compiled;

    put_bytes(POSITIONS, positions, sizeof(positions));
    put_bytes(INLINED, &inlined, sizeof(inlined));
    put_array(LITERALS, 1);
    world[LITERALS + 2] = object(INNER) | 2; /* weakly */
    world[WRAPPER] = object(OTHER_MAP);
    world[WRAPPER + 1] = object(OUTER);
    put_array(DATA, 10);
    world[DATA + 2 + c->literals] = object(LITERALS);
    world[DATA + 2 + c->shared] = object(v8->major > 12 ? WRAPPER : OUTER);
    world[DATA + 2 + c->inlined] = object(INLINED);
}

static uint64_t start_of(const struct v8_image *v8)
{
    return object(STREAM) - 1 + (v8->compiled.stream ? 32 : v8->compiled.start);
}

static size_t described(const struct v8_image *v8)
{
    return v8->compiled.stream ? CODE : STREAM;
}

static void set_u32(const struct v8_image *v8, uint16_t off, uint32_t value)
{
    memcpy((char *)&world[described(v8)] + off, &value, sizeof(value));
}

enum { SIZE = 20000 };

static void make_world(const struct v8_image *v8, uint32_t kind)
{
    const struct v8_compiled *c = &v8->compiled;
    uint64_t *code = &world[described(v8)];

    memset(world, 0, sizeof(world));
    put_map(OTHER_MAP, OTHER_TYPE);
    put_map(SHARED_MAP, SHARED_TYPE);
    put_map(CODE_MAP, CODE_TYPE);
    put_map(BYTES_MAP, BYTES_TYPE);
    put_map(BYTECODE_MAP, BYTECODE_TYPE);
    put_function(v8, OUTER);
    put_function(v8, INNER);
    put_tables(v8);
    world[BYTECODE] = object(BYTECODE_MAP);
    world[BYTECODE + 1] = small(16);
    world[OUTER + 1] = object(BYTECODE);
    if (c->stream) {
        world[STREAM] = object(OTHER_MAP);
        world[STREAM + 1] = object(CODE);
        code[c->stream / 8] = object(STREAM);
        code[c->start / 8] = start_of(v8);
    } else {
        world[STREAM + 1] = world[STREAM + 4] = object(OTHER_MAP);
    }
    code[0] = object(CODE_MAP);
    code[c->data / 8] = object(DATA);
    code[c->positions / 8] = object(POSITIONS);
    set_u32(v8, c->size, SIZE);
    set_u32(v8, c->flags, kind | 0x40);
}

static void finds_code_that_is_longer_than_a_page(void **state)
{
    (void)state;
    for (size_t i = 0; i < LAYOUTS; i++) {
        const struct v8_image *v8 = &layouts[i];
        struct v8_code_call calls[4];
        struct v8_code code;

        make_world(v8, v8->compiled.baseline_kind + 2U);
        for (uint64_t off = 0; off < SIZE; off += 1999) {
            assert_true(v8_code_read(getpid(), v8, start_of(v8) + off, object(OUTER), &code));
            assert_int_equal(code.start, start_of(v8));
            assert_int_equal(code.size, SIZE);
            assert_false(code.is_baseline);
            assert_true(v8_code_is_there(getpid(), v8, &code));
            v8_code_release(&code);
        }
        assert_false(v8_code_read(getpid(), v8, start_of(v8) - 1, object(OUTER), &code));
        assert_false(v8_code_read(getpid(), v8, start_of(v8) + SIZE, object(OUTER), &code));
        assert_true(v8_code_read(getpid(), v8, start_of(v8) + 4, object(OUTER), &code));
        assert_int_equal(v8_code_calls(&code, start_of(v8) + 4, calls, 4), 2);
        assert_int_equal(calls[0].shared, object(INNER));
        assert_int_equal(calls[0].check, v8_check(object(OTHER_MAP), object(OTHER_MAP)));
        assert_true(calls[0].is_inlined);
        assert_int_equal(calls[1].shared, object(OUTER));
        assert_int_equal(calls[1].place, 136);
        assert_int_equal(v8_code_calls(&code, start_of(v8) + 3, calls, 4), 1);
        v8_code_release(&code);
    }
}

static void reads_baseline_code_with_its_bytecode(void **state)
{
    (void)state;
    for (size_t i = 0; i < LAYOUTS; i++) {
        const struct v8_image *v8 = &layouts[i];
        uint64_t pc = start_of(v8) + 100;
        struct v8_code code;

        make_world(v8, v8->compiled.baseline_kind);
        assert_false(v8_code_read(getpid(), v8, pc, object(OUTER), &code)); /* not what runs it */
        world[OUTER + 1] = object(WRAPPER);
        world[WRAPPER + 1] = object(described(v8));
        world[WRAPPER + 2] = object(BYTECODE);
        assert_true(v8_code_read(getpid(), v8, pc, object(OUTER), &code));
        assert_true(code.is_baseline);
        assert_int_equal(code.n_bytecode, 16);
        v8_code_release(&code);
        world[BYTECODE + 1] = small(V8_BYTECODE_MAX + 1);
        assert_false(v8_code_read(getpid(), v8, pc, object(OUTER), &code));
    }
}

/* A word of the world that is changed, and what is still known then. */
enum known { NO_CODE, NO_CALLS, NO_INNER };

static const struct {
    const char *name;
    size_t layout, at;
    uint64_t is;
    enum known known;
} torn[] = {
    { "code of no type that is known", 0, CODE_MAP + 1, 0, NO_CODE },
    { "code with another stream", 0, CODE + 4, 0x7001, NO_CODE },
    { "instructions in front of their object", 0, CODE + 5, 0x1000, NO_CODE },
    { "no instructions", 0, CODE + 7, 0, NO_CODE },
    { "more instructions than can be", 0, CODE + 7, UINT32_MAX, NO_CODE },
    { "a table that is a number", 0, CODE + 2, 0, NO_CODE },
    { "no array of bytes", 0, BYTES_MAP + 1, 0, NO_CODE },
    { "a table of any length", 0, POSITIONS + 1, UINT64_MAX << 32, NO_CODE },
    { "an empty table", 0, POSITIONS + 1, 0, NO_CALLS },
    { "data that is empty", 0, DATA + 1, 0, NO_CODE },
    { "another function", 0, WRAPPER + 1, 0x7001, NO_CODE },
    { "no calls that are inlined", 0, INLINED + 1, 0, NO_INNER },
    { "a function past the literals", 0, INLINED + 3, 1, NO_INNER },
    { "a literal that is no function", 0, LITERALS + 2, 0x7001, NO_INNER },
    { "a call inlined into itself", 0, INLINED + 2, 1ULL << 31, NO_INNER },
    { "another kind", 1, STREAM + 6, 2, NO_CODE },
    { "no object in the head", 1, STREAM + 4, 0x50, NO_CODE },
    { "another function's", 1, DATA + 8, 0x7001, NO_CODE },
};

static void gives_up_where_things_do_not_fit(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(torn) / sizeof(torn[0]); i++) {
        const struct v8_image *v8 = &layouts[torn[i].layout];
        struct v8_code_call calls[4];
        struct v8_code code;
        uint64_t pc = start_of(v8) + 4;

        make_world(v8, v8->compiled.baseline_kind + 2U);
        world[torn[i].at] = torn[i].is;
        if (v8_code_read(getpid(), v8, pc, object(OUTER), &code) != (torn[i].known != NO_CODE))
            fail_msg("%s", torn[i].name);
        if (torn[i].known == NO_CODE)
            continue;
        if (v8_code_calls(&code, pc, calls, 4) != 0 ||
            v8_code_calls(&code, pc - 2, calls, 4) != (torn[i].known == NO_INNER))
            fail_msg("%s: calls", torn[i].name);
        v8_code_release(&code);
    }
}

static void notices_code_that_is_not_there_any_more(void **state)
{
    const struct v8_image *v8 = &layouts[0];
    struct v8_codes codes = { 0 };
    uint64_t pc = start_of(v8) + 4;
    const struct v8_code *first;

    (void)state;
    make_world(v8, v8->compiled.baseline_kind + 2U);
    first = v8_codes_find(&codes, getpid(), v8, pc, object(OUTER));
    assert_non_null(first);
    assert_ptr_equal(v8_codes_find(&codes, getpid(), v8, pc + 1, object(OUTER)), first);
    assert_int_equal(codes.n, 1);
    assert_null(v8_codes_find(&codes, getpid(), v8, pc, object(INNER)));
    assert_non_null(v8_codes_find(&codes, getpid(), v8, pc, object(OUTER)));
    world[CODE + 7] = SIZE / 2;
    assert_int_equal(v8_codes_find(&codes, getpid(), v8, pc, object(OUTER))->size, SIZE / 2);
    world[CODE + 1] = 0;
    assert_null(v8_codes_find(&codes, getpid(), v8, pc, object(OUTER)));
    assert_int_equal(codes.n, 0);
    v8_codes_release(&codes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_code_that_is_longer_than_a_page),
        cmocka_unit_test(reads_baseline_code_with_its_bytecode),
        cmocka_unit_test(gives_up_where_things_do_not_fit),
        cmocka_unit_test(notices_code_that_is_not_there_any_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
