/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/proc_maps.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    const char *name, *line;
    bool ok;
    struct proc_map map; /* without the path */
    const char *path, *display;
} cases[] = {
    { "a library",
      "7f2faab3d000-7f2faac93000 r-xp 00026000 fe:01 1442 "
      "                      /usr/lib/x86_64-linux-gnu/libc.so.6",
      true,
      { 0x7f2faab3d000, 0x7f2faac93000, 0x26000, 1442, 0xfe, 1, true, false, NULL, 0 },
      "/usr/lib/x86_64-linux-gnu/libc.so.6",
      "libc.so.6" },
    { "not executable",
      "559d1000-559d2000 r--p 00000000 08:02 7 /bin/a b",
      true,
      { 0x559d1000, 0x559d2000, 0, 7, 8, 2, false, false, NULL, 0 },
      "/bin/a b",
      "a b" },
    { "deleted",
      "1000-2000 r-xp 00000000 00:1f 99 /tmp/x (deleted)",
      true,
      { 0x1000, 0x2000, 0, 99, 0, 0x1f, true, false, NULL, 0 },
      "/tmp/x (deleted)",
      "x" },
    { "newline in the path",
      "1000-2000 r-xp 00000000 00:1f 99 /tmp/a\\012b",
      true,
      { 0x1000, 0x2000, 0, 99, 0, 0x1f, true, false, NULL, 0 },
      "/tmp/a\nb",
      "a\\012b" },
    { "anonymous",
      "7fff0000-7fff1000 rwxp 00000000 00:00 0 ",
      true,
      { 0x7fff0000, 0x7fff1000, 0, 0, 0, 0, true, false, NULL, 0 },
      "",
      "anon" },
    { "anonymous, nothing behind the inode",
      "7fff0000-7fff1000 rwxp 00000000 00:00 0",
      true,
      { 0x7fff0000, 0x7fff1000, 0, 0, 0, 0, true, false, NULL, 0 },
      "",
      "anon" },
    { "reserved",
      "7fff0000-7fff1000 ---p 00000000 00:00 0 ",
      true,
      { 0x7fff0000, 0x7fff1000, 0, 0, 0, 0, false, true, NULL, 0 },
      "",
      "anon" },
    { "vdso",
      "7ffd1000-7ffd3000 r-xp 00000000 00:00 0                          [vdso]",
      true,
      { 0x7ffd1000, 0x7ffd3000, 0, 0, 0, 0, true, false, NULL, 0 },
      "[vdso]",
      "vdso" },
    { "vsyscall, the last page",
      "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 [vsyscall]",
      true,
      { 0xffffffffff600000, 0xffffffffff601000, 0, 0, 0, 0, true, false, NULL, 0 },
      "[vsyscall]",
      "vsyscall" },
    { "memfd",
      "1000-2000 r-xs 00003000 00:01 2051 /memfd:doublemapper (deleted)",
      true,
      { 0x1000, 0x2000, 0x3000, 2051, 0, 1, true, false, NULL, 0 },
      "/memfd:doublemapper (deleted)",
      "memfd:doublemapper" },
    { .name = "empty", .line = "" },
    { .name = "cut in the addresses", .line = "1000-" },
    { .name = "cut in the permissions", .line = "1000-2000 r-x" },
    { .name = "cut in the device", .line = "1000-2000 r-xp 00000000 00:" },
    { .name = "end before start", .line = "2000-1000 r-xp 00000000 00:00 0" },
    { .name = "empty range", .line = "1000-1000 r-xp 00000000 00:00 0" },
    { .name = "address of 17 digits", .line = "10000000000000000-2 r-xp 0 0:0 0" },
    { .name = "inode that overflows", .line = "1000-2000 r-xp 0 0:0 99999999999999999999" },
    { .name = "words", .line = "no such thing as a map" },
};

static void check_map(size_t i, const struct proc_map *map)
{
    const struct proc_map *want = &cases[i].map;
    char path[256], display[64];

    if (map->start != want->start || map->end != want->end || map->off != want->off ||
        map->inode != want->inode || map->dev_major != want->dev_major ||
        map->dev_minor != want->dev_minor || map->executable != want->executable ||
        map->reserved != want->reserved)
        fail_msg("%s: %llx-%llx off %llx inode %llu dev %x:%x x %d reserved %d", cases[i].name,
                 (unsigned long long)map->start, (unsigned long long)map->end,
                 (unsigned long long)map->off, (unsigned long long)map->inode, map->dev_major,
                 map->dev_minor, map->executable, map->reserved);
    proc_maps_display_name(map, display, sizeof(display));
    if (!proc_maps_path(map, path, sizeof(path)) || strcmp(path, cases[i].path) != 0 ||
        strcmp(display, cases[i].display) != 0)
        fail_msg("%s: path '%s', display '%s'", cases[i].name, path, display);
}

static void parses_lines(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct proc_map map = { .start = 42 };
        bool ok = proc_maps_parse_line(cases[i].line, strlen(cases[i].line), &map);

        if (ok != cases[i].ok || (!ok && map.start != 42))
            fail_msg("%s: %d", cases[i].name, ok);
        if (ok)
            check_map(i, &map);
    }
}

static void cuts_names_but_no_paths(void **state)
{
    static const char line[] = "1000-2000 r-xp 0 0:1 5 /a/very-long-name";
    struct proc_map map;
    char text[10];

    (void)state;
    assert_true(proc_maps_parse_line(line, strlen(line), &map));
    assert_false(proc_maps_path(&map, text, sizeof(text)));
    proc_maps_display_name(&map, text, sizeof(text));
    assert_string_equal(text, "very-long");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parses_lines),
        cmocka_unit_test(cuts_names_but_no_paths),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
