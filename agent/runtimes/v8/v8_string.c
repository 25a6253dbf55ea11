/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/runtimes/v8/v8_string.h"

#include "agent/bpf/v8_table.h"
#include "agent/runtimes/target_memory.h"
#include "agent/runtimes/utf8.h"
#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/mem.h"

#include <string.h>

/* Instance types of strings, src/objects/instance-type.h: how they are made, and of what. */
enum { FORM_MASK = 7, FORM_SEQUENCE = 0, FORM_CONS = 1, FORM_EXTERNAL = 2, FORM_SLICED = 3 };
enum { FORM_THIN = 5, ONE_BYTE = 8 };
enum { TAG = 1, TAG_MASK = 3 };

/* An external string keeps the address of its characters behind that of its resource. */
enum { EXTERNAL_CHARS = 24 };

/* Parts of a cons string that wait; deeper ones are not followed. */
enum { PARTS_MAX = 64, STEPS_MAX = 4096, PIECE = 4096 };

struct part {
    uint64_t string;
    size_t from, n; /* characters of it */
};

struct walk {
    pid_t pid;
    const struct v8_image *v8;
    struct part parts[PARTS_MAX];
    size_t n_parts;
    size_t left; /* characters that are still wanted */
    v8_string_fn on_chars;
    void *arg;
};

static bool field(pid_t pid, uint64_t object, uint16_t off, uint64_t *ret_value)
{
    return (object & TAG_MASK) == TAG && target_memory_u64(pid, object - TAG + off, ret_value);
}

static bool read_type(pid_t pid, const struct v8_image *v8, uint64_t object, uint16_t *ret_type)
{
    uint64_t map;

    return field(pid, object, 0, &map) && (map & TAG_MASK) == TAG &&
           target_memory_read(pid, map - TAG + v8->walk.map_type, ret_type, sizeof(*ret_type));
}

bool v8_string_is(pid_t pid, const struct v8_image *v8, uint64_t word)
{
    uint16_t type;

    return read_type(pid, v8, word, &type) && type < v8->first_nonstring_type;
}

static bool push(struct walk *w, uint64_t string, size_t from, size_t n)
{
    if (n == 0)
        return true;
    if (w->n_parts == PARTS_MAX)
        return false;
    w->parts[w->n_parts++] = (struct part){ string, from, n };
    return true;
}

static bool hand_over(struct walk *w, uint64_t chars, size_t n, unsigned width)
{
    unsigned char piece[PIECE];

    n = n < w->left ? n : w->left;
    for (size_t at = 0; at < n;) {
        size_t room = sizeof(piece) / width, here = n - at < room ? n - at : room;

        if (!target_memory_read(w->pid, chars + at * width, piece, here * width))
            return false;
        w->on_chars(w->arg, piece, here, width);
        at += here;
    }
    w->left -= n;
    return true;
}

static bool length_of(const struct walk *w, uint64_t string, size_t *ret_length)
{
    int32_t length = 0;

    if (!target_memory_read(w->pid, string - TAG + w->v8->string_length, &length, sizeof(length)) ||
        length < 0)
        return false;
    *ret_length = (size_t)length;
    return true;
}

static bool step_cons(struct walk *w, const struct part *part)
{
    uint64_t first, second;
    size_t n_first;

    if (!field(w->pid, part->string, w->v8->cons_first, &first) ||
        !field(w->pid, part->string, w->v8->cons_second, &second) || (first & TAG_MASK) != TAG ||
        !length_of(w, first, &n_first))
        return false;

    size_t skip = part->from < n_first ? part->from : n_first;
    size_t here = n_first - skip < part->n ? n_first - skip : part->n;

    return push(w, second, part->from - skip, part->n - here) && push(w, first, skip, here);
}

/* Takes the last part, and hands its characters over or puts what it consists of in its place. */
static bool step(struct walk *w)
{
    struct part part = w->parts[--w->n_parts];
    uint64_t next, off;
    uint16_t type;

    if (!read_type(w->pid, w->v8, part.string, &type) || type >= w->v8->first_nonstring_type)
        return false;

    unsigned width = type & ONE_BYTE ? 1 : 2;

    switch (type & FORM_MASK) {
    case FORM_SEQUENCE:
        return hand_over(w, part.string - TAG + w->v8->string_chars + part.from * width, part.n,
                         width);
    case FORM_EXTERNAL:
        return field(w->pid, part.string, EXTERNAL_CHARS, &next) &&
               hand_over(w, next + part.from * width, part.n, width);
    case FORM_CONS:
        return step_cons(w, &part);
    case FORM_THIN:
        return field(w->pid, part.string, w->v8->thin_actual, &next) &&
               push(w, next, part.from, part.n);
    case FORM_SLICED: /* the offset is a small integer */
        return field(w->pid, part.string, w->v8->sliced_parent, &next) &&
               field(w->pid, part.string, w->v8->sliced_offset, &off) &&
               push(w, next, part.from + (size_t)(off >> 32), part.n);
    default:
        return false;
    }
}

bool v8_string_each(pid_t pid, const struct v8_image *v8, uint64_t string, size_t max,
                    v8_string_fn on_chars, void *arg)
{
    struct walk w = { .pid = pid, .v8 = v8, .left = max, .on_chars = on_chars, .arg = arg };
    size_t length;

    if (!v8_string_is(pid, v8, string) || !length_of(&w, string, &length) ||
        !push(&w, string, 0, length < max ? length : max))
        return false;
    for (size_t i = 0; w.n_parts > 0 && w.left > 0; i++) {
        if (i == STEPS_MAX || !step(&w))
            return false;
    }
    return true;
}

static void add_utf8(void *arg, const unsigned char *chars, size_t n, unsigned width)
{
    struct buf *out = arg;
    char utf8[UTF8_MAX];

    for (size_t i = 0; i < n; i++) {
        uint32_t c = width == 1 ? chars[i] : (uint32_t)(chars[2 * i] | chars[2 * i + 1] << 8);

        (void)buf_add(out, utf8, utf8_put(utf8, c)); /* max is room enough */
    }
}

char *v8_string_read(pid_t pid, const struct v8_image *v8, uint64_t string, size_t max)
{
    _cleanup_buf_ struct buf text = BUF_INIT(max * UTF8_MAX);

    if (!v8_string_each(pid, v8, string, max, add_utf8, &text))
        return NULL;
    return buf_take(&text, NULL);
}
