/* SPDX-License-Identifier: Apache-2.0 */
/*
 * python_code: line tables that each version of CPython made of one function, against what that
 * version says of them itself (co_lines(); before 3.10 dis.findlinestarts()).
 */
#include "agent/bpf/runtime_frame.h"
#include "agent/runtimes/python/python_code.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/*
 *     def sample(a, b):                 line 42
 *         total = 0
 *         for i in range(a):
 *             if i % 3 == 0:
 *                 total += (
 *                     i
 *                     * b
 *                 )
 *             else:
 *                 try:
 *                     total -= len(str(i))
 *                 except ValueError:
 *                     total = 0
 *         return [
 *             v for v in range(total)
 *         ]
 */
static const struct {
    const char *version;
    enum python_lines how;
    int first_line;
    const char *table; /* hexadecimal */
    const char *lines; /* of each code unit of two bytes; 45*3: three times; 0: none */
} tables[] = {
    { "3.8", PYTHON_LINES_LNOTAB, 42,
      "000104010c010c010201020102ff02ff0605020114010e010c01060106ff",
      "43*2 44*6 45*6 46 47 48 47 46*3 51 52*10 53*7 54*6 55*3 56*3 55*3" },
    { "3.9", PYTHON_LINES_LNOTAB, 42,
      "000104010c010c010201020102ff02ff0605020114010c010c01060106ff",
      "43*2 44*6 45*6 46 47 48 47 46*3 51 52*10 53*6 54*6 55*3 56*3 55*3" },
    { "3.10", PYTHON_LINES_PEP_626, 42,
      "04010c010c0102010201020102ff06ff020514010c01080102ff0602060106ff",
      "43*2 44*6 45*6 46 47 48 47 46*3 51 52*10 53*6 54*4 53 55*3 56*3 55*3" },
    { "3.11", PYTHON_LINES_LOCATIONS, 42,
      "8000d80c0d8045dd0d12903189588c58f0000a051af0000a051a8801d80b0c8871893590418a3a88"
      "3ad80c11d81011d81213f103011114f103030d0e88458845f00a030d1ad810159d139d53a0119956"
      "9c56991b9c1bd1102490059005f8dd131df000010d1af000010d1af000010d1ad818199005900590"
      "05f003010d1af8f8f8f004020c06f000020c06dd13189815913c943cf003020c06f100020c06f400"
      "020c06f000020506",
      "42 43*2 44*17 45*9 46 47 48 47*2 46*4 51 52*32 0 53*9 54*4 53 0*3 55*2 56*14 55*"
      "9" },
    { "3.12", PYTHON_LINES_LOCATIONS, 42,
      "8000d80c0d8045dc0d1290318b58f2000a051a8801d80b0c8871893590418a3ad80c11d81011d812"
      "13f103011114f103030d0e8945f00a030d1ad810159c139c53a0119b569b1bd110249105f0110a05"
      "1af4180014199815933cf603020c06d80e0f8a01f203020c06f000020506f8f40500141ef200010d"
      "1ad818199205f003010d1afcf204020c06",
      "42 43*2 44*14 45*8 46 47 48 47*2 46*4 51 52*24 44 56*10 55*7 56*4 55*4 0 53*8 54"
      "*4 53 0*5 55*3" },
    { "3.13", PYTHON_LINES_LOCATIONS, 42,
      "8000d80c0d8045dc0d1290318e588801d80b0c8871893590418b3ad80c11d81011d81213f1030111"
      "14f103030d0e8a45f00a030d1ad810159c139c53a0119b569b1bd110249205f111000e16f4180014"
      "199815943cf303020c06d9131f88618a01913cf103020c06f000020506f8f40500141ef300010d1a"
      "d818199305f003010d1afcf204020c06",
      "42 43*2 44*14 45*9 46 47 48 47*2 46*5 51 52*25 44*2 56*11 55*4 56*8 55*3 0 53*9 "
      "54*5 53 0*5 55*3" },
    { "3.14", PYTHON_LINES_LOCATIONS, 42,
      "8000d80c0d8045dc0d1290318e588801d80b0c88718d3590418c3ad80c11d81011d81213f5030111"
      "14f503030d0e8a45f00a030d1ad810159c139c53a0119b569b1bd510249205f111000e16f4180014"
      "199815943cf303020c06d9131f88618a01913cf103020c06f000020506f8f40500141ef400010d1a"
      "d818199305f003010d1afcf204020c06",
      "42 43*2 44*14 45*14 46 47 48 47*6 46*9 51 52*29 44*2 56*11 55*4 56*8 55*3 0 53*1"
      "0 54*5 53 0*5 55*3" },
};

static size_t from_hex(const char *text, unsigned char *to)
{
    size_t n = strlen(text) / 2;

    for (size_t i = 0; i < n; i++)
        assert_int_equal(sscanf(text + 2 * i, "%2hhx", &to[i]), 1);
    return n;
}

static void tells_the_line_that_the_interpreter_tells(void **state)
{
    unsigned char bytes[512];

    (void)state;
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        struct python_code code = { .lines = bytes,
                                    .n_lines = from_hex(tables[i].table, bytes),
                                    .first_line = tables[i].first_line };
        const char *at = tables[i].lines;
        uint32_t unit = 0;

        while (*at) {
            char *end;
            long line = strtol(at, &end, 10), times = *end == '*' ? strtol(end + 1, &end, 10) : 1;

            for (long j = 0; j < times; j++, unit++) {
                int found = python_code_line(&code, tables[i].how, unit * 2);

                if (found != line)
                    fail_msg("%s, unit %u: line %d, not %ld", tables[i].version, unit, found, line);
            }
            at = *end == ' ' ? end + 1 : end;
        }
        assert_true(unit > 40);
    }
}

#define BYTES(...) (unsigned char[]){ __VA_ARGS__ }, sizeof((unsigned char[]){ __VA_ARGS__ })

/* Tables that no compiler makes. */
static const struct {
    const char *name;
    enum python_lines how;
    const unsigned char *table;
    size_t n;
    uint32_t at;
    int line; /* the first is 10 */
} cases[] = {
    { "lnotab of one byte", PYTHON_LINES_LNOTAB, BYTES(1), 4, 10 },
    { "lnotab to a line before the first", PYTHON_LINES_LNOTAB, BYTES(0, 0x80), 0, 0 },
    { "past the end of 3.10's table", PYTHON_LINES_PEP_626, BYTES(2, 1), 2, 0 },
    { "no line in 3.10's table", PYTHON_LINES_PEP_626, BYTES(2, 0x80), 0, 0 },
    { "a number cut at its end", PYTHON_LINES_LOCATIONS, BYTES(0xe8, 0x7f), 0,
      10 - 31 > 0 ? 1 : 0 },
    { "a number without an end", PYTHON_LINES_LOCATIONS,
      BYTES(0xe8, 0x7e, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f), 0, 536870921 },
    { "bytes that begin no entry", PYTHON_LINES_LOCATIONS, BYTES(0, 1, 2, 0xd8, 1, 1), 0, 10 },
    { "past the end", PYTHON_LINES_LOCATIONS, BYTES(0xd8, 1, 1), 2, 0 },
    { "an instruction that is not known", PYTHON_LINES_LOCATIONS, BYTES(0xd8, 1, 1),
      RUNTIME_AT_UNKNOWN, 0 },
};

static void survives_any_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct python_code code = { .lines = (unsigned char *)cases[i].table,
                                    .n_lines = cases[i].n,
                                    .first_line = 10 };
        int line = python_code_line(&code, cases[i].how, cases[i].at);

        if (line != cases[i].line)
            fail_msg("%s: line %d, not %d", cases[i].name, line, cases[i].line);
    }
    assert_int_equal(python_code_line(&(struct python_code){ .first_line = 3 }, 0, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_the_line_that_the_interpreter_tells),
        cmocka_unit_test(survives_any_table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
