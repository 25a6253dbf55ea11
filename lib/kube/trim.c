/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/kube/trim.h"

#include <string.h>

enum { ESCAPE_BEGUN = 5, ESCAPE_HEX = 4 }; /* after the backslash; after its u */

/* How many bytes can be dropped before a quote or a backslash. */
static size_t skip_run(const char *data, size_t len)
{
    const char *quote = memchr(data, '"', len);
    size_t n = quote ? (size_t)(quote - data) : len;
    const char *backslash = memchr(data, '\\', n);

    return backslash ? (size_t)(backslash - data) : n;
}

static bool is_continuation(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

/* Moves past one byte of a literal or of what is between them; false: the byte is dropped. */
static bool step(struct kube_trim *t, char c)
{
    if (!t->in_string) {
        t->in_string = c == '"';
        t->n = 0;
        return true;
    }
    if (t->escape) {
        if (t->escape == ESCAPE_BEGUN)
            t->escape = c == 'u' ? ESCAPE_HEX : 0;
        else
            t->escape--;
        t->n++;
        return !t->skipping;
    }
    if (c == '"') {
        t->in_string = t->skipping = false;
        return true;
    }
    if (t->n++ >= t->max && !is_continuation(c))
        t->skipping = true;
    if (c == '\\')
        t->escape = ESCAPE_BEGUN;
    return !t->skipping;
}

int kube_trim_feed(struct kube_trim *t, const char *data, size_t len, struct buf *out)
{
    size_t start = 0; /* of the run that is kept */
    int code = 0;

    for (size_t i = 0; i < len && code == 0; i++) {
        if (t->skipping && !t->escape) {
            i += skip_run(data + i, len - i);
            start = i;
            if (i == len)
                break;
        }
        if (!step(t, data[i])) {
            if (i > start)
                code = buf_add(out, data + start, i - start);
            start = i + 1;
        }
    }
    return code == 0 && len > start ? buf_add(out, data + start, len - start) : code;
}
