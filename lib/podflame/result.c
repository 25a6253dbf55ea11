/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/podflame/result.h"

#include "lib/digest.h"
#include "lib/json.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { HEADER_DEPTH = 8, DATA_LINES_MAX = RESULT_PAGE_MAX / RESULT_LINE_BYTES + 1 };

const char *result_reason_name(enum result_reason reason)
{
    static const char *const names[] = {
#define X(id, name) name,
        RESULT_REASONS(X)
#undef X
    };

    assert(reason < RESULT_REASON_COUNT);
    return names[reason];
}

static const struct {
    const char *name, *unit, *text;
} notes[] = {
#define X(id, name, unit, text) { name, unit, text },
    RESULT_NOTES(X)
#undef X
};

const char *result_note_name(enum result_note note)
{
    assert(note < RESULT_NOTE_COUNT);
    return notes[note].name;
}

int result_note_print(enum result_note note, int64_t count, struct buf *out)
{
    const char *plural = "s";

    assert(note < RESULT_NOTE_COUNT);
    if (count == 1)
        plural = "";
    else if (strcmp(notes[note].unit, "process") == 0)
        plural = "es";
    return buf_printf(out, "%lld %s%s %s", (long long)count, notes[note].unit, plural,
                      notes[note].text);
}

/* The numbers of a profile, by their JSON name. */
static const struct {
    const char *key;
    size_t offset;
} numbers[] = {
    { "samples", offsetof(struct result_profile, samples) },
    { "lost", offsetof(struct result_profile, lost) },
    { "truncated", offsetof(struct result_profile, truncated) },
    { "unknown", offsetof(struct result_profile, unknown) },
    { "pruned", offsetof(struct result_profile, pruned) },
    { "processes", offsetof(struct result_profile, processes) },
    { "frequency", offsetof(struct result_profile, frequency) },
    { "durationMilliseconds", offsetof(struct result_profile, duration_ms) },
    { "bytes", offsetof(struct result_profile, bytes) },
};

enum { NUMBERS = sizeof(numbers) / sizeof(numbers[0]) };

static int64_t *number_at(struct result_profile *profile, size_t i)
{
    return (int64_t *)(void *)((char *)profile + numbers[i].offset);
}

/* Left out when there are none. */
static void notes_to_json(const int64_t counts[RESULT_NOTE_COUNT], struct json_object *profile)
{
    struct json_object *o = NULL;

    for (size_t i = 0; i < RESULT_NOTE_COUNT; i++) {
        if (counts[i] <= 0)
            continue;
        if (!o)
            o = json_add_object(profile, "notes");
        json_set_int(o, notes[i].name, counts[i]);
    }
}

struct json_object *result_profile_to_json(const struct result_profile *profile)
{
    struct json_object *o = json_object_new_object();
    struct result_profile copy = *profile;

    for (size_t i = 0; i < NUMBERS; i++)
        json_set_int(o, numbers[i].key, *number_at(&copy, i));
    struct json_object *runtimes = json_add_array(o, "runtimes");
    for (size_t i = 0; i < RESULT_RUNTIMES_MAX && copy.runtimes[i][0]; i++)
        (void)json_object_array_add(runtimes, json_object_new_string(copy.runtimes[i]));
    notes_to_json(copy.notes, o);
    return o;
}

/* Copies as much of @from as fits and ends between two characters: what is cut goes to the API
 * server, which takes no broken UTF-8. */
static void copy_text(char *to, size_t size, const char *from)
{
    size_t len = strlen(from);

    if (len >= size)
        for (len = size - 1; len > 0 && ((unsigned char)from[len] & 0xc0) == 0x80;)
            len--;
    memcpy(to, from, len);
    to[len] = '\0';
}

static void profile_from_json(struct json_object *o, struct result_profile *profile)
{
    struct json_object *runtimes = json_get_array(o, "runtimes");
    size_t n = runtimes ? json_object_array_length(runtimes) : 0;

    for (size_t i = 0; i < NUMBERS; i++) {
        int64_t value = json_get_int(o, numbers[i].key, 0);

        *number_at(profile, i) = value > 0 ? value : 0;
    }
    for (size_t i = 0; i < n && i < RESULT_RUNTIMES_MAX; i++) {
        const char *name = json_get_str(json_object_array_get_idx(runtimes, i), "");

        copy_text(profile->runtimes[i], sizeof(profile->runtimes[i]), name && *name ? name : "?");
    }

    struct json_object *counts = json_get(o, "notes");

    for (size_t i = 0; i < RESULT_NOTE_COUNT; i++) {
        int64_t value = json_get_int(counts, notes[i].name, 0);

        profile->notes[i] = value > 0 ? value : 0;
    }
}

static int encode_line(const char *kind, struct json_object *value, struct buf *out)
{
    int code = buf_printf(out, RESULT_PREFIX "%s ", kind);

    if (code == 0)
        code = json_write(value, out);
    return code == 0 ? buf_add_str(out, "\n") : code;
}

int result_encode(const struct result_profile *profile, const void *page_gz, size_t len,
                  struct buf *out)
{
    char sha256[SHA256_HEX_SIZE];
    int64_t lines = 0;

    if (len > RESULT_PAGE_MAX)
        return -EFBIG;
    sha256_hex(page_gz, len, sha256);

    _cleanup_json_ struct json_object *header = json_object_new_object();
    json_set_int(header, "bytes", (int64_t)len);
    json_set_str(header, "sha256", sha256);
    json_set(header, "profile", result_profile_to_json(profile));
    int code = encode_line("header", header, out);

    for (size_t at = 0; code == 0 && at < len; at += RESULT_LINE_BYTES, lines++) {
        size_t n = len - at < RESULT_LINE_BYTES ? len - at : RESULT_LINE_BYTES;

        code = buf_add_str(out, RESULT_PREFIX "data ");
        if (code == 0)
            code = base64_encode((const char *)page_gz + at, n, out);
        if (code == 0)
            code = buf_add_str(out, "\n");
    }
    _cleanup_json_ struct json_object *end = json_object_new_object();
    json_set_int(end, "lines", lines);
    return code == 0 ? encode_line("end", end, out) : code;
}

int result_encode_error(enum result_reason reason, const char *message, struct buf *out)
{
    _cleanup_json_ struct json_object *error = json_object_new_object();

    json_set_str(error, "reason", result_reason_name(reason));
    json_set_str(error, "message", message);
    return encode_line("error", error, out);
}

void result_decoder_init(struct result_decoder *d)
{
    *d = (struct result_decoder){
        .page_gz = BUF_INIT(RESULT_PAGE_MAX + RESULT_LINE_BYTES),
        .line = BUF_INIT(RESULT_TEXT_LINE_MAX),
    };
}

void result_decoder_release(struct result_decoder *d)
{
    buf_release(&d->page_gz);
    buf_release(&d->line);
}

static void broken(struct result_decoder *d, const char *why)
{
    d->state = RESULT_BROKEN;
    (void)snprintf(d->why, sizeof(d->why), "%s", why);
}

static void take_header(struct result_decoder *d, struct json_object *o)
{
    const char *sha256 = json_get_str(o, "sha256");

    d->expect_bytes = json_get_int(o, "bytes", -1);
    if (d->state != RESULT_NONE)
        broken(d, "a second header");
    else if (d->expect_bytes < 0 || d->expect_bytes > RESULT_PAGE_MAX || !sha256 ||
             strlen(sha256) != sizeof(d->sha256) - 1)
        broken(d, "a header with a length or digest out of bounds");
    else {
        (void)snprintf(d->sha256, sizeof(d->sha256), "%s", sha256);
        profile_from_json(json_get(o, "profile"), &d->profile);
        d->profile.bytes = d->expect_bytes;
        d->state = RESULT_INCOMPLETE;
    }
}

static void take_data(struct result_decoder *d, const char *text, size_t len)
{
    if (d->state != RESULT_INCOMPLETE)
        broken(d, "data outside of a header and its end");
    else if (++d->n_lines > DATA_LINES_MAX || base64_decode(text, len, &d->page_gz) < 0)
        broken(d, "a data line that is not base64, or too many of them");
}

static void take_end(struct result_decoder *d, struct json_object *o)
{
    char sha256[SHA256_HEX_SIZE];

    sha256_hex(buf_str(&d->page_gz), d->page_gz.len, sha256);
    if (d->state != RESULT_INCOMPLETE)
        broken(d, "an end without a header");
    else if (json_get_int(o, "lines", -1) != d->n_lines)
        broken(d, "lines are missing");
    else if ((int64_t)d->page_gz.len != d->expect_bytes)
        broken(d, "the length is not what the header says");
    else if (strcmp(sha256, d->sha256) != 0)
        broken(d, "the digest is not what the header says");
    else
        d->state = RESULT_COMPLETE;
}

/* Condition reasons are [A-Za-z][A-Za-z0-9]*; anything else becomes the general reason. */
static bool is_reason(const char *s)
{
    if (!s || !isalpha((unsigned char)*s) ||
        strlen(s) >= sizeof(((struct result_decoder *)0)->reason))
        return false;
    while (isalnum((unsigned char)*s))
        s++;
    return *s == '\0';
}

static void take_error(struct result_decoder *d, struct json_object *o)
{
    const char *reason = json_get_str(o, "reason");
    const char *message = json_get_str(o, "message");

    if (d->state != RESULT_NONE) {
        broken(d, "an error after a header");
        return;
    }
    (void)snprintf(d->reason, sizeof(d->reason), "%s",
                   is_reason(reason) ? reason : result_reason_name(RESULT_INTERNAL));
    copy_text(d->message, sizeof(d->message), message ? message : "no message");
    d->state = RESULT_FAILED;
}

static const struct {
    const char *name;
    void (*take)(struct result_decoder *, struct json_object *);
} kinds[] = { { "header ", take_header }, { "end ", take_end }, { "error ", take_error } };

static void take_line(struct result_decoder *d, const char *line, size_t len)
{
    const size_t prefix = strlen(RESULT_PREFIX);
    const char *data = "data ";
    struct err e = { 0 };

    if (d->state == RESULT_BROKEN || len < prefix || memcmp(line, RESULT_PREFIX, prefix) != 0)
        return;
    line += prefix;
    len -= prefix;
    if (len >= strlen(data) && memcmp(line, data, strlen(data)) == 0) {
        take_data(d, line + strlen(data), len - strlen(data));
        return;
    }
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        size_t n = strlen(kinds[i].name);
        _cleanup_json_ struct json_object *o = NULL;

        if (len < n || memcmp(line, kinds[i].name, n) != 0)
            continue;
        if (json_parse(line + n, len - n, HEADER_DEPTH, &o, &e) < 0)
            broken(d, "a line that is not JSON");
        else
            kinds[i].take(d, o);
        return;
    }
    broken(d, "a line of an unknown kind");
}

void result_decoder_feed(struct result_decoder *d, const void *data, size_t len)
{
    const char *at = data;

    while (len > 0) {
        const char *newline = memchr(at, '\n', len);
        size_t n = newline ? (size_t)(newline - at) : len;

        if (!d->skipping && buf_add(&d->line, at, n) < 0)
            d->skipping = true;
        if (newline) {
            if (!d->skipping)
                take_line(d, buf_str(&d->line), d->line.len);
            buf_clear(&d->line);
            d->skipping = false;
            n++;
        }
        at += n;
        len -= n;
    }
}

enum result_state result_decoder_finish(struct result_decoder *d)
{
    result_decoder_feed(d, "\n", 1);
    return d->state;
}
