/* SPDX-License-Identifier: Apache-2.0 */
/* hotspot_compressed, hotspot_method: numbers, tables of lines, names. */
#include "agent/runtimes/hotspot/hotspot_compressed.h"
#include "agent/runtimes/hotspot/hotspot_method.h"
#include "lib/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

/* As runtime/compressedStream.cpp writes them: all but the last digit are 192 or more. */
static size_t write_u32(unsigned char *to, uint32_t value, bool no_zero)
{
    uint32_t more = no_zero ? 191 : 192, excluded = no_zero ? 1 : 0;
    size_t n = 0;

    while (value >= more && n < 4) {
        value -= more;
        to[n++] = (unsigned char)(more + excluded + value % 64);
        value >>= 6;
    }
    to[n++] = (unsigned char)(value + excluded);
    return n;
}

static void reads_what_was_written(void **state)
{
    static const uint32_t values[] = { 0,       1,       63,       190,        191,
                                       192,     255,     256,      12415,      12416,
                                       12479,   12480,   794750,   794751,     65535,
                                       1 << 20, 1 << 24, 1u << 31, UINT32_MAX, 1000003 };
    unsigned char bytes[8];

    (void)state;
    for (int no_zero = 0; no_zero < 2; no_zero++) {
        for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
            size_t n = write_u32(bytes, values[i], no_zero);
            struct hotspot_compressed c = { bytes, bytes + n, no_zero };

            assert_int_equal(hotspot_compressed_u32(&c), values[i]);
            assert_ptr_equal(c.at, c.end);
        }
    }
}

static void reads_known_numbers(void **state)
{
    static const struct {
        unsigned char bytes[5];
        size_t n;
        bool no_zero;
        uint32_t is, used;
    } cases[] = {
        { { 0 }, 1, false, 0, 1 },
        { { 191 }, 1, false, 191, 1 },
        { { 192, 0 }, 2, false, 192, 2 },
        { { 255, 3 }, 2, false, 255 + 3 * 64, 2 },
        { { 1 }, 1, true, 0, 1 },
        { { 191 }, 1, true, 190, 1 },
        { { 192, 1 }, 2, true, 191, 2 },
        /* What is none: a zero, and what ends too early. */
        { { 0 }, 1, true, 0, 1 },
        { { 200, 0, 9 }, 3, true, 0, 2 },
        { { 200 }, 1, false, 200, 1 },
        { { 0 }, 0, false, 0, 0 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hotspot_compressed c = { cases[i].bytes, cases[i].bytes + cases[i].n,
                                        cases[i].no_zero };

        assert_int_equal(hotspot_compressed_u32(&c), cases[i].is);
        assert_int_equal(c.at - cases[i].bytes, cases[i].used);
    }
}

static void reads_signs(void **state)
{
    static const int32_t values[] = { 0, 1, -1, 2, -2, 500, -500, INT32_MAX, INT32_MIN };
    unsigned char bytes[8];

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        uint32_t folded = (uint32_t)values[i] << 1 ^ (values[i] < 0 ? UINT32_MAX : 0);
        struct hotspot_compressed c = { bytes, bytes + write_u32(bytes, folded, true), true };

        assert_int_equal(hotspot_compressed_i32(&c), values[i]);
    }
}

/* Byte code 0 is of line 10, 3 of 11, 8 of 13; then far away 300 of 900, and back to line 12. */
static unsigned char table[64];

static size_t make_table(bool no_zero)
{
    static const int far[][2] = { { 292, 887 }, { 4, -888 } };
    size_t n = 0;

    table[n++] = 0 << 3 | 7;
    table[n++] = 0 << 3 | 3;
    table[n++] = 3 << 3 | 1;
    table[n++] = 5 << 3 | 2;
    for (size_t i = 0; i < 2; i++) {
        table[n++] = 0xff;
        for (size_t j = 0; j < 2; j++) {
            uint32_t v = (uint32_t)far[i][j];

            n += write_u32(table + n, v << 1 ^ (far[i][j] < 0 ? UINT32_MAX : 0), no_zero);
        }
    }
    table[n++] = 0;
    table[n++] = 1 << 3 | 1; /* of what follows the table */
    return n;
}

static void finds_lines(void **state)
{
    static const struct {
        uint32_t bci, line;
    } cases[] = {
        { 0, 10 },
        { 2, 10 },
        { 3, 11 },
        { 7, 11 },
        { 8, 13 },
        { 299, 13 },
        { 300, 900 },
        { 303, 900 },
        { 304, 12 },
        { 65535, 12 },
        { HOTSPOT_BCI_UNKNOWN, 0 },
    };

    (void)state;
    for (int no_zero = 0; no_zero < 2; no_zero++) {
        struct hotspot_method m = { .lines = table,
                                    .n_lines = make_table(no_zero),
                                    .no_zero = no_zero };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
            assert_int_equal(hotspot_method_line(&m, cases[i].bci), cases[i].line);
        /* Cut anywhere, it ends there. */
        for (size_t n = 0; n < m.n_lines; n++) {
            m.n_lines = n;
            assert_true(hotspot_method_line(&m, 304) <= 900);
        }
    }
    assert_int_equal(hotspot_method_line(&(struct hotspot_method){ 0 }, 5), 0);
}

static void makes_names(void **state)
{
    static const struct {
        const char *class_name, *method, *is;
    } cases[] = {
        { "Main", "main", "Main.main" },
        { "java/util/HashMap", "put", "java.util.HashMap.put" },
        { "java/util/HashMap$Node", "<init>", "java.util.HashMap$Node.<init>" },
        { "shop/Cart", "lambda$total$3", "shop.Cart.lambda$total$3" },
        { "shop/Cart$1", "run", "shop.Cart$1.run" },
        /* JDK 8 to 14; 15 to 20; 21 and newer; as debuggers write it. */
        { "shop/Cart$$Lambda$14", "apply", "shop.Cart$$Lambda.apply" },
        { "shop/Cart$$Lambda$14+0x0000000800c03000", "apply", "shop.Cart$$Lambda.apply" },
        { "shop/Cart$$Lambda+0x00007f2ba8001000", "apply", "shop.Cart$$Lambda.apply" },
        { "shop/Cart$$Lambda$14/0x0000000800c03000", "apply", "shop.Cart$$Lambda.apply" },
        { "java/lang/invoke/LambdaForm$MH+0x00007f2ba8001000", "invoke",
          "java.lang.invoke.LambdaForm$MH.invoke" },
        { "java/lang/invoke/LambdaForm$DMH$1234", "invokeStatic",
          "java.lang.invoke.LambdaForm$DMH.invokeStatic" },
        { "jdk/internal/reflect/GeneratedMethodAccessor17", "invoke",
          "jdk.internal.reflect.GeneratedMethodAccessor.invoke" },
        { "a/Hidden+0x00007f2ba8001000", "f", "a.Hidden.f" },
        /* What only looks like it. */
        { "a/$$Lambda", "f", "a.$$Lambda.f" },
        { "a/$$Lambda$x", "f", "a.$$Lambda$x.f" },
        { "a/$$Lambda$14b", "f", "a.$$Lambda$14b.f" },
        { "a/B+0x12", "f", "a.B+0x12.f" },
        { "a/B+0x00007f2ba8001000x", "f", "a.B+0x00007f2ba8001000x.f" },
        { "a/Proxy12", "f", "a.Proxy12.f" },
        { "", "", "." },
        { "/", "/", "../" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        _cleanup_free_ char *name = hotspot_name(cases[i].class_name, cases[i].method);

        assert_string_equal(name, cases[i].is);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_was_written),
        cmocka_unit_test(reads_known_numbers),
        cmocka_unit_test(reads_signs),
        cmocka_unit_test(finds_lines),
        cmocka_unit_test(makes_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
