/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/runtimes/interleave.h"

static size_t count(const bool *flags, size_t n)
{
    size_t sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += flags[i];
    return sum;
}

struct output {
    struct interleaved *to;
    size_t n;
};

static void put(struct output *out, bool is_native, size_t index)
{
    out->to[out->n++] = (struct interleaved){ is_native, (uint32_t)index };
}

/* The frames from @at on up to the end of their group; where the next group begins. */
static size_t put_group(const struct interleave_input *in, size_t at, struct output *out)
{
    while (at < in->n_frames) {
        if (in->is_shown[at])
            put(out, false, at);
        if (in->ends_group[at++])
            break;
    }
    return at;
}

size_t interleave(const struct interleave_input *in, struct interleaved *ret)
{
    size_t calls = count(in->is_loop, in->n_native);
    size_t groups = count(in->ends_group, in->n_frames);
    size_t at = 0, torn;
    struct output out = { ret, 0 };

    if (in->n_frames > 0 && !in->ends_group[in->n_frames - 1])
        groups++; /* the walk ended within it */
    torn = in->from_root && calls > groups ? calls - groups : 0;
    for (size_t i = 0; i < in->n_native; i++) {
        size_t before = out.n;

        if (in->is_loop[i]) {
            if (torn > 0)
                torn--;
            else
                at = put_group(in, at, &out);
            if (--calls == 0) /* groups without a call of their own follow the last one */
                while (at < in->n_frames)
                    at = put_group(in, at, &out);
        }
        if (out.n == before)
            put(&out, true, i);
    }
    while (at < in->n_frames)
        at = put_group(in, at, &out);
    return out.n;
}
