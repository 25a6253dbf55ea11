/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/fuzz/fuzz.h"
#include "lib/json.h"
#include "lib/kube/trim.h"

static void trim(const uint8_t *data, size_t size, size_t max, size_t piece, struct buf *out)
{
    struct kube_trim t = { .max = max };

    for (size_t at = 0; at < size; at += piece)
        assert(kube_trim_feed(&t, (const char *)data + at, size - at < piece ? size - at : piece,
                              out) == 0);
}

/* The output does not depend on the pieces, never grows, and is JSON when the input is. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t max = 1 + fuzz_take_number(&data, &size, 20),
           piece = 1 + fuzz_take_number(&data, &size, 20);
    _cleanup_buf_ struct buf whole = BUF_INIT(size), pieces = BUF_INIT(size);
    _cleanup_json_ struct json_object *before = NULL, *after = NULL;
    struct err e = { 0 };

    trim(data, size, max, SIZE_MAX / 2, &whole);
    trim(data, size, max, piece, &pieces);
    assert(whole.len == pieces.len && strcmp(buf_str(&whole), buf_str(&pieces)) == 0);
    if (json_parse((const char *)data, size, 32, &before, &e) == 0)
        assert(json_parse(whole.data, whole.len, 32, &after, &e) == 0);
    return 0;
}
