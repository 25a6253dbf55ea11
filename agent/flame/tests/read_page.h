/* SPDX-License-Identifier: Apache-2.0 */
/*
 * read_page: a second reader of the folded text and of the page's data, to compare with what was
 * written. Written from the description in page.h; fails the test on anything that is out of place.
 */
#pragma once

#include "agent/flame/flame.h"
#include "agent/flame/page.h"
#include "agent/flame/rows.h"
#include "lib/json.h"
#include "lib/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define PAGE_MAX ((size_t)256 << 20)

DEFINE_CLEANUP(struct flame *, flame_free)
#define _cleanup_flame_ __attribute__((cleanup(flame_freep)))

static const struct flame_header header = { .pod = "shop/</script>&\"\xff",
                                            .node = "n",
                                            .duration_ms = 10000,
                                            .frequency = 99,
                                            .samples = 7,
                                            .lost = 1,
                                            .notes = { "1 sample lost", "</script>\n\"2\"" } };

static inline void add(struct flame *f, uint64_t count, const char *a, const char *b, const char *c)
{
    const struct flame_frame frames[] = { { a, FLAME_PROCESS },
                                          { b, FLAME_NATIVE },
                                          { c, FLAME_KERNEL } };

    flame_add(f, frames, c ? 3 : b ? 2 : 1, count);
}

static inline char *fold(const struct flame *f)
{
    struct err e = { 0 };
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    assert_non_null(out);
    assert_int_equal(flame_write_folded(f, out, &e), 0);
    assert_int_equal(fclose(out), 0);
    return text;
}

/* The sum of the counts at the ends of folded lines. */
static inline uint64_t folded_sum(const char *text)
{
    uint64_t sum = 0;

    for (const char *end; (end = strchr(text, '\n')); text = end + 1) {
        const char *digits = end;

        while (digits[-1] >= '0' && digits[-1] <= '9')
            digits--;
        assert_int_equal(digits[-1], ' ');
        sum += strtoull(digits, NULL, 10);
    }
    assert_string_equal(text, "");
    return sum;
}

struct column {
    const char *at;
};

static inline unsigned digit(struct column *c)
{
    const char *place = *c->at ? strchr(PAGE_DIGITS, *c->at++) : NULL;

    assert_non_null(place);
    return (unsigned)(place - PAGE_DIGITS);
}

static inline uint64_t number(struct column *c)
{
    uint64_t high = 0;
    unsigned d = digit(c);

    for (; d >= 64; d = digit(c))
        high = high * 26 + d - 63;
    return high * 64 + d;
}

struct page {
    struct json_object *root, *names;
    const char *kind;
    struct row {
        uint64_t self, total, left;
        uint32_t frame, parent, depth;
    } * rows;
    uint32_t n;
};

static inline void page_release(struct page *p)
{
    json_put(p->root);
    free(p->rows);
}

static inline uint32_t read_frame(struct column *c, uint32_t *known, uint32_t *n_known,
                                  uint32_t *newest)
{
    unsigned place = digit(c);

    if (place > 0) {
        assert_in_range(place, 1, *n_known);
        return known[place - 1];
    }
    uint64_t coded = number(c);
    uint32_t frame = coded ? (uint32_t)coded - 1 : (*newest)++;

    if (*n_known < PAGE_KNOWN_CHILDREN)
        known[(*n_known)++] = frame;
    return frame;
}

static inline void page_read(const char *html, struct page *p)
{
    static const char before[] = "<script type=\"application/json\" id=\"data\">";
    const char *data = strstr(html, before);
    struct err e = { 0 };

    assert_non_null(data);
    data += sizeof(before) - 1;
    const char *end = strchr(data, '<'); /* every '<' within is escaped */
    assert_non_null(end);
    assert_int_equal(strncmp(end, "</script>", 9), 0);
    *p = (struct page){ 0 };
    if (json_parse(data, (size_t)(end - data), 8, &p->root, &e) < 0)
        fail_msg("the data: %s", e.msg);
    p->names = json_get_array(p->root, "names");
    p->kind = json_get_str(p->root, "kind");

    struct column children = { json_get_str(p->root, "children") };
    struct column self = { json_get_str(p->root, "self") };
    struct column frames = { json_get_str(p->root, "frames") };
    uint32_t n_frames = (uint32_t)json_object_array_length(p->names), newest = 0;
    uint32_t(*known)[PAGE_KNOWN_CHILDREN] = mem_array(n_frames + 1, sizeof(*known));
    uint32_t *n_known = mem_array(n_frames + 1, sizeof(*n_known));

    assert_int_equal(strlen(p->kind), n_frames);
    p->rows = mem_array(strlen(children.at) + 1, sizeof(*p->rows));
    for (uint32_t parent = 0; *children.at; p->n++) {
        struct row *row = &p->rows[p->n];

        while (p->n > 0 && p->rows[parent].left == 0)
            parent = p->rows[parent].parent;
        row->parent = parent;
        row->left = number(&children);
        row->self = number(&self);
        row->frame = n_frames;
        if (p->n > 0) {
            uint32_t under = p->rows[parent].frame;

            p->rows[parent].left--;
            row->depth = p->rows[parent].depth + 1;
            row->frame = read_frame(&frames, known[under], &n_known[under], &newest);
            assert_in_range(row->frame, 0, n_frames - 1);
        }
        parent = p->n;
    }
    assert_string_equal(self.at, "");
    assert_string_equal(frames.at, "");
    assert_int_equal(newest, n_frames);
    for (uint32_t i = p->n; i-- > 0;) {
        p->rows[i].total += p->rows[i].self;
        assert_int_equal(p->rows[i].left, 0);
        if (i > 0)
            p->rows[p->rows[i].parent].total += p->rows[i].total;
    }
    free(known);
    free(n_known);
}

static inline const char *page_name(const struct page *p, uint32_t row)
{
    return json_object_get_string(json_object_array_get_idx(p->names, p->rows[row].frame));
}

static inline enum flame_kind page_kind(const struct page *p, uint32_t row)
{
    struct column kind = { p->kind + p->rows[row].frame };

    return digit(&kind);
}

/* The page says exactly what the tree holds; [pruned] rows of flame_add() come last. */
static inline void same_tree(const struct flame *f, const struct page *p)
{
    _cleanup_rows_ struct flame_rows *all = flame_rows_new(f);
    _cleanup_rows_ struct flame_rows *r = flame_rows_prune(all, all->n);

    assert_int_equal(p->n, r->n);
    for (uint32_t i = 0; i < r->n; i++) {
        assert_int_equal(p->rows[i].self, r->rows[i].self);
        assert_int_equal(p->rows[i].total, r->rows[i].total);
        assert_int_equal(p->rows[i].depth, r->rows[i].depth);
        if (i == 0)
            continue;
        assert_int_equal(p->rows[i].parent, r->rows[i].parent);
        assert_string_equal(page_name(p, i), flame_name(f, r->rows[i].frame));
        assert_int_equal(page_kind(p, i), f->frames[r->rows[i].frame].kind);
    }
}

static inline void round_trip(const struct flame *f, struct page *p)
{
    struct buf html = BUF_INIT(PAGE_MAX);
    struct err e = { 0 };

    assert_int_equal(flame_write_html(f, &header, &html, &e), 0);
    page_read(html.data, p);
    buf_release(&html);
    same_tree(f, p);
}
