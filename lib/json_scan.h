/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_scan: reads one JSON text as its bytes arrive, checks all of it, and keeps only the values
 * that are asked for.
 *
 * Input is untrusted, and its memory is bounded whatever it holds: a value that nobody wants is
 * checked and forgotten byte by byte. Refused is what RFC 8259 does not allow (comments, single
 * quotes, NaN, leading zeros, bytes after the value, control characters), and also broken UTF-8,
 * halves of surrogate pairs, an object with the same key twice, nesting deeper than
 * JSON_SCAN_DEPTH_MAX and more than JSON_SCAN_KEYS_MAX keys in objects that are open at a time.
 *
 * Pure, and independent of how the text is cut into chunks.
 */
#pragma once

#include "lib/buf.h"
#include "lib/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    JSON_SCAN_DEPTH_MAX = 64,
    JSON_SCAN_KEYS_MAX = 2048,
    JSON_SCAN_KEY_SIZE = 32, /* more than the longest wanted key */
};

enum json_kind {
    JSON_ABSENT,
    JSON_NULL,
    JSON_BOOLEAN,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT,
};

/* One key that is looked at. A table of them ends with a NULL key; all must outlive the scan. What
 * is kept is kept whole: nothing more is wanted inside it. */
struct json_want {
    const char *key;
    size_t slot;                    /* where in found[] its value is told */
    bool keep;                      /* the text of the value, too */
    const struct json_want *inside; /* when the value is an object: what is wanted of it */
};

struct json_found {
    enum json_kind kind;
    size_t at, len; /* of a kept value: its text is len bytes of kept, from at on */
};

struct json_scan_level {
    const struct json_want *inside; /* NULL: nothing in here is wanted */
    size_t first_key;
    bool is_object;
};

/* Only the first three are for the caller, after json_scan_end(). */
struct json_scan {
    enum json_kind kind; /* of the whole */
    struct json_found *found;
    struct buf kept;              /* the texts of the kept values, one behind the other */
    const struct json_want *want; /* of the value that comes next */
    const struct json_want *top;
    size_t offset;              /* of the chunk in the text */
    const char *run;            /* in this chunk, the first byte to keep; NULL: none */
    const char *why, *why_at;   /* what was refused */
    const char *literal;        /* the rest of true, false or null */
    struct json_found *keeping; /* the value whose text is being kept */
    size_t kept_depth;
    uint64_t *keys; /* hashes of the keys of all open objects */
    size_t n_keys, size_keys;
    uint64_t hash; /* of the key beyond key[] */
    size_t key_len;
    uint32_t code, high; /* of a \u escape; the first half of a pair, or 0 */
    size_t n_levels;
    uint8_t state, n_left;       /* n_left: digits or bytes to come */
    uint8_t low_byte, high_byte; /* what the next byte of a character may be */
    bool in_key;
    char key[JSON_SCAN_KEY_SIZE];
    struct json_scan_level levels[JSON_SCAN_DEPTH_MAX];
};

/* @wants are the keys of the outermost object, @found has one zeroed entry for each slot. The kept
 * values together may have @kept_max bytes. */
void json_scan_init(struct json_scan *s, const struct json_want *wants, struct json_found *found,
                    size_t kept_max);

/* The next bytes. -EINVAL: what is wrong, and where; nothing may be added after that. */
int json_scan_add(struct json_scan *s, const char *text, size_t len, struct err *e) WARN_UNUSED;

/* There are no more bytes. -EINVAL: the text is not over. */
int json_scan_end(struct json_scan *s, struct err *e) WARN_UNUSED;

void json_scan_release(struct json_scan *s); /* safe on a zeroed one */
