/* SPDX-License-Identifier: Apache-2.0 */
/* v8_step: the function of a frame, and where in its bytecode the interpreter is. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <linux/types.h>

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

static bool v8_read(void *to, __u32 size, __u64 addr);

#include "agent/bpf/v8_step.h"

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
/* clang-format on */

/* Objects, eight words each: the frame first, with its frame pointer behind it. */
enum { BASE = 0x10000, OBJECT_WORDS = 8, FP = BASE + 40 };
enum object {
    FRAME,
    FUNCTION,
    FUNCTION_MAP,
    SHARED,
    BYTECODE,
    BYTECODE_MAP,
    OTHER,
    OTHER_MAP,
    OBJECTS,
};
#define OBJECT(i) (BASE + (__u64)(i)*OBJECT_WORDS * 8 + V8_TAG)
#define SMALL(i)  ((__u64)(i) << 32)

/* As in Node.js 20. */
enum {
    FUNCTION_TYPE = 2066,
    BYTECODE_TYPE = 191,
    OTHER_TYPE = 7,
    BEGIN = 54 - V8_TAG,
    LENGTH = 40
};

static const struct v8_layout layout = { .map_type = 12,
                                         .first_function = 2066,
                                         .last_function = 2081,
                                         .function_shared = 24,
                                         .shared_name = 16,
                                         .shared_script = 32,
                                         .bytecode_type = BYTECODE_TYPE,
                                         .bytecode_data = 54 };

static __u64 world[OBJECTS][OBJECT_WORDS];
static unsigned reads;

static bool v8_read(void *to, __u32 size, __u64 addr)
{
    reads++;
    if (addr < BASE || addr > BASE + sizeof(world) - size)
        return false;
    memcpy(to, (const char *)world + (addr - BASE), size);
    return true;
}

static void set_map(enum object object, enum object map, __u64 type)
{
    world[object][0] = OBJECT(map);
    world[map][0] = OBJECT(map);
    world[map][1] = type << 32;
}

/* A frame of the interpreter, called from the third byte of its bytecode on. */
static void make_world(void)
{
    static const __u64 frame[] = { SMALL(BEGIN + 3), OBJECT(BYTECODE), 1, OBJECT(FUNCTION),
                                   OBJECT(OTHER) };

    memset(world, 0, sizeof(world));
    memcpy(world[FRAME], frame, sizeof(frame));
    set_map(FUNCTION, FUNCTION_MAP, FUNCTION_TYPE);
    world[FUNCTION][3] = OBJECT(SHARED);
    world[SHARED][2] = OBJECT(OTHER);
    world[SHARED][4] = OBJECT(OTHER) + 64;
    set_map(BYTECODE, BYTECODE_MAP, BYTECODE_TYPE);
    world[BYTECODE][1] = SMALL(LENGTH);
    set_map(OTHER, OTHER_MAP, OTHER_TYPE);
}

enum { FRAME_OFFSET, FRAME_BYTECODE, FRAME_ARGUMENTS, FRAME_FUNCTION, FRAME_CONTEXT, NOTHING };

static const struct {
    const char *name;
    unsigned word; /* of the frame, that is */
    __u64 is;
    struct v8_registers regs;
    bool runs;
    __u32 at;
} cases[] = {
    { "where it called", NOTHING, 0, { 0 }, true, 3 },
    { "where it is", NOTHING, 0, { OBJECT(BYTECODE), BEGIN + 9 }, true, 9 },
    { "at its end", NOTHING, 0, { OBJECT(BYTECODE), BEGIN + LENGTH }, true, 3 },
    { "before its beginning", NOTHING, 0, { OBJECT(BYTECODE), BEGIN - 1 }, true, 3 },
    { "registers of another function", NOTHING, 0, { OBJECT(OTHER), BEGIN + 9 }, true, 3 },
    { "compiled code", FRAME_OFFSET, OBJECT(OTHER), { 0 }, true, RUNTIME_AT_UNKNOWN },
    { "an offset before the bytecode",
      FRAME_OFFSET,
      SMALL(BEGIN - 1),
      { 0 },
      true,
      RUNTIME_AT_UNKNOWN },
    { "a huge offset", FRAME_OFFSET, SMALL(0xffffffff), { 0 }, true, RUNTIME_AT_UNKNOWN },
    { "another object for the bytecode",
      FRAME_BYTECODE,
      OBJECT(OTHER),
      { 0 },
      true,
      RUNTIME_AT_UNKNOWN },
    { "an object without a map for the bytecode",
      FRAME_BYTECODE,
      OBJECT(SHARED),
      { 0 },
      true,
      RUNTIME_AT_UNKNOWN },
    { "a number for the bytecode", FRAME_BYTECODE, SMALL(3), { 0 }, true, RUNTIME_AT_UNKNOWN },
    { "bytecode that cannot be read", FRAME_BYTECODE, 0x7000001, { 0 }, true, RUNTIME_AT_UNKNOWN },
    { "a marker for the context", FRAME_CONTEXT, 0x12, { 0 }, false, 0 },
    { "another object for the function", FRAME_FUNCTION, OBJECT(OTHER), { 0 }, false, 0 },
    { "a number for the function", FRAME_FUNCTION, SMALL(1), { 0 }, false, 0 },
};

static void finds_the_function_and_the_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct runtime_frame frame = { 0 };
        struct v8_seen seen = { 0 };

        make_world();
        if (cases[i].word != NOTHING)
            world[FRAME][cases[i].word] = cases[i].is;
        if (v8_step(&layout, FP, &cases[i].regs, &seen, &frame) != cases[i].runs)
            fail_msg("%s: %d", cases[i].name, !cases[i].runs);
        if (!cases[i].runs)
            continue;
        assert_int_equal(runtime_frame_object(&frame), OBJECT(SHARED));
        assert_int_equal(frame.check, v8_check(OBJECT(OTHER), OBJECT(OTHER) + 64));
        if (frame.at != (cases[i].at | RUNTIME_AT_ENTRY))
            fail_msg("%s: at %u", cases[i].name, frame.at & RUNTIME_AT_UNKNOWN);
    }
}

static void takes_few_reads_for_the_frames_of_a_stack(void **state)
{
    static const struct v8_registers none = { 0 };
    struct runtime_frame frame = { 0 };
    struct v8_seen seen = { 0 };

    (void)state;
    make_world();
    assert_true(v8_step(&layout, FP, &none, &seen, &frame));
    reads = 0;
    assert_true(v8_step(&layout, FP, &none, &seen, &frame));
    assert_int_equal(reads, 5); /* the frame, the function twice, what it shares, the bytecode */
}

static void knows_no_place_without_the_layout_of_bytecode(void **state)
{
    struct v8_layout unknown = layout;
    struct v8_registers regs = { OBJECT(BYTECODE), BEGIN + 9 };
    struct v8_seen seen = { 0 };
    struct runtime_frame frame = { 0 };

    (void)state;
    make_world();
    unknown.bytecode_data = 0;
    assert_true(v8_step(&unknown, FP, &regs, &seen, &frame));
    assert_int_equal(frame.at & RUNTIME_AT_UNKNOWN, RUNTIME_AT_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_function_and_the_place),
        cmocka_unit_test(takes_few_reads_for_the_frames_of_a_stack),
        cmocka_unit_test(knows_no_place_without_the_layout_of_bytecode),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
