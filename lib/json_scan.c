/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/json_scan.h"

#include "lib/json_plain.h"
#include "lib/json_string.h"
#include "lib/mem.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum state {
    VALUE,
    VALUE_OR_END, /* after [ */
    KEY,
    KEY_OR_END, /* after { */
    COLON,
    COMMA_OR_END,
    STRING,
    ESCAPE,
    HEX,
    SECOND_SLASH, /* of the second half of a surrogate pair */
    SECOND_U,
    CHARACTER, /* within one of UTF-8 that has several bytes */
    LITERAL,
    MINUS,
    ZERO,
    INTEGER,
    POINT,
    FRACTION,
    EXPONENT,
    EXPONENT_SIGN,
    EXPONENT_DIGITS,
    END,
};

enum { FIRST_KEYS = 64, FEW_KEYS = 16 };

#define HASH_PRIME 0x9e3779b97f4a7c15ULL /* odd, with its bits spread out */

static const char *refuse(struct json_scan *s, const char *at, const char *why)
{
    s->why = why;
    s->why_at = at;
    return NULL;
}

static const char *refuse_byte(struct json_scan *s, const char *at, const char *expected)
{
    return refuse(s, at, *at == '\'' ? "single quote outside a string" : expected);
}

/* ---- keys ---- */

/* What does not fit in key is longer than any that is wanted, and goes into the hash alone. */
static void add_to_key(struct json_scan *s, const char *bytes, size_t len)
{
    size_t room = sizeof(s->key) - s->key_len, fits = len < room ? len : room;

    memcpy(s->key + s->key_len, bytes, fits);
    s->key_len += fits;
    for (size_t i = fits; i < len; i++)
        s->hash = (s->hash ^ (unsigned char)bytes[i]) * HASH_PRIME;
}

/* Of the whole key, eight bytes at a time. */
static uint64_t hash_key(const struct json_scan *s)
{
    uint64_t hash = s->hash ^ s->key_len;

    for (size_t at = 0; at < s->key_len; at += sizeof(hash)) {
        size_t n = s->key_len - at < sizeof(hash) ? s->key_len - at : sizeof(hash);
        uint64_t word = 0;

        memcpy(&word, s->key + at, n);
        hash = (hash ^ word) * HASH_PRIME;
        hash ^= hash >> 32;
    }
    return hash;
}

static void add_code_to_key(struct json_scan *s, uint32_t code)
{
    char utf8[4];

    add_to_key(s, utf8, json_encode(code, utf8));
}

static const struct json_want *find_want(const struct json_want *wants, const char *key, size_t len)
{
    for (; wants && wants->key; wants++)
        if (*wants->key == *key && strlen(wants->key) == len && memcmp(wants->key, key, len) == 0)
            return wants;
    return NULL;
}

/* Equal keys have equal hashes. Different ones with equal hashes are as good as never met by
 * chance, and who makes them on purpose is refused what would have been allowed. */
static const char *end_key(struct json_scan *s, const char *at)
{
    if (s->n_keys == JSON_SCAN_KEYS_MAX)
        return refuse(s, at, "too many keys");
    if (s->n_keys == s->size_keys) {
        s->size_keys = s->size_keys ? 2 * s->size_keys : FIRST_KEYS;
        s->keys = mem_grow(s->keys, s->size_keys, sizeof(*s->keys));
    }
    s->keys[s->n_keys++] = hash_key(s);
    s->want = s->key_len < sizeof(s->key)
                  ? find_want(s->levels[s->n_levels - 1].inside, s->key, s->key_len)
                  : NULL;
    s->in_key = false;
    s->state = COLON;
    return at;
}

static int compare_hashes(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static bool has_duplicates(uint64_t *keys, size_t n)
{
    if (n <= FEW_KEYS) {
        for (size_t i = 1; i < n; i++)
            for (size_t j = 0; j < i; j++)
                if (keys[i] == keys[j])
                    return true;
        return false;
    }
    qsort(keys, n, sizeof(*keys), compare_hashes);
    for (size_t i = 1; i < n; i++)
        if (keys[i] == keys[i - 1])
            return true;
    return false;
}

/* ---- values ---- */

static void begin_value(struct json_scan *s, const char *at, enum json_kind kind)
{
    const struct json_want *want = s->want;

    if (s->n_levels == 0)
        s->kind = kind;
    s->want = NULL;
    if (!want)
        return;
    struct json_found *found = &s->found[want->slot];
    *found = (struct json_found){ .kind = kind };
    if (!want->keep || s->run)
        return;
    found->at = s->kept.len;
    s->keeping = found;
    s->kept_depth = s->n_levels;
    s->run = at;
}

/* False past the cap. */
static bool keep_until(struct json_scan *s, const char *at)
{
    return buf_add(&s->kept, s->run, (size_t)(at - s->run)) == 0;
}

static const char *end_value(struct json_scan *s, const char *at)
{
    if (s->run && s->n_levels == s->kept_depth) {
        if (!keep_until(s, at))
            return refuse(s, at, "names and spec are too long");
        s->keeping->len = s->kept.len - s->keeping->at;
        s->run = NULL;
    }
    s->state = s->n_levels ? COMMA_OR_END : END;
    return at;
}

static const char *open_level(struct json_scan *s, const char *at, bool is_object)
{
    const struct json_want *inside = s->want ? s->want->inside : NULL;

    if (s->n_levels == JSON_SCAN_DEPTH_MAX)
        return refuse(s, at, "nested too deep");
    if (s->n_levels == 0)
        inside = s->top;
    begin_value(s, at, is_object ? JSON_OBJECT : JSON_ARRAY);
    s->levels[s->n_levels++] = (struct json_scan_level){ inside, s->n_keys, is_object };
    s->state = is_object ? KEY_OR_END : VALUE_OR_END;
    return at + 1;
}

static const char *close_level(struct json_scan *s, const char *at)
{
    const struct json_scan_level *level = &s->levels[s->n_levels - 1];

    if (level->is_object && s->n_keys > level->first_key &&
        has_duplicates(s->keys + level->first_key, s->n_keys - level->first_key))
        return refuse(s, at, "an object has a key twice");
    s->n_keys = level->first_key;
    s->n_levels--;
    return end_value(s, at + 1);
}

static const char *begin_literal(struct json_scan *s, const char *at, enum json_kind kind,
                                 const char *text)
{
    begin_value(s, at, kind);
    s->literal = text + 1;
    s->state = LITERAL;
    return at + 1;
}

static const char *take_value(struct json_scan *s, const char *at, const char *end)
{
    (void)end;
    switch (*at) {
    case '"':
        begin_value(s, at, JSON_STRING);
        s->state = STRING;
        return at + 1;
    case '{':
        return open_level(s, at, true);
    case '[':
        return open_level(s, at, false);
    case 't':
        return begin_literal(s, at, JSON_BOOLEAN, "true");
    case 'f':
        return begin_literal(s, at, JSON_BOOLEAN, "false");
    case 'n':
        return begin_literal(s, at, JSON_NULL, "null");
    default:
        if (*at != '-' && (*at < '0' || *at > '9'))
            return refuse_byte(s, at, "a value is expected");
        begin_value(s, at, JSON_NUMBER);
        s->state = *at == '-' ? MINUS : *at == '0' ? ZERO : INTEGER;
        return at + 1;
    }
}

static const char *take_value_or_end(struct json_scan *s, const char *at, const char *end)
{
    return *at == ']' ? close_level(s, at) : take_value(s, at, end);
}

static const char *take_key(struct json_scan *s, const char *at, const char *end)
{
    (void)end;
    if (*at != '"')
        return refuse_byte(s, at, "a key in double quotes is expected");
    s->in_key = true;
    s->key_len = 0;
    s->hash = 0;
    s->state = STRING;
    return at + 1;
}

static const char *take_key_or_end(struct json_scan *s, const char *at, const char *end)
{
    return *at == '}' ? close_level(s, at) : take_key(s, at, end);
}

static const char *take_colon(struct json_scan *s, const char *at, const char *end)
{
    (void)end;
    if (*at != ':')
        return refuse_byte(s, at, "':' is expected");
    s->state = VALUE;
    return at + 1;
}

static const char *take_comma_or_end(struct json_scan *s, const char *at, const char *end)
{
    bool is_object = s->levels[s->n_levels - 1].is_object;

    (void)end;
    if (*at == (is_object ? '}' : ']'))
        return close_level(s, at);
    if (*at != ',')
        return refuse_byte(s, at, is_object ? "',' or '}' is expected" : "',' or ']' is expected");
    s->state = is_object ? KEY : VALUE;
    return at + 1;
}

static const char *take_nothing(struct json_scan *s, const char *at, const char *end)
{
    (void)end;
    return refuse_byte(s, at, "text after the value");
}

static const char *take_literal(struct json_scan *s, const char *at, const char *end)
{
    (void)end;
    if (*at != *s->literal)
        return refuse(s, at, "a value is expected");
    return *++s->literal ? at + 1 : end_value(s, at + 1);
}

/* ---- numbers ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool number_may_end(unsigned state)
{
    return state == ZERO || state == INTEGER || state == FRACTION || state == EXPONENT_DIGITS;
}

/* The state after @c, or END when it is no part of a number here. */
static enum state after_number_byte(unsigned state, char c)
{
    bool digit = is_digit(c);

    switch (state) {
    case MINUS:
        return c == '0' ? ZERO : digit ? INTEGER : END;
    case ZERO:
    case INTEGER:
    case FRACTION:
        if (digit && state != ZERO)
            return (enum state)state;
        if (c == '.' && state != FRACTION)
            return POINT;
        return c == 'e' || c == 'E' ? EXPONENT : END;
    case POINT:
        return digit ? FRACTION : END;
    case EXPONENT:
        if (c == '+' || c == '-')
            return EXPONENT_SIGN;
        return digit ? EXPONENT_DIGITS : END;
    default:
        return digit ? EXPONENT_DIGITS : END;
    }
}

static const char *take_number(struct json_scan *s, const char *at, const char *end)
{
    for (; at < end; at++) {
        enum state next = after_number_byte(s->state, *at);

        if (next == END)
            return number_may_end(s->state) && !is_digit(*at) ? end_value(s, at)
                                                              : refuse(s, at, "malformed number");
        s->state = (uint8_t)next;
    }
    return at;
}

/* ---- strings ---- */

static const char *take_escape(struct json_scan *s, const char *at, const char *end)
{
    char c = json_unescape(*at);

    (void)end;
    s->state = STRING;
    if (*at == 'u') {
        s->state = HEX;
        s->n_left = 4;
        s->code = s->high = 0;
    } else if (!c) {
        return refuse(s, at, "unknown escape in a string");
    } else if (s->in_key) {
        add_to_key(s, &c, 1);
    }
    return at + 1;
}

static const char *take_hex(struct json_scan *s, const char *at, const char *end)
{
    int digit = json_hex_value(*at);

    (void)end;
    if (digit < 0)
        return refuse(s, at, "\\u is not followed by four digits");
    s->code = s->code << 4 | (uint32_t)digit;
    if (--s->n_left > 0)
        return at + 1;
    bool is_high = s->code >= 0xd800 && s->code < 0xdc00;
    bool is_low = s->code >= 0xdc00 && s->code < 0xe000;
    if (is_low != (s->high != 0))
        return refuse(s, at, "half of a surrogate pair");
    if (s->in_key && s->code == 0)
        return refuse(s, at, "NUL in a key"); /* json-c would end the key there */
    s->state = is_high ? SECOND_SLASH : STRING;
    if (is_high)
        s->high = s->code;
    else if (s->in_key)
        add_code_to_key(s, is_low ? 0x10000 + ((s->high - 0xd800) << 10) + (s->code - 0xdc00)
                                  : s->code);
    return at + 1;
}

static const char *take_second(struct json_scan *s, const char *at, const char *end)
{
    (void)end;
    if (*at != (s->state == SECOND_SLASH ? '\\' : 'u'))
        return refuse(s, at, "half of a surrogate pair");
    s->state = s->state == SECOND_SLASH ? SECOND_U : HEX;
    s->n_left = 4;
    s->code = 0;
    return at + 1;
}

/* Which bytes may come second is table 3-7 of the Unicode standard. */
static const char *begin_character(struct json_scan *s, const char *at)
{
    unsigned char c = (unsigned char)*at;

    if (c < 0xc2 || c > 0xf4)
        return refuse(s, at, c < ' ' ? "control character in a string" : "broken UTF-8");
    if (s->in_key)
        add_to_key(s, at, 1);
    s->n_left = c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
    s->low_byte = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
    s->high_byte = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
    s->state = CHARACTER;
    return at + 1;
}

static const char *take_character(struct json_scan *s, const char *at, const char *end)
{
    unsigned char c = (unsigned char)*at;

    (void)end;
    if (c < s->low_byte || c > s->high_byte)
        return refuse(s, at, "broken UTF-8");
    if (s->in_key)
        add_to_key(s, at, 1);
    s->low_byte = 0x80;
    s->high_byte = 0xbf;
    if (--s->n_left == 0)
        s->state = STRING;
    return at + 1;
}

static const char *take_string(struct json_scan *s, const char *at, const char *end)
{
    for (;;) {
        const char *stop = json_skip_plain(at, end);

        if (s->in_key)
            add_to_key(s, at, (size_t)(stop - at));
        if (stop == end)
            return end;
        if (*stop == '"')
            return s->in_key ? end_key(s, stop + 1) : end_value(s, stop + 1);
        if (*stop != '\\')
            return begin_character(s, stop);
        if (s->in_key || end - stop < 2 || !json_unescape(stop[1])) {
            s->state = ESCAPE;
            return stop + 1;
        }
        at = stop + 2;
    }
}

/* ---- all of it ---- */

/* Each is called with a byte to look at, and returns where the next one starts; NULL: refused. */
static const char *(*const steps[])(struct json_scan *s, const char *at, const char *end) = {
    [VALUE] = take_value,
    [VALUE_OR_END] = take_value_or_end,
    [KEY] = take_key,
    [KEY_OR_END] = take_key_or_end,
    [COLON] = take_colon,
    [COMMA_OR_END] = take_comma_or_end,
    [STRING] = take_string,
    [ESCAPE] = take_escape,
    [HEX] = take_hex,
    [SECOND_SLASH] = take_second,
    [SECOND_U] = take_second,
    [CHARACTER] = take_character,
    [LITERAL] = take_literal,
    [MINUS] = take_number,
    [ZERO] = take_number,
    [INTEGER] = take_number,
    [POINT] = take_number,
    [FRACTION] = take_number,
    [EXPONENT] = take_number,
    [EXPONENT_SIGN] = take_number,
    [EXPONENT_DIGITS] = take_number,
    [END] = take_nothing,
};

static bool is_blank(char c)
{
    return c <= ' ' && (c == ' ' || c == '\t' || c == '\n' || c == '\r');
}

void json_scan_init(struct json_scan *s, const struct json_want *wants, struct json_found *found,
                    size_t kept_max)
{
    *s = (struct json_scan){ .top = wants, .found = found };
    buf_init(&s->kept, kept_max);
}

int json_scan_add(struct json_scan *s, const char *text, size_t len, struct err *e)
{
    const char *at = text, *end = text + len;

    if (s->run)
        s->run = text;
    while (at && at < end) {
        if (is_blank(*at) && (s->state <= COMMA_OR_END || s->state == END))
            at++;
        else
            at = steps[s->state](s, at, end);
    }
    if (at && s->run && !keep_until(s, end))
        at = refuse(s, end, "names and spec are too long");
    if (!at)
        return err_set(e, -EINVAL, "JSON: %s at byte %zu", s->why,
                       s->offset + (size_t)(s->why_at - text));
    s->offset += len;
    return 0;
}

int json_scan_end(struct json_scan *s, struct err *e)
{
    if (s->n_levels == 0 && number_may_end(s->state))
        (void)end_value(s, NULL); /* nothing of the outermost value is kept */
    if (s->state != END)
        return err_set(e, -EINVAL, "JSON: %s", s->offset ? "unexpected end" : "empty");
    return 0;
}

void json_scan_release(struct json_scan *s)
{
    buf_release(&s->kept);
    free(s->keys);
    s->keys = NULL;
}
