/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/symbols/perf_map.h"

#include "lib/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

static char *name_one(const char *text, size_t len, uint64_t addr)
{
    struct perf_map_query query = { .addr = addr };
    struct perf_map_room room = { 1 << 20, 1 << 10 };
    FILE *in = fmemopen((char *)text, len, "r");

    assert_non_null(in);
    assert_true(perf_map_name(in, &query, 1, &room, &(struct name_room){ 1 << 20, 0 }));
    (void)fclose(in);
    return query.name;
}

static const struct {
    const char *name, *text;
    uint64_t addr;
    const char *expect; /* NULL: none */
} cases[] = {
    { "first byte", "1000 20 LazyCompile:*f /app/a.js:1\n", 0x1000, "LazyCompile:*f /app/a.js:1" },
    { "last byte", "1000 20 f\n", 0x101f, "f" },
    { "one past the end", "1000 20 f\n", 0x1020, NULL },
    { "with 0x", "0x1000 0x20 f\n", 0x1001, "f" },
    { "the last line holds", "1000 20 old\n1000 20 new\n", 0x1010, "new" },
    { "a later line over a part", "1000 100 old\n1040 10 new\n", 0x1048, "new" },
    { "beside that part", "1000 100 old\n1040 10 new\n", 0x1050, "old" },
    { "no newline at the end", "1000 20 f", 0x1000, "f" },
    { "carriage return", "1000 20 f\r\n", 0x1000, "f" },
    { "lines that do not parse", "x\n\n1000\n1000 20\n1000 20 \n1000 20 f\n", 0x1000, "f" },
    { "size 0", "1000 0 f\n", 0x1000, NULL },
    { "beyond the last address", "ffffffffffffff00 200 f\n", 0xffffffffffffff80, NULL },
    { "address of 17 digits", "10000000000000000 20 f\n", 0, NULL },
};

static void names_what_a_line_covers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *name = name_one(cases[i].text, strlen(cases[i].text), cases[i].addr);

        if ((name == NULL) != (cases[i].expect == NULL) ||
            (name && strcmp(name, cases[i].expect) != 0))
            fail_msg("%s: '%s'", cases[i].name, name ? name : "(none)");
        free(name);
    }
}

/* What follows the cut is not taken for a line of its own. */
static void cuts_long_lines(void **state)
{
    _cleanup_buf_ struct buf text = BUF_INIT(1 << 16);

    (void)state;
    assert_int_equal(buf_add_str(&text, "1000 20 "), 0);
    while (text.len < 4000)
        assert_int_equal(buf_add_str(&text, "2000 20 x "), 0);
    assert_int_equal(buf_add_str(&text, "\n3000 20 next\n"), 0);

    char *cut = name_one(text.data, text.len, 0x1000);
    char *inner = name_one(text.data, text.len, 0x2000);
    char *next = name_one(text.data, text.len, 0x3000);

    assert_non_null(cut);
    assert_true(strlen(cut) <= PERF_MAP_NAME_MAX + 64);
    assert_null(inner);
    assert_string_equal(next, "next");
    free(cut);
    free(next);
}

/* What a sparse file is full of. */
static void ends_at_a_nul(void **state)
{
    static const char text[] = "1000 20 one\n2000 20 t\0wo\n3000 20 three\n";

    (void)state;
    for (uint64_t addr = 0x1000; addr <= 0x3000; addr += 0x1000) {
        char *name = name_one(text, sizeof(text) - 1, addr);

        if (addr == 0x3000)
            assert_null(name);
        else
            assert_string_equal(name, addr == 0x1000 ? "one" : "t");
        free(name);
    }
}

static void a_sparse_file_costs_nothing(void **state)
{
    struct perf_map_query query = { .addr = 0x1000 };
    struct perf_map_room room = { PERF_MAPS_BYTES_MAX, PERF_MAPS_OVERLAPS_MAX };
    int fd = memfd_create("sparse", MFD_CLOEXEC);
    FILE *in = fd < 0 ? NULL : fdopen(fd, "r");

    (void)state;
    assert_non_null(in);
    assert_int_equal(ftruncate(fd, (off_t)1 << 40), 0);
    assert_true(perf_map_name(in, &query, 1, &room, &(struct name_room){ 1 << 20, 0 }));
    assert_null(query.name);
    assert_int_equal(room.bytes, PERF_MAPS_BYTES_MAX);
    (void)fclose(in);
}

/* One line of each file; a third one, or a third address, is beyond the room. */
static const struct {
    const char *what;
    struct perf_map_room room;
} rooms[] = {
    { "bytes", { 20, 1000 } },
    { "addresses", { 1000, 2 } },
};

static void all_files_share_one_room(void **state)
{
    static const char line[] = "1000 20 f\n";

    (void)state;
    for (size_t i = 0; i < sizeof(rooms) / sizeof(rooms[0]); i++) {
        struct perf_map_room room = rooms[i].room;

        for (int file = 0; file < 3; file++) {
            struct perf_map_query query = { .addr = 0x1000 };
            FILE *in = fmemopen((char *)line, sizeof(line) - 1, "r");
            bool has_room = perf_map_name(in, &query, 1, &room, &(struct name_room){ 1 << 20, 0 });

            (void)fclose(in);
            if (has_room != (file == 0) || (query.name != NULL) != (file < 2))
                fail_msg("%s, file %d", rooms[i].what, file);
            free(query.name);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_what_a_line_covers),
        cmocka_unit_test(cuts_long_lines),
        cmocka_unit_test(ends_at_a_nul),
        cmocka_unit_test(a_sparse_file_costs_nothing),
        cmocka_unit_test(all_files_share_one_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
