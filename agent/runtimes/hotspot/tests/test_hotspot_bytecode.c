/* SPDX-License-Identifier: Apache-2.0 */
/* hotspot_bytecode: named instructions, whole and cut off. */
#include "agent/runtimes/hotspot/hotspot_bytecode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

enum { NOT_BACK = -1 };

static const struct {
    const char *name;
    uint8_t code[24];
    uint32_t size, at, length;
    int64_t back; /* where it jumps back to */
} cases[] = {
    { "iconst_0", { 0x03 }, 1, 0, 1, NOT_BACK },
    { "bipush 3", { 0x10, 3 }, 2, 0, 2, NOT_BACK },
    { "bipush, cut off", { 0x10 }, 1, 0, 0, NOT_BACK },
    { "iinc 1 1", { 0x84, 1, 1 }, 3, 0, 3, NOT_BACK },
    { "wide iinc", { 0xc4, 0x84, 0, 1, 0, 1 }, 6, 0, 6, NOT_BACK },
    { "wide iload", { 0xc4, 0x15, 0, 1 }, 4, 0, 4, NOT_BACK },
    { "wide, cut off", { 0xc4 }, 1, 0, 0, NOT_BACK },
    { "goto -3", { 0, 0, 0, 0xa7, 0xff, 0xfd }, 6, 3, 3, 0 },
    { "goto itself", { 0xa7, 0, 0 }, 3, 0, 3, 0 },
    { "goto +3", { 0xa7, 0, 3 }, 3, 0, 3, NOT_BACK },
    { "goto before the beginning", { 0xa7, 0xff, 0 }, 3, 0, 3, 0 },
    { "if_icmplt -1", { 0, 0xa1, 0xff, 0xff }, 4, 1, 3, 0 },
    { "ifnull -1", { 0, 0xc6, 0xff, 0xff }, 4, 1, 3, 0 },
    { "ifnonnull -1", { 0, 0xc7, 0xff, 0xff }, 4, 1, 3, 0 },
    { "goto_w -2", { 0, 0, 0xc8, 0xff, 0xff, 0xff, 0xfe }, 7, 2, 5, 0 },
    { "goto_w, cut off", { 0xc8, 0xff, 0xff, 0xff }, 4, 0, 0, NOT_BACK },
    { "tableswitch 1 to 2",
      { 0xaa, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 9, 0, 0, 0, 9 },
      24,
      0,
      24,
      NOT_BACK },
    { "tableswitch without a case",
      { 0xaa, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 2, 0, 0, 0, 1 },
      16,
      0,
      0,
      NOT_BACK },
    { "tableswitch of all numbers",
      { 0xaa, 0, 0, 0, 0, 0, 0, 9, 0x80, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff },
      16,
      0,
      0,
      NOT_BACK },
    { "lookupswitch of one, unaligned",
      { 0, 0, 0xab, 0, 0, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0, 7, 0, 0, 0, 9 },
      20,
      2,
      18,
      NOT_BACK },
    { "lookupswitch of none at all",
      { 0xab, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0 },
      12,
      0,
      12,
      NOT_BACK },
    { "lookupswitch of too many",
      { 0xab, 0, 0, 0, 0, 0, 0, 9, 0xff, 0xff, 0xff, 0xff },
      12,
      0,
      0,
      NOT_BACK },
    { "fast_linearswitch", { 228, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0 }, 12, 0, 12, NOT_BACK },
    { "invokestatic", { 0xb8, 0, 1 }, 3, 0, 3, NOT_BACK },
    { "invokeinterface", { 0xb9, 0, 1, 1, 0 }, 5, 0, 5, NOT_BACK },
    { "invokehandle", { 233, 0, 1 }, 3, 0, 3, NOT_BACK },
    { "fast_agetfield", { 203, 0, 1 }, 3, 0, 3, NOT_BACK },
    { "fast_aload_0", { 220 }, 1, 0, 1, NOT_BACK },
    { "fast_iaccess_0", { 221, 0, 0, 1 }, 4, 0, 4, NOT_BACK },
    { "fast_iload2", { 225, 1, 0x15, 2 }, 4, 0, 4, NOT_BACK },
    { "nofast_iload", { 237, 1 }, 2, 0, 2, NOT_BACK },
    { "breakpoint, over what is not known", { 0xca }, 1, 0, 0, NOT_BACK },
    { "shouldnotreachhere", { 238 }, 1, 0, 0, NOT_BACK },
    { "nothing", { 0 }, 0, 0, 0, NOT_BACK },
    { "behind the end", { 0 }, 1, 5, 0, NOT_BACK },
};

static void knows_instructions(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint32_t size = cases[i].size, back = 0, length;
        uint8_t *code = malloc(size + 1); /* a byte past its end is seen */
        bool is_back;

        assert_non_null(code);
        memcpy(code, cases[i].code, size);
        code = realloc(code, size ? size : 1);
        assert_non_null(code);
        length = hotspot_bytecode_length(code, size, cases[i].at);
        is_back = length > 0 && hotspot_bytecode_jumps_back(code, size, cases[i].at, &back);
        free(code);
        if (length != cases[i].length || is_back != (cases[i].back != NOT_BACK) ||
            (is_back && back != cases[i].back))
            fail_msg("%s: %u bytes, back to %u", cases[i].name, length, is_back ? back : 999);
    }
}

static void knows_calls(void **state)
{
    static const uint8_t calls[] = { 0xb6, 0xb7, 0xb8, 0xb9, 227, 233 }, others[] = { 0xb5, 0xba };

    (void)state;
    for (size_t i = 0; i < sizeof(calls); i++)
        assert_true(hotspot_bytecode_is_call(calls[i]));
    for (size_t i = 0; i < sizeof(others); i++)
        assert_false(hotspot_bytecode_is_call(others[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_instructions),
        cmocka_unit_test(knows_calls),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
