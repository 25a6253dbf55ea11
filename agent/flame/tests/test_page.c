/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/flame/tests/read_page.h"

#include <errno.h>
#include <zlib.h>

static void gunzip(const struct buf *gz, struct buf *out)
{
    z_stream z = { .next_in = (Bytef *)gz->data, .avail_in = (uInt)gz->len };
    int code = Z_OK;

    assert_int_equal(inflateInit2(&z, MAX_WBITS + 16), Z_OK);
    while (code == Z_OK) {
        char *to = buf_reserve(out, 1 << 16);

        assert_non_null(to);
        z.next_out = (Bytef *)to;
        z.avail_out = 1 << 16;
        code = inflate(&z, Z_NO_FLUSH);
        out->len += (1 << 16) - z.avail_out;
    }
    assert_int_equal(code, Z_STREAM_END);
    assert_int_equal(z.avail_in, 0);
    (void)inflateEnd(&z);
    assert_int_equal(buf_add_str(out, ""), 0);
}

static void kinds_are_kept_apart(void **state)
{
    _cleanup_flame_ struct flame *f = flame_new();
    struct page p;

    (void)state;
    for (int kind = 0; kind < FLAME_KIND_COUNT; kind++)
        flame_add(f, &(struct flame_frame){ "same", (enum flame_kind)kind }, 1, 1 + (uint64_t)kind);
    round_trip(f, &p);
    assert_int_equal(p.n, 1 + FLAME_KIND_COUNT);
    for (uint32_t i = 1; i < p.n; i++) {
        assert_int_equal(page_kind(&p, i), i - 1);
        assert_int_equal(p.rows[i].self, i);
    }
    assert_string_equal(json_object_get_string(json_object_array_get_idx(
                            json_get_array(p.root, "kinds"), FLAME_INLINED)),
                        "inlined");
    page_release(&p);
}

static void the_header_is_on_the_page(void **state)
{
    _cleanup_flame_ struct flame *f = flame_new();
    struct page p;

    (void)state;
    round_trip(f, &p);
    assert_string_equal(json_get_str(p.root, "header.pod"), "shop/</script>&\"\xef\xbf\xbd");
    assert_null(json_get_str(p.root, "header.container"));
    assert_int_equal(json_get_int(p.root, "header.duration_ms", -1), 10000);
    assert_int_equal(json_get_int(p.root, "header.lost", -1), 1);
    assert_int_equal(json_get_int(p.root, "header.prunedSamples", -1), 0);

    struct json_object *notes = json_get_array(p.root, "header.notes");

    assert_int_equal(json_object_array_length(notes), 2);
    assert_string_equal(json_object_get_string(json_object_array_get_idx(notes, 0)),
                        "1 sample lost");
    assert_null(
        strchr(json_object_get_string(json_object_array_get_idx(notes, 1)), '\n')); /* one line */
    page_release(&p);
}

static void the_page_is_closed_to_the_network(void **state)
{
    _cleanup_flame_ struct flame *f = flame_new();
    struct buf html = BUF_INIT(PAGE_MAX);
    struct err e = { 0 };

    (void)state;
    assert_int_equal(flame_write_html(f, &header, &html, &e), 0);
    assert_non_null(strstr(html.data, "\"default-src 'none'; script-src 'sha256-"));
    assert_null(strstr(html.data, "unsafe-"));
    assert_null(strstr(html.data, "innerHTML"));
    assert_null(strstr(html.data, " src="));
    assert_null(strstr(html.data, "@DATA@"));
    assert_non_null(strstr(html.data, "</html>"));
    buf_release(&html);

    struct buf small = BUF_INIT(1000);

    assert_int_equal(flame_write_html(f, &header, &small, &e), -ENOSPC);
    buf_release(&small);
}

/* ---- many stacks ---- */

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 8;
}

/* @n stacks of up to 24 frames out of 3,000 names, the same for the same arguments; added from the
 * last to the first when @backwards. */
static struct flame *random_tree(uint32_t n, bool backwards)
{
    struct flame *f = flame_new();

    for (uint32_t i = 0; i < n; i++) {
        uint32_t seed = (backwards ? n - 1 - i : i) * 2654435761U + 1;
        struct flame_frame frames[24];
        char names[24][40];
        size_t depth = 1 + next_random(&seed) % 24;

        for (size_t at = 0; at < depth; at++) {
            uint32_t pick = next_random(&seed) % (at < 8 ? 3 : 3000);

            (void)snprintf(names[at], sizeof(names[at]), "ns%zu::function_%x", at % 5, pick * 7919);
            frames[at] = (struct flame_frame){ names[at], (enum flame_kind)(pick % FLAME_NOTE) };
        }
        flame_add(f, frames, depth, 1 + next_random(&seed) % 2000);
    }
    return f;
}

static void a_large_tree_comes_back(void **state)
{
    _cleanup_flame_ struct flame *f = random_tree(20000, false);
    _cleanup_free_ char *text = fold(f);
    struct page p;

    (void)state;
    round_trip(f, &p);
    assert_int_equal(p.rows[0].total, flame_samples(f));
    assert_int_equal(folded_sum(text), flame_samples(f));
    page_release(&p);
}

static void output_does_not_depend_on_the_order(void **state)
{
    _cleanup_flame_ struct flame *f = random_tree(2000, false), *g = random_tree(2000, true);
    _cleanup_free_ char *a = fold(f), *b = fold(g);
    struct buf x = BUF_INIT(PAGE_MAX), y = BUF_INIT(PAGE_MAX);
    struct err e = { 0 };
    int64_t pruned = 0;

    (void)state;
    assert_string_equal(a, b);
    for (size_t max = 20000; max < PAGE_MAX; max *= 100) {
        assert_int_equal(flame_write_html_gz(f, &header, max, &x, &pruned, &e), 0);
        assert_int_equal(flame_write_html_gz(g, &header, max, &y, &pruned, &e), 0);
        assert_int_equal(x.len, y.len);
        assert_memory_equal(x.data, y.data, x.len);
        assert_memory_equal(x.data + 4, "\0\0\0\0", 4); /* gzip's time stamp */
        buf_clear(&x);
        buf_clear(&y);
    }
    buf_release(&x);
    buf_release(&y);
}

/* What is kept has its exact total, what is cut is under [pruned], and the root lost nothing. */
static void check_pruned(const struct flame *f, const struct page *p, int64_t pruned)
{
    _cleanup_rows_ struct flame_rows *r = flame_rows_new(f);
    int64_t in_pruned = 0;
    uint32_t kept = 1;

    for (uint32_t i = 1, at = 1; i < p->n; i++) {
        if (page_kind(p, i) == FLAME_NOTE) {
            assert_string_equal(page_name(p, i), "[pruned]");
            in_pruned += (int64_t)p->rows[i].self;
            continue;
        }
        kept++;
        while (at < r->n && (r->rows[at].depth != p->rows[i].depth ||
                             strcmp(flame_name(f, r->rows[at].frame), page_name(p, i)) != 0 ||
                             r->rows[at].total != p->rows[i].total))
            at++;
        assert_true(at < r->n); /* in the same order as in the whole tree */
        assert_int_equal(p->rows[i].self, r->rows[at].self);
        at++;
    }
    assert_int_equal(p->rows[0].total, flame_samples(f));
    assert_int_equal(in_pruned, pruned);
    assert_int_equal(json_get_int(p->root, "header.prunedSamples", -1), pruned);
    assert_int_equal(json_get_int(p->root, "header.prunedFrames", -1), r->n - kept);
}

static void pruning_keeps_the_bound(void **state)
{
    _cleanup_flame_ struct flame *f = random_tree(8000, false);
    struct buf whole = BUF_INIT(PAGE_MAX);
    struct err e = { 0 };
    int64_t pruned = -1, last = -1;

    (void)state;
    assert_int_equal(flame_write_html_gz(f, &header, PAGE_MAX, &whole, &pruned, &e), 0);
    assert_int_equal(pruned, 0);
    const size_t bounds[] = { whole.len + 999, whole.len / 10 * 9,
                              whole.len / 2,   whole.len / 4,
                              18000,           15000 };

    for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) {
        struct buf gz = BUF_INIT(PAGE_MAX), html = BUF_INIT(PAGE_MAX);
        struct page p;

        assert_int_equal(flame_write_html_gz(f, &header, bounds[i], &gz, &pruned, &e), 0);
        assert_in_range(gz.len, bounds[i] / 100 * 90, bounds[i]);
        assert_true(pruned > last || i == 0);
        last = pruned;
        gunzip(&gz, &html);
        page_read(html.data, &p);
        check_pruned(f, &p, pruned);
        page_release(&p);
        buf_release(&html);
        buf_release(&gz);
    }
    buf_release(&whole);
}

static void too_small_bounds_are_refused(void **state)
{
    _cleanup_flame_ struct flame *f = random_tree(100, false);
    const size_t bounds[] = { 0, 1, 100, 5000 };

    (void)state;
    for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) {
        struct buf gz = BUF_INIT(PAGE_MAX);
        struct err e = { 0 };
        int64_t pruned = -7;

        assert_int_equal(flame_write_html_gz(f, &header, bounds[i], &gz, &pruned, &e), -EFBIG);
        assert_int_equal(pruned, -7);
        assert_int_equal(gz.len, 0);
        assert_non_null(strstr(e.msg, "smallest page"));
    }
    struct buf capped = BUF_INIT(5000);
    struct err e = { 0 };
    int64_t pruned = -7;

    assert_int_equal(flame_write_html_gz(f, &header, 1 << 20, &capped, &pruned, &e), -ENOSPC);
    buf_release(&capped);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds_are_kept_apart),
        cmocka_unit_test(the_header_is_on_the_page),
        cmocka_unit_test(the_page_is_closed_to_the_network),
        cmocka_unit_test(a_large_tree_comes_back),
        cmocka_unit_test(output_does_not_depend_on_the_order),
        cmocka_unit_test(pruning_keeps_the_bound),
        cmocka_unit_test(too_small_bounds_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
