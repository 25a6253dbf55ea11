/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/flame/tests/read_page.h"

#include <errno.h>

/* ---- names ---- */

static const struct {
    const char *title, *name, *shown, *folded; /* NULL: as it is */
} hostile[] = {
    { "plain", "main", NULL, NULL },
    { "end of script", "</script><script>alert(1)</script>", NULL, NULL },
    { "comment", "<!--<script>", NULL, NULL },
    { "template mark", "@DATA@", NULL, NULL },
    { "quotes", "a\"b'c\\d", NULL, NULL },
    { "entities", "a&lt;b&#0;", NULL, "a&lt:b&#0:" },
    { "JSON escape", "\\u003c", NULL, NULL },
    { "semicolons", "a;b;", NULL, "a:b:" },
    { "newline", "a\nb\r\n", "a b  ", NULL },
    { "controls", "\x01\t\x7f\x1b[31m", "    [31m", NULL },
    { "C1", "a\xc2\x85z", "a z", NULL },
    { "line separator", "a\xe2\x80\xa8z", "a z", NULL },
    { "right to left override",
      "a\xe2\x80\xae"
      "b",
      "a\xef\xbf\xbd"
      "b",
      NULL },
    { "isolate", "\xe2\x81\xa6x\xe2\x81\xa9", "\xef\xbf\xbdx\xef\xbf\xbd", NULL },
    { "Hebrew stays", "\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d", NULL, NULL },
    { "emoji stays", "\xf0\x9f\x94\xa5", NULL, NULL },
    { "lone byte", "a\xff", "a\xef\xbf\xbd", NULL },
    { "lone continuation", "\x80", "\xef\xbf\xbd", NULL },
    { "cut character", "a\xe2\x82", "a\xef\xbf\xbd\xef\xbf\xbd", NULL },
    { "overlong slash", "\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd", NULL },
    { "overlong NUL, three bytes", "\xe0\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", NULL },
    { "surrogate", "\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", NULL },
    { "past Unicode", "\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd",
      NULL },
    { "five bytes", "\xf8\x88\x80\x80\x80",
      "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", NULL },
    { "empty", "", "[no name]", NULL },
    { "trailing count", "f 12", NULL, NULL },
    { "JavaScript proto", "__proto__", NULL, NULL },
};

static void hostile_names_survive_every_format(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
        _cleanup_flame_ struct flame *f = flame_new();
        const char *shown = hostile[i].shown ? hostile[i].shown : hostile[i].name;
        _cleanup_free_ char *line =
            mem_printf("p;%s 3\n", hostile[i].folded ? hostile[i].folded : shown);
        struct page p;

        add(f, 3, "p", hostile[i].name, NULL);
        round_trip(f, &p);
        if (strcmp(page_name(&p, 2), shown) != 0)
            fail_msg("%s: the page shows '%s', expected '%s'", hostile[i].title, page_name(&p, 2),
                     shown);
        page_release(&p);
        _cleanup_free_ char *folded = fold(f);
        if (strcmp(folded, line) != 0)
            fail_msg("%s: folded is '%s', expected '%s'", hostile[i].title, folded, line);
    }
}

static void long_names_are_cut_between_characters(void **state)
{
    char name[2 * FLAME_NAME_MAX];

    (void)state;
    for (size_t lead = 0; lead < 3; lead++) {
        _cleanup_flame_ struct flame *f = flame_new();
        struct page p;

        memset(name, 'x', lead);
        for (size_t i = lead; i + 3 < sizeof(name); i += 3)
            memcpy(name + i, "\xe2\x82\xac", 4);
        add(f, 1, name, NULL, NULL);
        round_trip(f, &p); /* the JSON parser refuses broken UTF-8 */
        size_t len = strlen(page_name(&p, 1));

        assert_in_range(len, FLAME_NAME_MAX - 5, FLAME_NAME_MAX);
        assert_string_equal(page_name(&p, 1) + len - 3, "\xe2\x80\xa6");
        page_release(&p);
    }
    memset(name, 'x', FLAME_NAME_MAX);
    name[FLAME_NAME_MAX] = '\0';
    _cleanup_flame_ struct flame *f = flame_new();
    struct page p;

    add(f, 1, name, NULL, NULL);
    round_trip(f, &p);
    assert_string_equal(page_name(&p, 1), name); /* just fits */
    page_release(&p);
}

static void folded_is_sorted_and_exact(void **state)
{
    _cleanup_flame_ struct flame *f = flame_new();

    (void)state;
    add(f, 2, "p", "b", "c");
    add(f, 1, "p", "a", NULL);
    add(f, 40, "p", "b", NULL);
    add(f, 3, "p", "b", "c");
    add(f, 1, "", NULL, NULL);
    add(f, 0, "never", NULL, NULL);
    flame_add(f, NULL, 0, 9);
    _cleanup_free_ char *text = fold(f);

    assert_string_equal(text, "[no name] 1\np;a 1\np;b 40\np;b;c 5\n");
    assert_int_equal(flame_samples(f), 47);
}

static void empty_tree(void **state)
{
    _cleanup_flame_ struct flame *f = flame_new();
    _cleanup_free_ char *text = fold(f);
    struct page p;

    (void)state;
    assert_string_equal(text, "");
    round_trip(f, &p);
    assert_int_equal(p.n, 1);
    assert_int_equal(p.rows[0].total, 0);
    page_release(&p);
    flame_free(NULL);
}

static void folded_reports_a_full_disk(void **state)
{
    _cleanup_flame_ struct flame *f = flame_new();
    _cleanup_fclose_ FILE *full = fopen("/dev/full", "we");
    struct err e = { 0 };

    (void)state;
    if (!full)
        skip();
    add(f, 1, "p", NULL, NULL);
    assert_int_equal(flame_write_folded(f, full, &e), -EIO);
}

/* ---- bounds of the tree ---- */

static void nodes_are_bounded(void **state)
{
    _cleanup_flame_ struct flame *f = flame_new();

    (void)state;
    for (uint32_t i = 0; i < 1200000; i++) {
        char a[16], b[16];

        (void)snprintf(a, sizeof(a), "a%u", i % 4000);
        (void)snprintf(b, sizeof(b), "b%u", i / 4000);
        add(f, 1, "p", a, b);
        add(f, 1, "p", a, NULL);
    }
    assert_int_equal(flame_samples(f), 2400000);
    assert_in_range(f->n_nodes, FLAME_NODES_MAX / 8 * 7, FLAME_NODES_MAX);
    _cleanup_free_ char *text = fold(f);
    struct page p;

    assert_int_equal(folded_sum(text), 2400000);
    assert_non_null(strstr(text, "\np;a3999;[pruned] "));
    round_trip(f, &p);
    page_release(&p);

    struct buf gz = BUF_INIT(PAGE_MAX);
    struct err e = { 0 };
    int64_t pruned = 0;

    assert_int_equal(flame_write_html_gz(f, &header, 20000, &gz, &pruned, &e), 0);
    assert_true(pruned > 0 && gz.len <= 20000);
    buf_release(&gz);
}

/* One [pruned] child for each of more nodes than are left: the rest is counted further up. */
static void pruned_children_are_bounded(void **state)
{
    _cleanup_flame_ struct flame *f = flame_new();
    uint64_t added = 0;

    (void)state;
    for (int round = 0; round < 2; round++)
        for (uint32_t i = 0; i < FLAME_NODES_MAX; i++) {
            char a[16];

            (void)snprintf(a, sizeof(a), "a%u", i);
            add(f, 1, a, "x", round ? "y" : NULL);
            added++;
        }
    assert_in_range(f->n_nodes, FLAME_NODES_MAX - 1, FLAME_NODES_MAX);
    _cleanup_rows_ struct flame_rows *r = flame_rows_new(f);

    assert_int_equal(r->rows[0].total, added);
}

static void depth_is_bounded(void **state)
{
    enum { DEPTH = FLAME_DEPTH_MAX + 10 };
    _cleanup_flame_ struct flame *f = flame_new();
    _cleanup_free_ struct flame_frame *frames = mem_array(DEPTH, sizeof(*frames));
    struct page p;

    (void)state;
    for (size_t i = 0; i < DEPTH; i++)
        frames[i] = (struct flame_frame){ "recurse", FLAME_NATIVE };
    flame_add(f, frames, FLAME_DEPTH_MAX, 1);
    flame_add(f, frames, DEPTH, 1);
    round_trip(f, &p);
    assert_int_equal(p.n, 1 + FLAME_DEPTH_MAX + 1);
    assert_string_equal(page_name(&p, p.n - 1), "[pruned]");
    page_release(&p);
    _cleanup_free_ char *text = fold(f);

    assert_int_equal(folded_sum(text), 2);
}

static void name_bytes_are_bounded(void **state)
{
    _cleanup_flame_ struct flame *f = flame_new();
    char name[FLAME_NAME_MAX + 1];

    (void)state;
    memset(name, 'x', FLAME_NAME_MAX);
    name[FLAME_NAME_MAX] = '\0';
    for (int i = 0; i < 20000; i++) {
        (void)snprintf(name, 9, "%08d", i);
        name[8] = 'x';
        add(f, 1, "p", name, NULL);
    }
    assert_in_range(f->len_names, FLAME_NAMES_BYTES_MAX - 2 * FLAME_NAME_MAX,
                    FLAME_NAMES_BYTES_MAX);
    _cleanup_rows_ struct flame_rows *r = flame_rows_new(f);

    assert_int_equal(r->rows[0].total, 20000);
}

static void samples_do_not_overflow(void **state)
{
    _cleanup_flame_ struct flame *f = flame_new();
    struct page p;

    (void)state;
    add(f, 5, "p", NULL, NULL);
    add(f, UINT64_MAX, "q", NULL, NULL);
    add(f, UINT64_MAX, "q", NULL, NULL);
    assert_int_equal(flame_samples(f), FLAME_SAMPLES_MAX);
    round_trip(f, &p);
    page_release(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hostile_names_survive_every_format),
        cmocka_unit_test(long_names_are_cut_between_characters),
        cmocka_unit_test(folded_is_sorted_and_exact),
        cmocka_unit_test(empty_tree),
        cmocka_unit_test(folded_reports_a_full_disk),
        cmocka_unit_test(nodes_are_bounded),
        cmocka_unit_test(pruned_children_are_bounded),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(name_bytes_are_bounded),
        cmocka_unit_test(samples_do_not_overflow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
