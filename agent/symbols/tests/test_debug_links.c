/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/symbols/debug_links.h"

#include "lib/cleanup.h"
#include "lib/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define BYTES(text) (text), sizeof(text) - 1

static const struct {
    const char *what;
    const char *notes;
    size_t size;
    const char *path; /* NULL: no build-id */
} id_cases[] = {
    { "one note", BYTES("\4\0\0\0\3\0\0\0\3\0\0\0GNU\0\xab\xcd\xef\0"),
      "/usr/lib/debug/.build-id/ab/cdef.debug" },
    { "without the last padding", BYTES("\4\0\0\0\3\0\0\0\3\0\0\0GNU\0\xab\xcd\xef"),
      "/usr/lib/debug/.build-id/ab/cdef.debug" },
    { "behind another one",
      BYTES("\2\0\0\0\1\0\0\0\3\0\0\0X\0\0\0#\0\0\0\4\0\0\0\2\0\0\0\3\0\0\0GNU\0\x01\x02"),
      "/usr/lib/debug/.build-id/01/02.debug" },
    { "another vendor's type 3", BYTES("\4\0\0\0\2\0\0\0\3\0\0\0GNX\0\x01\x02"), NULL },
    { "another type", BYTES("\4\0\0\0\2\0\0\0\1\0\0\0GNU\0\x01\x02"), NULL },
    { "no bytes", BYTES("\4\0\0\0\0\0\0\0\3\0\0\0GNU\0"), NULL },
    { "one byte makes no path", BYTES("\4\0\0\0\1\0\0\0\3\0\0\0GNU\0\x01"), NULL },
    { "longer than the section", BYTES("\4\0\0\0\x15\0\0\0\3\0\0\0GNU\0\x01\x02"), NULL },
    { "a name longer than the section", BYTES("\xff\xff\xff\xff\2\0\0\0\3\0\0\0GNU\0\x01\x02"),
      NULL },
    { "lengths that wrap", BYTES("\4\0\0\0\xff\xff\xff\xff\3\0\0\0GNU\0\x01\x02"), NULL },
    { "cut in its header", BYTES("\4\0\0\0\2\0\0\0\3\0\0"), NULL },
    { "nothing", BYTES(""), NULL },
};

static void reads_build_ids(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(id_cases) / sizeof(id_cases[0]); i++) {
        struct build_id id = { 0 };
        char path[BUILD_ID_PATH_MAX];
        _cleanup_free_ unsigned char *exact = mem_alloc(id_cases[i].size);

        memcpy(exact, id_cases[i].notes, id_cases[i].size);

        bool found =
            debug_links_read_build_id(exact, id_cases[i].size, &id) && build_id_path(&id, path);

        if (found != (id_cases[i].path != NULL) || (found && strcmp(path, id_cases[i].path) != 0))
            fail_msg("%s: '%s'", id_cases[i].what, found ? path : "(none)");
    }
}

static void long_build_ids_fit(void **state)
{
    unsigned char notes[16 + BUILD_ID_MAX + 4] = "\4\0\0\0\x40\0\0\0\3\0\0\0GNU";
    char path[BUILD_ID_PATH_MAX];
    struct build_id id;

    (void)state;
    assert_true(debug_links_read_build_id(notes, sizeof(notes), &id));
    assert_int_equal(id.n, BUILD_ID_MAX);
    assert_true(build_id_path(&id, path));
    assert_int_equal(strlen(path), strlen("/usr/lib/debug/.build-id//.debug") + 128);
    notes[4] = 0x41;
    assert_false(debug_links_read_build_id(notes, sizeof(notes), &id));
}

static const struct {
    const char *what;
    const char *section;
    size_t size;
    const char *name; /* NULL: refused */
} link_cases[] = {
    { "padded", BYTES("a.debug\0\x04\x03\x02\x01"), "a.debug" },
    { "padded by three", BYTES("abcd\0\0\0\0\x04\x03\x02\x01"), "abcd" },
    { "more behind it", BYTES("abc\0\x04\x03\x02\x01zzzz"), "abc" },
    { "no sum", BYTES("abc\0\x04\x03\x02"), NULL },
    { "no end of the name", BYTES("abcdefgh"), NULL },
    { "no name", BYTES("\0\0\0\0\x04\x03\x02\x01"), NULL },
    { "a folder in it", BYTES("../../etc/shadow\0\0\0\0\x04\x03\x02\x01"), NULL },
    { "the folder itself", BYTES(".\0\0\0\x04\x03\x02\x01"), NULL },
    { "the folder above", BYTES("..\0\0\x04\x03\x02\x01"), NULL },
    { "nothing", BYTES(""), NULL },
};

static void reads_links(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(link_cases) / sizeof(link_cases[0]); i++) {
        struct debug_link link = { 0 };
        _cleanup_free_ unsigned char *exact = mem_alloc(link_cases[i].size);

        memcpy(exact, link_cases[i].section, link_cases[i].size);

        bool found = debug_links_read_link(exact, link_cases[i].size, &link);

        if (found != (link_cases[i].name != NULL) ||
            (found && (strcmp(link.name, link_cases[i].name) != 0 || link.crc != 0x01020304)))
            fail_msg("%s: '%s' %x", link_cases[i].what, found ? link.name : "(none)", link.crc);
    }
}

static void reads_links_to_shared_parts(void **state)
{
    static const unsigned char good[] = "../.dwz/a\0\x01\x02\x03";
    struct debug_link link;

    (void)state;
    assert_true(debug_links_read_alt(good, sizeof(good) - 1, &link));
    assert_string_equal(link.name, "../.dwz/a");
    assert_int_equal(link.id.n, 3);
    assert_memory_equal(link.id.bytes, "\x01\x02\x03", 3);
    assert_false(debug_links_read_alt(good, 10, &link));
    assert_false(debug_links_read_alt(good, 9, &link));
    assert_false(debug_links_read_alt(good, 0, &link));
}

static void nothing_equals_no_build_id(void **state)
{
    const struct build_id none = { 0 }, one = { { 1, 2 }, 2 }, other = { { 1, 3 }, 2 },
                          longer = { { 1, 2 }, 3 };

    (void)state;
    assert_false(build_id_equal(&none, &none));
    assert_true(build_id_equal(&one, &one));
    assert_false(build_id_equal(&one, &other));
    assert_false(build_id_equal(&one, &longer));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_build_ids),
        cmocka_unit_test(long_build_ids_fit),
        cmocka_unit_test(reads_links),
        cmocka_unit_test(reads_links_to_shared_parts),
        cmocka_unit_test(nothing_equals_no_build_id),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
