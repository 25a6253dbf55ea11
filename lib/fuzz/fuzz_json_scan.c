/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/fuzz/fuzz.h"
#include "lib/json.h"
#include "lib/json_scan.h"

enum { A, B, B_C, SLOTS };
static const struct json_want inside_b[] = { { "c", B_C, true, NULL }, { 0 } };
static const struct json_want wants[] = { { "a", A, true, NULL },
                                          { "b", B, false, inside_b },
                                          { 0 } };

static int scan(const uint8_t *data, size_t size, size_t piece, struct json_scan *s,
                struct json_found found[SLOTS])
{
    struct err e = { 0 };
    int code = 0;

    json_scan_init(s, wants, found, 1 << 20);
    for (size_t at = 0; at < size && code == 0; at += piece)
        code = json_scan_add(s, (const char *)data + at, size - at < piece ? size - at : piece, &e);
    code = code == 0 ? json_scan_end(s, &e) : code;
    assert(code == 0 || e.msg[0]);
    return code;
}

/* What was kept is what json-c, which is less strict, finds at @path. */
static void check(const struct json_found *found, struct json_object *kept,
                  struct json_object *root, const char *path)
{
    struct json_object *there = json_get(root, path);

    assert(found->kind != JSON_ABSENT || !there);
    if (found->kind != JSON_ABSENT)
        assert(json_object_equal(json_object_array_get_idx(kept, found->index), there));
}

/* Any pieces give the same; what is accepted is JSON to json-c as well. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_json_ struct json_object *root = NULL, *kept = NULL;
    struct json_found found[SLOTS] = { 0 }, again[SLOTS] = { 0 };
    struct json_scan s, pieces;
    struct err e = { 0 };

    int code = scan(data, size, SIZE_MAX / 2, &s, found);
    assert(scan(data, size, 1 + size % 7, &pieces, again) == code);
    if (code == 0) {
        assert(strcmp(buf_str(&s.kept), buf_str(&pieces.kept)) == 0);
        assert(json_parse((const char *)data, size, JSON_SCAN_DEPTH_MAX + 1, &root, &e) == 0);
        assert(json_parse(s.kept.data, s.kept.len, JSON_SCAN_DEPTH_MAX + 2, &kept, &e) == 0);
        check(&found[A], kept, root, "a");
        check(&found[B_C], kept, root, "b.c");
    }
    json_scan_release(&s);
    json_scan_release(&pieces);
    return 0;
}
