/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/json_scan.h"

#include "lib/json.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum { A, B, INNER, NAME, SPEC, SLOTS };

static const struct json_want wants_of_inner[] = {
    { "name", NAME, true, NULL },
    { "spec", SPEC, true, NULL },
    { 0 },
};
static const struct json_want wants[] = {
    { "a", A, true, NULL },
    { "b", B, false, NULL },
    { "inner", INNER, false, wants_of_inner },
    { 0 },
};

/* Scans @text in chunks of @step bytes, each in a block of its own, so that a byte beyond it is a
 * finding of the sanitizer. */
static int scan(struct json_scan *s, struct json_found found[SLOTS], const char *text, size_t len,
                size_t step, struct err *e)
{
    memset(found, 0, SLOTS * sizeof(found[0]));
    json_scan_init(s, wants, found, 4096);
    for (size_t at = 0; at < len; at += step) {
        size_t n = len - at < step ? len - at : step;
        char *chunk = malloc(n);

        assert_non_null(chunk);
        memcpy(chunk, text + at, n);
        int code = json_scan_add(s, chunk, n, e);
        free(chunk);
        if (code < 0)
            return code;
    }
    return json_scan_end(s, e);
}

static const size_t steps[] = { 1, 2, 3, 7, 8, 64, 1 << 20 };

#define TEXT64 "0123456789012345678901234567890123456789012345678901234567890123"
#define DEEP63 "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["
#define SHUT63 "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"

static const struct {
    const char *name, *text, *why; /* NULL: accepted */
} cases[] = {
    { "object", "{}", NULL },
    { "blanks everywhere", " \t\r\n{ \"a\" : [ 1 , 2 ] , \"x\" : { } } \n", NULL },
    { "literals", "[true,false,null]", NULL },
    { "numbers", "[0,-0,1,-12,1.5,0.25,1e5,1E+5,2.5e-7,0e0]", NULL },
    { "bare number", "17", NULL },
    { "bare string", "\"x\"", NULL },
    { "escapes", "[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00\\u0000\"]", NULL },
    { "UTF-8 of each length", "[\"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 \x7f\"]", NULL },
    { "edges of UTF-8",
      "[\"\xc2\x80\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\"]", NULL },
    { "long string", "[\"" TEXT64 TEXT64 TEXT64 "\"]", NULL },
    { "same key in another object", "{\"a\":{\"k\":1},\"b\":{\"k\":1}}", NULL },
    { "long keys that differ at their end", "{\"" TEXT64 "a\":1,\"" TEXT64 "b\":1}", NULL },
    { "a key and the same with more", "{\"a\":1,\"aa\":1,\"aaaaaaaa\":1,\"aaaaaaaaa\":1}", NULL },
    { "depth at the limit", DEEP63 "[]" SHUT63, NULL },

    { "empty", "", "JSON: empty" },
    { "blank", "  ", "JSON: unexpected end" },
    { "open object", "{", "JSON: unexpected end" },
    { "open string", "\"a", "JSON: unexpected end" },
    { "open escape", "\"\\", "JSON: unexpected end" },
    { "open character", "\"\xc3", "JSON: unexpected end" },
    { "half a literal", "tru", "JSON: unexpected end" },
    { "half a number", "-", "JSON: unexpected end" },
    { "number to come", "1.", "JSON: unexpected end" },
    { "two values", "{} {}", "JSON: text after the value at byte 3" },
    { "comma after all", "[1],", "JSON: text after the value at byte 3" },
    { "trailing comma", "[1,]", "JSON: a value is expected at byte 3" },
    { "trailing comma of an object", "{\"a\":1,}", "JSON: a key in double quotes is expected" },
    { "no comma", "[1 2]", "JSON: ',' or ']' is expected at byte 3" },
    { "wrong end", "[1}", "JSON: ',' or ']' is expected" },
    { "wrong end of an object", "{\"a\":1]", "JSON: ',' or '}' is expected" },
    { "no colon", "{\"a\" 1}", "JSON: ':' is expected" },
    { "bare key", "{a:1}", "JSON: a key in double quotes is expected at byte 1" },
    { "key that is no string", "{1:1}", "JSON: a key in double quotes is expected" },
    { "single quotes", "{'a':1}", "JSON: single quote outside a string at byte 1" },
    { "single quotes of a value", "['a']", "JSON: single quote outside a string at byte 1" },
    { "comment", "[1/* */]", "JSON: ',' or ']' is expected" },
    { "NaN", "[NaN]", "JSON: a value is expected at byte 1" },
    { "infinity", "[-Infinity]", "JSON: malformed number" },
    { "literal in capitals", "[True]", "JSON: a value is expected" },
    { "literal with more", "[nullx]", "JSON: ',' or ']' is expected" },
    { "misspelt literal", "[nule]", "JSON: a value is expected at byte 4" },
    { "leading zero", "[01]", "JSON: malformed number" },
    { "leading plus", "[+1]", "JSON: a value is expected" },
    { "leading point", "[.5]", "JSON: a value is expected" },
    { "no digit after the point", "[1.]", "JSON: malformed number" },
    { "no digit of the exponent", "[1e]", "JSON: malformed number" },
    { "two points", "[1.2.3]", "JSON: ',' or ']' is expected" },
    { "hexadecimal", "[0x10]", "JSON: ',' or ']' is expected" },
    { "unknown escape", "[\"\\x\"]", "JSON: unknown escape in a string at byte 3" },
    { "bad \\u", "[\"\\u00g0\"]", "JSON: \\u is not followed by four digits" },
    { "NUL in a key", "{\"a\\u0000\":2}", "JSON: NUL in a key" },
    { "high half alone", "[\"\\ud83d\"]", "JSON: half of a surrogate pair" },
    { "high half and an escape", "[\"\\ud83d\\n\"]", "JSON: half of a surrogate pair" },
    { "high half twice", "[\"\\ud83d\\ud83d\"]", "JSON: half of a surrogate pair" },
    { "low half alone", "[\"\\ude00\"]", "JSON: half of a surrogate pair" },
    { "newline in a string", "[\"a\nb\"]", "JSON: control character in a string at byte 3" },
    { "byte 0x80", "[\"\x80\"]", "JSON: broken UTF-8 at byte 2" },
    { "byte 0xff", "[\"" TEXT64 TEXT64 "\xff\"]", "JSON: broken UTF-8 at byte 130" },
    { "overlong slash", "[\"\xc0\xaf\"]", "JSON: broken UTF-8" },
    { "overlong of three", "[\"\xe0\x80\xaf\"]", "JSON: broken UTF-8" },
    { "surrogate in UTF-8", "[\"\xed\xa0\x80\"]", "JSON: broken UTF-8" },
    { "above Unicode", "[\"\xf4\x90\x80\x80\"]", "JSON: broken UTF-8" },
    { "cut character", "[\"\xe2\x82\"]", "JSON: broken UTF-8" },
    { "byte order mark", "\xef\xbb\xbf{}", "JSON: a value is expected at byte 0" },
    { "twice the same key", "{\"a\":1,\"a\":1}", "JSON: an object has a key twice" },
    { "twice, once escaped", "{\"a\":1,\"\\u0061\":1}", "JSON: an object has a key twice" },
    { "twice, beyond ASCII", "{\"\\u00e9\":1,\"\xc3\xa9\":1}", "JSON: an object has a key twice" },
    { "twice, of two halves", "{\"\\ud83d\\ude00\":1,\"\xf0\x9f\x98\x80\":1}",
      "JSON: an object has a key twice" },
    { "twice, where nothing is wanted", "[{\"x\":[{\"\":1,\"\":1}]}]",
      "JSON: an object has a key twice" },
    { "twice, around an object", "{\"x\":1,\"y\":{\"x\":1},\"x\":1}",
      "JSON: an object has a key twice" },
    { "twice, among many",
      "{\"a0\":0,\"a1\":0,\"a2\":0,\"a3\":0,\"a4\":0,\"a5\":0,\"a6\":0,\"a7\":0,\"a8\":0,\"a9\":0,"
      "\"b0\":0,\"b1\":0,\"b2\":0,\"b3\":0,\"b4\":0,\"b5\":0,\"b6\":0,\"b7\":0,\"b8\":0,\"a0\":0}",
      "JSON: an object has a key twice" },
    { "twice, and long", "{\"" TEXT64 "a\":1,\"b\":1,\"" TEXT64 "a\":1}",
      "JSON: an object has a key twice" },
    { "depth past the limit", DEEP63 "[[]]" SHUT63, "JSON: nested too deep at byte 64" },
};

static void accepts_and_refuses(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        for (size_t j = 0; j < COUNT(steps); j++) {
            struct json_found found[SLOTS];
            struct json_scan s;
            struct err e = { 0 };
            int code = scan(&s, found, cases[i].text, strlen(cases[i].text), steps[j], &e);

            json_scan_release(&s);
            if (code != (cases[i].why ? -EINVAL : 0) ||
                strncmp(e.msg, cases[i].why ? cases[i].why : "",
                        cases[i].why ? strlen(cases[i].why) : 1) != 0)
                fail_msg("%s, %zu bytes a chunk: %d, '%s'", cases[i].name, steps[j], code, e.msg);
        }
    }
}

static void a_nul_byte_is_no_end(void **state)
{
    struct json_found found[SLOTS];
    struct json_scan s;
    struct err e = { 0 };

    (void)state;
    assert_int_equal(scan(&s, found, "{}\0", 3, 8, &e), -EINVAL);
    json_scan_release(&s);
    assert_int_equal(scan(&s, found, "\"\0\"", 3, 8, &e), -EINVAL);
    assert_string_equal(e.msg, "JSON: control character in a string at byte 1");
    json_scan_release(&s);
}

static void wanted_values_are_kept(void **state)
{
    static const struct {
        const char *text, *kept;
        enum json_kind kinds[SLOTS];
    } kept[] = {
        { "{}", "", { 0 } },
        { "[{\"a\":1}]", "", { 0 } },
        { "{\"x\":{\"a\":1},\"b\":{\"a\":1}}", "", { [B] = JSON_OBJECT } },
        { "{\"inner\":[{\"name\":1}]}", "", { [INNER] = JSON_ARRAY } },
        { "{\"a\":-1.5e3 ,\"b\":true}", "-1.5e3", { [A] = JSON_NUMBER, [B] = JSON_BOOLEAN } },
        { "{\"inner\":{\"spec\":{\"name\":[1, \"\\u00e9\\\"\"],\"a\":{}} "
          ",\"y\":1,\"name\":\"n\\n\"},"
          "\"a\":null}",
          "{\"name\":[1, \"\\u00e9\\\"\"],\"a\":{}}\"n\\n\"null",
          { [A] = JSON_NULL, [INNER] = JSON_OBJECT, [NAME] = JSON_STRING, [SPEC] = JSON_OBJECT } },
        { "{\"\\u0061\":\"" TEXT64 TEXT64 "\"}", "\"" TEXT64 TEXT64 "\"", { [A] = JSON_STRING } },
        { "{\"a\\u0001\":1,\"aa\":2,"
          "\"" TEXT64 "a\":3}",
          "",
          { 0 } },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(kept); i++) {
        for (size_t j = 0; j < COUNT(steps); j++) {
            struct json_found found[SLOTS];
            struct json_scan s;
            struct err e = { 0 };

            if (scan(&s, found, kept[i].text, strlen(kept[i].text), steps[j], &e) < 0)
                fail_msg("%s: %s", kept[i].text, e.msg);
            assert_string_equal(buf_str(&s.kept), kept[i].kept);
            for (size_t k = 0; k < SLOTS; k++)
                assert_int_equal(found[k].kind, kept[i].kinds[k]);
            json_scan_release(&s);
        }
    }
}

static void what_is_kept_is_bounded(void **state)
{
    struct json_found found[SLOTS];
    struct json_scan s;
    struct err e = { 0 };
    char text[8192];

    (void)state;
    (void)snprintf(text, sizeof(text), "{\"a\":[1%*s]", (int)sizeof(text) - 9, "");
    text[sizeof(text) - 1] = '}';
    for (size_t j = 0; j < COUNT(steps); j++) {
        assert_int_equal(scan(&s, found, text, sizeof(text), steps[j], &e), -EINVAL);
        assert_non_null(strstr(e.msg, "JSON: names and spec are too long"));
        assert_true(s.kept.size <= 8192);
        json_scan_release(&s);
    }
    text[2] = 'x';
    assert_int_equal(scan(&s, found, text, sizeof(text), 512, &e), 0);
    assert_true(s.kept.size <= 256);
    json_scan_release(&s);
}

static void keys_are_bounded(void **state)
{
    (void)state;
    for (int more = 0; more < 2; more++) {
        _cleanup_buf_ struct buf text = BUF_INIT(1 << 20);
        struct json_found found[SLOTS];
        struct json_scan s;
        struct err e = { 0 };

        for (int i = 0; i < JSON_SCAN_KEYS_MAX + more; i++)
            (void)buf_printf(&text, "%s\"k%d\":{}", i ? "," : "{", i * 7919 % 65536);
        (void)buf_add_str(&text, "}");
        assert_int_equal(scan(&s, found, text.data, text.len, 1000, &e), more ? -EINVAL : 0);
        if (more)
            assert_non_null(strstr(e.msg, "JSON: too many keys"));
        json_scan_release(&s);
    }
}

/* ---- against json-c ---- */

static uint32_t random_state = 1;

static uint32_t next_random(uint32_t below)
{
    random_state = random_state * 1664525 + 1013904223;
    return below ? (random_state >> 8) % below : 0;
}

static const char *const seeds[] = {
    "{\"a\":\"x\",\"b\":[1,2.5,-3e7,0],\"inner\":{\"name\":\"n\\u00e9\\n\",\"spec\":{\"k\":null}}}",
    "[true,false,null,{\"\":{}},[],\"\\ud83d\\ude00\",\"\xf0\x9f\x98\x80\xc3\xa9\"]",
    "{\"inner\":{\"spec\":{\"d\":\"1m30s\",\"n\":\"" TEXT64 TEXT64
    "\"},\"name\":17}, \"a\" : [ [ ] ]}",
};

static size_t mutate(const char *seed, char *out)
{
    static const char bytes[] = "{}[]\",:\\'0123456789.eE+-tfn u\x80\xc3\xed\x01\n/";
    size_t len = strlen(seed);

    for (size_t i = 0; i < len; i++)
        out[i] = seed[i];
    for (uint32_t n = next_random(4); n > 0; n--) {
        size_t at = next_random((uint32_t)len);

        switch (next_random(3)) {
        case 0:
            out[at] = bytes[next_random(sizeof(bytes) - 1)];
            break;
        case 1:
            memmove(out + at, out + at + 1, --len - at);
            break;
        default:
            memmove(out + at + 1, out + at, len++ - at);
            out[at] = bytes[next_random(sizeof(bytes) - 1)];
        }
    }
    return len;
}

/* What json-c takes and RFC 8259 or our rules do not. */
static bool is_stricter(const char *why)
{
    static const char *const reasons[] = {
        "single quote",      "a key twice",    "surrogate pair", "control char", "broken UTF-8",
        "malformed number",  "a value is exp", "unexpected end", "text after",   "unknown escape",
        "a key in double q", "or ']' is",      "or '}' is"
    };

    for (size_t i = 0; i < COUNT(reasons); i++)
        if (strstr(why, reasons[i]))
            return true;
    return false;
}

static void json_c_takes_what_is_accepted(void **state)
{
    int accepted = 0;

    (void)state;
    for (int i = 0; i < 60000; i++) {
        _cleanup_json_ struct json_object *whole = NULL, *kept = NULL;
        struct json_found found[SLOTS];
        struct json_scan s;
        struct err e = { 0 }, other = { 0 };
        char text[512];
        size_t len = mutate(seeds[next_random(COUNT(seeds))], text);
        int code = scan(&s, found, text, len, 1 + next_random(64), &e);
        int theirs = json_parse(text, len, JSON_SCAN_DEPTH_MAX + 1, &whole, &other);

        if ((code == 0 && theirs < 0) || (code < 0 && theirs == 0 && !is_stricter(e.msg)))
            fail_msg("%.*s: '%s', json-c '%s'", (int)len, text, e.msg, other.msg);
        if (code == 0) {
            struct json_object *object = json_get_object(whole, "inner");

            accepted++;
            if (found[SPEC].kind != JSON_ABSENT) {
                assert_int_equal(json_parse(s.kept.data + found[SPEC].at, found[SPEC].len,
                                            JSON_SCAN_DEPTH_MAX, &kept, &e),
                                 0);
                assert_true(json_object_equal(json_get_key(object, "spec"), kept));
            }
            assert_int_equal(found[NAME].kind > JSON_NULL, json_get_key(object, "name") != NULL);
        }
        json_scan_release(&s);
    }
    assert_true(accepted > 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts_and_refuses),    cmocka_unit_test(a_nul_byte_is_no_end),
        cmocka_unit_test(wanted_values_are_kept), cmocka_unit_test(what_is_kept_is_bounded),
        cmocka_unit_test(keys_are_bounded),       cmocka_unit_test(json_c_takes_what_is_accepted),
    };

    return cmocka_run_group_tests_name("json_scan", tests, NULL, NULL);
}
