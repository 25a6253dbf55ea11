/* SPDX-License-Identifier: Apache-2.0 */
/*
 * v8_positions: tables that each version of V8 made of one function, against what that version
 * says of its bytecode itself (--print-bytecode).
 */
#include "agent/runtimes/v8/v8_code.h"
#include "agent/runtimes/v8/v8_function.h"
#include "agent/runtimes/v8/v8_positions.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/*
 *     function add(a, b) {
 *       return a * b +
 *         (a ^ b);
 *     }
 *     function sample(n) {
 *       let total = 0;
 *       for (let i = 0; i < n; i++) {
 *         total += add(i, n);
 *         if (total > 1e9)
 *           total = total % 1000;
 *       }
 *       return total;
 *     }
 */
static const struct {
    const char *version;
    const char *table;     /* hexadecimal */
    const char *positions; /* what is said of the bytecodes that have one: offset@position */
} tables[] = {
    { "9.4", "01940202500448041405000a400724183c0d280a3405380e9b020b5f06b4030434",
      "0@88 2@106 4@111 6@111 11@127 14@136 26@151 32@161 37@174 39@188 46@117 51@93 54@202 "
      "56@215" },
    { "10.2", "01940202500448041405000a400724183c0d280a3405380e9b020b5f06b4030434",
      "0@88 2@106 4@111 6@111 11@127 14@136 26@151 32@161 37@174 39@188 46@117 51@93 54@202 "
      "56@215" },
    { "11.3", "01940202500448041405000a400724183c0d280a3405380e9b020b5f08b4030434",
      "0@88 2@106 4@111 6@111 11@127 14@136 26@151 32@161 37@174 39@188 46@117 51@93 55@202 "
      "57@215" },
    { "12.4", "01940202500448041405000a400724183c0d280a3405380e9b020b5f08b4030434",
      "0@88 2@106 4@111 6@111 11@127 14@136 26@151 32@161 37@174 39@188 46@117 51@93 55@202 "
      "57@215" },
    { "13.6", "01940202500448041405000a400724183c0d280a3405380e9b020b5f08b4030434",
      "0@88 2@106 4@111 6@111 11@127 14@136 26@151 32@161 37@174 39@188 46@117 51@93 55@202 "
      "57@215" },
};

static size_t from_hex(const char *text, uint8_t *bytes)
{
    size_t n = strlen(text) / 2;

    for (size_t i = 0; i < n; i++) {
        char two[] = { text[2 * i], text[2 * i + 1], '\0' };

        bytes[i] = (uint8_t)strtoul(two, NULL, 16);
    }
    return n;
}

/* The next two numbers of "1@2 3@4"; false: there are no more. */
static bool next_pair(const char **text, long *ret_first, long *ret_second)
{
    char *end;

    if (!**text)
        return false;
    *ret_first = strtol(*text, &end, 10);
    assert_int_equal(*end, '@');
    *ret_second = strtol(end + 1, &end, 10);
    *text = *end ? end + 1 : end;
    return true;
}

enum { BYTES_MAX = 256 };

static void tells_the_position_that_v8_tells(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        uint8_t table[BYTES_MAX];
        size_t n = from_hex(tables[i].table, table);
        const char *rest = tables[i].positions;
        long at, place, before = -1, offset = 0; /* the first one has a position */

        while (next_pair(&rest, &at, &place)) {
            struct v8_position position = { -2, -2 };

            for (; offset < at; offset++) { /* up to here the one before holds */
                assert_true(v8_positions_find(table, n, (uint32_t)offset, &position));
                assert_int_equal(position.place, before);
            }
            if (!v8_positions_find(table, n, (uint32_t)at, &position) || position.place != place)
                fail_msg("%s: %d, not %ld, at %ld", tables[i].version, position.place, place, at);
            assert_int_equal(position.inlined, -1);
            before = place;
        }
    }
}

/* The same function's baseline code in 11.3: where in it the code of each bytecode begins. */
static const char bytecodes[] = "0cc40cc30b036df900992e1702c163f7f9030239fa0119faf8c4010d00ca9a3b"
                                "6efa04990b0bfa0049e8030500c40bf95106c3892f00070bfaa9";
static const char lengths[] = "1802040204040b1b08041b0e08040a0e1b041404040a04760411";
static const char begins[] = "0@24 1@26 2@30 3@32 4@36 6@40 9@51 11@78 13@86 14@90 19@117 22@131 "
                             "25@139 26@143 32@153 35@167 37@194 39@198 45@218 46@222 48@226 "
                             "50@236 51@240 55@358 57@362";

/* Those of the bytecodes that it has; the widest one has its size in the last row. */
static struct v8_bytecode_sizes sizes_of_11(void)
{
    static const struct {
        uint8_t bytecode, size;
    } single[] = { { 0x0b, 2 }, { 0x0c, 1 }, { 0x17, 2 }, { 0x19, 3 }, { 0x2e, 3 }, { 0x39, 3 },
                   { 0x51, 2 }, { 0x63, 5 }, { 0x6d, 3 }, { 0x6e, 3 }, { 0x89, 4 }, { 0x99, 2 },
                   { 0xa9, 1 }, { 0xc1, 1 }, { 0xc3, 1 }, { 0xc4, 1 } };
    struct v8_bytecode_sizes sizes = { .n = 0xc6 };

    for (size_t i = 0; i < sizeof(single) / sizeof(single[0]); i++)
        sizes.sizes[0][single[i].bytecode] = single[i].size;
    sizes.sizes[1][0x49] = 5;
    sizes.sizes[2][0x0d] = 5;
    return sizes;
}

static void finds_the_bytecode_of_baseline_code(void **state)
{
    struct v8_bytecode_sizes sizes = sizes_of_11();
    uint8_t table[BYTES_MAX], code[BYTES_MAX];
    size_t n = from_hex(lengths, table), n_code = from_hex(bytecodes, code);
    const char *rest = begins;
    long offset, pc, before = 0;
    uint32_t found = 0;

    (void)state;
    while (next_pair(&rest, &offset, &pc)) {
        assert_true(v8_baseline_find(&sizes, table, n, code, n_code, (uint32_t)pc - 1, &found));
        assert_int_equal(found, before);
        if (!v8_baseline_find(&sizes, table, n, code, n_code, (uint32_t)pc, &found) ||
            found != offset)
            fail_msg("%u, not %ld, at %ld", found, offset, pc);
        before = offset;
    }
    assert_false(v8_baseline_find(&sizes, table, n, code, n_code, 4000, &found));
    assert_false(v8_baseline_find(&sizes, table, 3, code, n_code, 200, &found));
    assert_false(v8_baseline_find(&sizes, table, n, code, 3, 200, &found));
    assert_false(v8_baseline_find(&sizes, table, 0, code, n_code, 0, &found));
    sizes.n = 0;
    assert_false(v8_baseline_find(&sizes, table, n, code, n_code, 24, &found));
}

/* Optimised code of it, with add() inlined, 11.3: the positions from an independent reading. */
static const char optimised[] = "0394024fac01e101c4fdffff0f1b340d2313effcffff0f19641baf011b5f17e803"
                                "436b0bdf035d64";

enum { SAMPLE = 0x1001, ADD = 0x2001, START = 0x10000 };

static const struct {
    uint32_t offset;
    const char *calls; /* innermost first */
} places[] = {
    { 0, "sample@68" },           { 38, "sample@68" },          { 39, "sample@111" },
    { 150, "sample@111" },        { 151, "add@32 sample@136" }, { 163, "add@32 sample@136" },
    { 164, "add@45 sample@136" }, { 170, "add@36 sample@136" }, { 179, "sample@136" },
    { 191, "sample@161" },        { 400, "sample@93" },
};

static struct v8_code code_of(uint8_t *positions, const char *hex, struct v8_inlined *inlined,
                              size_t n)
{
    return (struct v8_code){ .start = START,
                             .size = 408,
                             .shared = SAMPLE,
                             .positions = positions,
                             .n_positions = from_hex(hex, positions),
                             .inlined = inlined,
                             .n_inlined = n };
}

static void print_calls(const struct v8_code *code, uint64_t pc, size_t max, char *text,
                        size_t size)
{
    struct v8_code_call calls[8];
    size_t n = v8_code_calls(code, pc, calls, max), len = 0;

    *text = '\0';
    for (size_t i = 0; i < n; i++)
        len += (size_t)snprintf(text + len, size - len, "%s%s@%d", i ? " " : "",
                                calls[i].shared == ADD ? "add" : "sample", calls[i].place);
}

static void tells_inlined_functions(void **state)
{
    struct v8_inlined inlined[] = { { ADD, 0, v8_position_of(0x112) } };
    uint8_t positions[BYTES_MAX];
    struct v8_code code = code_of(positions, optimised, inlined, 1);
    char calls[BYTES_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        print_calls(&code, START + places[i].offset, 8, calls, sizeof(calls));
        assert_string_equal(calls, places[i].calls);
    }
}

/* What is in a table or around it, and what must not become a call. */
static void gives_up_on_inlined_functions_that_are_not_known(void **state)
{
    static const struct v8_position in_itself = { 136, 0 }, in_later = { 136, 7 };
    struct v8_inlined inlined[] = { { ADD, 0, { 136, -1 } } };
    uint8_t positions[BYTES_MAX];
    struct v8_code code = code_of(positions, optimised, inlined, 1);
    char calls[BYTES_MAX];

    (void)state;
    print_calls(&code, START + 152, 1, calls, sizeof(calls)); /* no room for the outer one */
    assert_string_equal(calls, "");
    code.n_inlined = 0;
    print_calls(&code, START + 152, 8, calls, sizeof(calls));
    assert_string_equal(calls, "");
    code.n_inlined = 1;
    inlined[0].position = in_itself;
    print_calls(&code, START + 152, 8, calls, sizeof(calls));
    assert_string_equal(calls, "");
    inlined[0].position = in_later;
    print_calls(&code, START + 152, 8, calls, sizeof(calls));
    assert_string_equal(calls, "");
    inlined[0] = (struct v8_inlined){ 0, 0, { 136, -1 } };
    print_calls(&code, START + 152, 8, calls, sizeof(calls));
    assert_string_equal(calls, "");
}

static const struct {
    const char *name;
    const char *table;
    uint32_t offset;
    bool found;
    int32_t place;
} hostile[] = {
    { "no table", "", 0, false, 0 },
    { "half an entry", "00", 0, false, 0 },
    { "a number without an end", "ffffffffffffffffffffffffffff", 0, false, 0 },
    { "a number that ends with the table", "0080", 0, false, 0 },
    { "an entry, then a cut one", "000402", 0, false, 0 },
    { "a cut entry behind the place", "00040a040280", 0, true, 0 },
    { "no position at all", "0000", 0, true, -1 },
    { "a position in another file", "0006", 0, true, -1 },
    { "the largest position", "00fcffffff0f", 0, true, (1 << 30) - 2 },
    { "positions that wrap around", "0003", 0, true, (1 << 30) - 2 },
    { "what is no statement", "0a040304", 5, true, 1 },
    { "the last offset", "0004", UINT32_MAX, true, 0 },
};

static void survives_any_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
        uint8_t table[BYTES_MAX];
        size_t n = from_hex(hostile[i].table, table);
        struct v8_position position = { 0, 0 };
        bool found = v8_positions_find(table, n, hostile[i].offset, &position);

        if (found != hostile[i].found || (found && position.place != hostile[i].place))
            fail_msg("%s: found %d, %d", hostile[i].name, found, position.place);
    }
}

static void counts_the_lines_of_a_part(void **state)
{
    uint32_t ends[] = { 5, 10, 20, 30 };
    struct v8_lines whole = { ends, 4, 0 }, part;

    (void)state;
    v8_lines_cut(&whole, 8, 25, &part);
    assert_int_equal(part.n, 2);
    for (int64_t place = 8; place <= 25; place++)
        assert_int_equal(v8_lines_at(&part, place), v8_lines_at(&whole, place));
    assert_int_equal(v8_lines_at(&whole, 5), 1);
    assert_int_equal(v8_lines_at(&whole, 6), 2);
    assert_int_equal(v8_lines_at(&whole, -1), 0);
    free(part.ends);
    v8_lines_cut(&whole, 40, 8, &part);
    assert_int_equal(part.n, 0);
    free(part.ends);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_the_position_that_v8_tells),
        cmocka_unit_test(finds_the_bytecode_of_baseline_code),
        cmocka_unit_test(tells_inlined_functions),
        cmocka_unit_test(gives_up_on_inlined_functions_that_are_not_known),
        cmocka_unit_test(survives_any_table),
        cmocka_unit_test(counts_the_lines_of_a_part),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
