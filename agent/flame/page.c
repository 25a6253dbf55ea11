/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/flame/page.h"

#include "agent/flame/text.h"
#include "lib/digest.h"
#include "lib/mem.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Of page_assets.S. */
extern const char flame_page_html[], flame_page_html_end[];
extern const char flame_page_css[], flame_page_css_end[];
extern const char flame_page_js[], flame_page_js_end[];

static_assert(sizeof(PAGE_DIGITS) - 1 == PAGE_DIGIT_COUNT, "one character a digit");
static_assert((int)FLAME_KIND_COUNT <= (int)PAGE_DIGIT_COUNT, "a kind is one digit");

/* Every write below goes to a buffer that remembers its overflow: page_write() checks once. */
static void add(struct buf *out, const char *text, size_t len)
{
    (void)buf_add(out, text, len);
}

static void add_str(struct buf *out, const char *text)
{
    (void)buf_add_str(out, text);
}

/* @text is valid UTF-8 without control characters. '<' would end the script element. */
static void add_json_string(struct buf *out, const char *text)
{
    add_str(out, "\"");
    while (*text) {
        size_t plain = strcspn(text, "\"\\<");

        add(out, text, plain);
        text += plain;
        if (*text == '<')
            add_str(out, "\\u003c");
        else if (*text)
            add(out, (const char[]){ '\\', *text }, 2);
        text += *text != '\0';
    }
    add_str(out, "\"");
}

static void add_number(struct buf *out, uint64_t value)
{
    char text[16];
    size_t at = sizeof(text);

    text[--at] = PAGE_DIGITS[value % 64];
    for (value /= 64; value > 0; value = (value - 1) / 26)
        text[--at] = PAGE_DIGITS[64 + (value - 1) % 26];
    add(out, text + at, sizeof(text) - at);
}

static void add_header(const struct flame_rows *r, const struct flame_header *h, struct buf *out)
{
    const struct {
        const char *key, *value;
    } texts[] = { { "pod", h->pod },        { "container", h->container }, { "node", h->node },
                  { "target", h->target },  { "started", h->started },     { "kernel", h->kernel },
                  { "version", h->version } };
    const struct {
        const char *key;
        int64_t value;
    } numbers[] = { { "duration_ms", h->duration_ms },
                    { "frequency", h->frequency },
                    { "samples", h->samples },
                    { "lost", h->lost },
                    { "truncated", h->truncated },
                    { "unknown", h->unknown },
                    { "processes", h->processes },
                    { "prunedSamples", (int64_t)r->pruned_samples },
                    { "prunedFrames", (int64_t)r->pruned_frames } };

    add_str(out, "{");
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        (void)buf_printf(out, "%s\"%s\":%" PRId64, i ? "," : "", numbers[i].key, numbers[i].value);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        char clean[FLAME_NAME_MAX + 1];

        if (!texts[i].value || !*texts[i].value)
            continue;
        (void)flame_text_clean(texts[i].value, clean);
        (void)buf_printf(out, ",\"%s\":", texts[i].key);
        add_json_string(out, clean);
    }
    add_str(out, ",\n\"notes\":[");
    for (size_t i = 0; i < FLAME_NOTES_MAX && h->notes[i]; i++) {
        char clean[FLAME_NAME_MAX + 1];

        (void)flame_text_clean(h->notes[i], clean);
        add_str(out, i ? "," : "");
        add_json_string(out, clean);
    }
    add_str(out, "]}");
}

/* The children seen under each frame so far: short lists, in order of appearance. */
struct known {
    struct {
        uint32_t frame, next; /* next: 0 ends the list */
    } * items;                /* number 0 is not used */
    uint32_t *first, n;
};

/* The place of @child among the known children of @parent; when it is new it is remembered, if
 * there is room, and PAGE_KNOWN_CHILDREN is returned. */
static uint32_t known_find(struct known *k, uint32_t parent, uint32_t child)
{
    uint32_t *link = &k->first[parent], place = 0;

    for (; *link; place++) {
        if (k->items[*link].frame == child)
            return place;
        link = &k->items[*link].next;
    }
    if (place < PAGE_KNOWN_CHILDREN) {
        *link = ++k->n;
        k->items[k->n].frame = child;
    }
    return PAGE_KNOWN_CHILDREN;
}

/* Writes the column of frames, and lists the frames in the order of their first use. */
static uint32_t add_frames(const struct flame_rows *r, uint32_t *used, struct buf *out)
{
    size_t n_frames = r->flame->n_frames;
    _cleanup_free_ uint32_t *first = mem_array(n_frames + 1, sizeof(*first));
    _cleanup_free_ uint32_t *number = mem_array(n_frames, sizeof(*number)); /* + 1; 0: not used */
    _cleanup_free_ void *items = mem_array((size_t)r->n + 1, 2 * sizeof(uint32_t));
    struct known known = { .items = items, .first = first };
    uint32_t n = 0;

    for (uint32_t i = 1; i < r->n; i++) {
        uint32_t frame = r->rows[i].frame, parent = r->rows[r->rows[i].parent].frame;
        uint32_t place =
            known_find(&known, parent == FLAME_NONE ? (uint32_t)n_frames : parent, frame);

        if (place < PAGE_KNOWN_CHILDREN) {
            add(out, &PAGE_DIGITS[place + 1], 1);
            continue;
        }
        add(out, &PAGE_DIGITS[0], 1);
        add_number(out, number[frame]);
        if (number[frame] == 0) {
            used[n++] = frame;
            number[frame] = n;
        }
    }
    return n;
}

static void add_data(const struct flame_rows *r, const struct flame_header *header, struct buf *out)
{
    static const char *const kinds[] = {
#define X(id, name) name,
        FLAME_KINDS(X)
#undef X
    };
    const struct flame *f = r->flame;
    _cleanup_free_ uint32_t *used = mem_array(f->n_frames, sizeof(*used));

    add_str(out, "{\"header\":");
    add_header(r, header, out);
    add_str(out, ",\n\"kinds\":[");
    for (size_t i = 0; i < FLAME_KIND_COUNT; i++)
        (void)buf_printf(out, "%s\"%s\"", i ? "," : "", kinds[i]);
    add_str(out, "],\n\"children\":\"");
    for (uint32_t i = 0; i < r->n; i++)
        add_number(out, r->rows[i].children);
    add_str(out, "\",\n\"self\":\"");
    for (uint32_t i = 0; i < r->n; i++)
        add_number(out, r->rows[i].self);
    add_str(out, "\",\n\"frames\":\"");
    uint32_t n = add_frames(r, used, out);
    add_str(out, "\",\n\"kind\":\"");
    for (uint32_t i = 0; i < n; i++)
        add(out, &PAGE_DIGITS[f->frames[used[i]].kind], 1);
    add_str(out, "\",\n\"names\":[");
    for (uint32_t i = 0; i < n; i++) {
        add_str(out, i ? ",\n" : "\n");
        add_json_string(out, flame_name(f, used[i]));
    }
    add_str(out, "]}");
}

/* The digest of an inline script or style, as a content security policy writes it. */
static void add_digest(const char *data, size_t len, struct buf *out)
{
    char hex[SHA256_HEX_SIZE];
    unsigned char sum[(SHA256_HEX_SIZE - 1) / 2];

    sha256_hex(data, len, hex);
    for (size_t i = 0; i < sizeof(sum); i++) {
        const char pair[] = { hex[2 * i], hex[2 * i + 1], '\0' };

        sum[i] = (unsigned char)strtoul(pair, NULL, 16);
    }
    add_str(out, "'sha256-");
    (void)!base64_encode(sum, sizeof(sum), out);
    add_str(out, "'");
}

static void add_part(const char *name, size_t len, const struct flame_rows *r,
                     const struct flame_header *header, struct buf *out)
{
    const struct {
        const char *name, *data, *end;
        bool digest;
    } parts[] = {
        { "STYLE", flame_page_css, flame_page_css_end, false },
        { "SCRIPT", flame_page_js, flame_page_js_end, false },
        { "STYLE_DIGEST", flame_page_css, flame_page_css_end, true },
        { "SCRIPT_DIGEST", flame_page_js, flame_page_js_end, true },
        { "DATA", NULL, NULL, false },
    };

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (strlen(parts[i].name) != len || strncmp(parts[i].name, name, len) != 0)
            continue;
        if (!parts[i].data)
            add_data(r, header, out);
        else if (parts[i].digest)
            add_digest(parts[i].data, (size_t)(parts[i].end - parts[i].data), out);
        else
            add(out, parts[i].data, (size_t)(parts[i].end - parts[i].data));
        return;
    }
    assert(false); /* page.html names a part that is not there */
}

int page_write(const struct flame_rows *r, const struct flame_header *header, struct buf *out,
               struct err *e)
{
    const char *at = flame_page_html;

    while (at < flame_page_html_end) {
        const char *mark = strchrnul(at, '@');

        add(out, at, (size_t)(mark - at));
        if (mark == flame_page_html_end)
            break;
        size_t len = strcspn(mark + 1, "@");

        add_part(mark + 1, len, r, header, out);
        at = mark + len + 2;
    }
    if (buf_overflowed(out))
        return err_set(e, -ENOSPC, "write the page: more than %zu bytes", out->max);
    return 0;
}
