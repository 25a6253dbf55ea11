/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/fuzz/fuzz.h"
#include "lib/json.h"
#include "lib/json_scan.h"
#include "lib/json_string.h"

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

/* What was kept is what json-c, which is less strict, finds at @path; also when it is decoded
 * here. */
static void check(struct json_scan *s, const struct json_found *found, struct json_object *root,
                  const char *path)
{
    _cleanup_json_ struct json_object *kept = NULL;
    struct json_object *there = json_get(root, path);
    struct err e = { 0 };

    assert(found->kind != JSON_ABSENT || !there);
    if (found->kind == JSON_ABSENT)
        return;
    char *text = s->kept.data + found->at;
    assert(json_parse(text, found->len, JSON_SCAN_DEPTH_MAX + 1, &kept, &e) == 0);
    assert(json_object_equal(kept, there));
    if (found->kind != JSON_STRING)
        return;
    size_t len;
    const char *decoded = json_string_decode(text, found->len, &len);
    /* json-c 0.16 takes the character of a pair for half a pair, and writes U+FFFD, when its lower
     * sixteen bits look like one: U+1D800 to U+1DFFF, and in the planes above. */
    if (strstr(json_object_get_string(there), "\xef\xbf\xbd"))
        return;
    assert(len == (size_t)json_object_get_string_len(there));
    assert(memcmp(decoded, json_object_get_string(there), len + 1) == 0);
}

/* Text that is written as a string is a string, and decodes to itself. */
static void check_write(const char *text)
{
    _cleanup_json_ struct json_object *parsed = NULL;
    _cleanup_buf_ struct buf out = BUF_INIT(1 << 20);
    struct err e = { 0 };
    size_t len;

    assert(json_string_write(text, &out) == 0);
    assert(json_parse(out.data, out.len, 1, &parsed, &e) == 0);
    assert(strcmp(json_object_get_string(parsed), text) == 0);
    assert(strcmp(json_string_decode(out.data, out.len, &len), text) == 0);
}

/* Any pieces give the same; what is accepted is JSON to json-c as well. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_json_ struct json_object *root = NULL;
    struct json_found found[SLOTS] = { 0 }, again[SLOTS] = { 0 };
    struct json_scan s, pieces;
    struct err e = { 0 };

    int code = scan(data, size, SIZE_MAX / 2, &s, found);
    assert(scan(data, size, 1 + size % 7, &pieces, again) == code);
    if (code == 0) {
        assert(strcmp(buf_str(&s.kept), buf_str(&pieces.kept)) == 0);
        check_write(buf_str(&s.kept));
        assert(json_parse((const char *)data, size, JSON_SCAN_DEPTH_MAX + 1, &root, &e) == 0);
        check(&s, &found[A], root, "a");
        check(&s, &found[B_C], root, "b.c");
    }
    json_scan_release(&s);
    json_scan_release(&pieces);
    return 0;
}
