/* SPDX-License-Identifier: Apache-2.0 */
/*
 * python_layout: the debug offsets that CPython 3.13.0 and 3.14 have in their data, against
 * offsetof() over the headers of those versions.
 */
#include "agent/runtimes/python/python_layout.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const uint64_t debug_offsets_13[] = { 8750607829840520312,
                                             51183856,
                                             0,
                                             283320,
                                             608,
                                             632,
                                             194968,
                                             7272,
                                             7264,
                                             7344,
                                             7400,
                                             7656,
                                             7640,
                                             7648,
                                             16,
                                             7752,
                                             0,
                                             7768,
                                             7760,
                                             304,
                                             0,
                                             8,
                                             16,
                                             72,
                                             152,
                                             160,
                                             232,
                                             32,
                                             80,
                                             8,
                                             0,
                                             56,
                                             72,
                                             70,
                                             208,
                                             112,
                                             120,
                                             128,
                                             136,
                                             68,
                                             52,
                                             96,
                                             104,
                                             200,
                                             16,
                                             8,
                                             416,
                                             24,
                                             88,
                                             168,
                                             32,
                                             24,
                                             16,
                                             40,
                                             24,
                                             16,
                                             48,
                                             32,
                                             40,
                                             24,
                                             16,
                                             32,
                                             16,
                                             24,
                                             40,
                                             16,
                                             32,
                                             64,
                                             32,
                                             16,
                                             40,
                                             240,
                                             200 };
static const uint64_t debug_offsets_14[] = { 8750607829840520312,
                                             51251952,
                                             0,
                                             316616,
                                             784,
                                             808,
                                             225864,
                                             7280,
                                             7272,
                                             7344,
                                             7360,
                                             7408,
                                             7688,
                                             7672,
                                             7680,
                                             16,
                                             7784,
                                             0,
                                             7800,
                                             7792,
                                             7992,
                                             0,
                                             832,
                                             0,
                                             8,
                                             16,
                                             72,
                                             152,
                                             160,
                                             232,
                                             32,
                                             88,
                                             8,
                                             0,
                                             56,
                                             80,
                                             74,
                                             64,
                                             0,
                                             216,
                                             112,
                                             120,
                                             128,
                                             136,
                                             68,
                                             52,
                                             96,
                                             104,
                                             208,
                                             0,
                                             16,
                                             8,
                                             416,
                                             24,
                                             88,
                                             168,
                                             40,
                                             32,
                                             16,
                                             40,
                                             24,
                                             16,
                                             200,
                                             24,
                                             40,
                                             32,
                                             48,
                                             32,
                                             40,
                                             24,
                                             16,
                                             32,
                                             16,
                                             24,
                                             40,
                                             16,
                                             32,
                                             64,
                                             32,
                                             16,
                                             40,
                                             264,
                                             192,
                                             160,
                                             24,
                                             72,
                                             67,
                                             0,
                                             8,
                                             24,
                                             304,
                                             8076,
                                             0,
                                             4,
                                             512 };

enum { COOKIE, VERSION, FREE_THREADED, INTERPRETERS = 5, CODE_FIRST_LINE = 44 };

static const char *read_words(int minor, const uint64_t *words, size_t size,
                              struct python_offsets *ret)
{
    return python_layout_read(minor, (const unsigned char *)words, size, ret);
}

static void reads_debug_offsets(void **state)
{
    static const struct python_offsets expect[] = {
        { .walk = { .interp_next = 7264,
                    .interp_threads = 7344,
                    .thread_next = 8,
                    .thread_id = 152,
                    .thread_frame = 72,
                    .thread_status = 32,
                    .active_mask = 1 << 4,
                    .cframe_frame = PYTHON_NO_FIELD,
                    .frame_code = 0,
                    .frame_back = 8,
                    .frame_instr = 56,
                    .frame_entry = 70,
                    .code_names = 112,
                    .n_names = 4,
                    .code_first_line = 68,
                    .code_instrs = 200,
                    .instr = PYTHON_INSTR_POINTER,
                    .entry = PYTHON_ENTRY_OWNER,
                    .owner_min = 3,
                    .frame_size = 78,
                    .code_size = 144 },
          .interpreters = 632,
          .interp_modules = 7656,
          .type_cached_keys = 880,
          .attributes = PYTHON_ATTRIBUTES_INLINE,
          .object_type = 8,
          .str_length = 16,
          .str_state = 32,
          .str_ascii = 40,
          .str_compact = 56,
          .bytes_length = 16,
          .bytes_data = 32,
          .state_shift = 2,
          .lines = PYTHON_LINES_LOCATIONS },
        { .walk = { .interp_next = 7272,
                    .interp_threads = 7344,
                    .thread_next = 8,
                    .thread_id = 152,
                    .thread_frame = 72,
                    .thread_status = 32,
                    .active_mask = 1 << 4,
                    .cframe_frame = PYTHON_NO_FIELD,
                    .frame_code = 0,
                    .frame_back = 8,
                    .frame_instr = 56,
                    .frame_entry = 74,
                    .code_names = 112,
                    .n_names = 4,
                    .code_first_line = 68,
                    .code_instrs = 208,
                    .instr = PYTHON_INSTR_POINTER,
                    .entry = PYTHON_ENTRY_OWNER,
                    .owner_min = 3,
                    .tag_mask = 3,
                    .frame_size = 82,
                    .code_size = 144 },
          .interpreters = 808,
          .interp_modules = 7688,
          .type_cached_keys = 880,
          .attributes = PYTHON_ATTRIBUTES_INLINE,
          .object_type = 8,
          .str_length = 16,
          .str_state = 32,
          .str_ascii = 40,
          .str_compact = 56,
          .bytes_length = 16,
          .bytes_data = 32,
          .state_shift = 2,
          .lines = PYTHON_LINES_LOCATIONS },
    };
    struct python_offsets offsets;

    (void)state;
    memset(&offsets, 0, sizeof(offsets));
    assert_null(read_words(13, debug_offsets_13, sizeof(debug_offsets_13), &offsets));
    assert_memory_equal(&offsets, &expect[0], sizeof(offsets));
    assert_null(read_words(14, debug_offsets_14, sizeof(debug_offsets_14), &offsets));
    assert_memory_equal(&offsets, &expect[1], sizeof(offsets));
}

static void says_what_it_cannot_use(void **state)
{
    uint64_t words[sizeof(debug_offsets_14) / sizeof(uint64_t)];
    struct python_offsets offsets;

    (void)state;
    assert_string_equal(read_words(7, NULL, 0, &offsets), "not supported, native frames only");
    assert_string_equal(read_words(15, NULL, 0, &offsets), "not supported, native frames only");
    assert_string_equal(read_words(14, NULL, 0, &offsets), "its debug offsets cannot be read");
    assert_string_equal(read_words(14, debug_offsets_13, sizeof(debug_offsets_13), &offsets),
                        "its debug offsets are of another version");
    assert_string_equal(read_words(14, debug_offsets_14, 80, &offsets),
                        "its debug offsets make no sense");
    memcpy(words, debug_offsets_14, sizeof(words));
    words[INTERPRETERS] = 1 << 20;
    assert_string_equal(read_words(14, words, sizeof(words), &offsets),
                        "its debug offsets make no sense");
    memcpy(words, debug_offsets_14, sizeof(words));
    words[CODE_FIRST_LINE] = PYTHON_FIELDS_MAX - 9;
    assert_null(read_words(14, words, sizeof(words), &offsets));
    words[CODE_FIRST_LINE]++;
    assert_string_equal(read_words(14, words, sizeof(words), &offsets),
                        "its debug offsets make no sense");
    memcpy(words, debug_offsets_14, sizeof(words));
    words[FREE_THREADED] = 1;
    assert_string_equal(read_words(14, words, sizeof(words), &offsets),
                        "free-threaded, not supported, native frames only");
    for (int minor = PYTHON_MINOR_MIN; minor < 13; minor++)
        assert_null(read_words(minor, NULL, 0, &offsets));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_debug_offsets),
        cmocka_unit_test(says_what_it_cannot_use),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
