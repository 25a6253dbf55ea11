/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/fuzz/fuzz.h"
#include "lib/podflame/result.h"

static enum result_state decode(struct result_decoder *d, const uint8_t *data, size_t size,
                                size_t piece)
{
    result_decoder_init(d);
    for (size_t at = 0; at < size; at += piece)
        result_decoder_feed(d, data + at, size - at < piece ? size - at : piece);
    return result_decoder_finish(d);
}

/* The verdict does not depend on the pieces; what is complete is written and read again as the
 * same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_buf_ struct buf stream = BUF_INIT((size_t)4 << 20);
    size_t piece = 1 + fuzz_take_number(&data, &size, 99);
    struct result_decoder d, pieces, again;
    enum result_state state = decode(&d, data, size, SIZE_MAX / 2);

    assert(decode(&pieces, data, size, piece) == state && pieces.page_gz.len == d.page_gz.len);
    assert(d.page_gz.len <= RESULT_PAGE_MAX + RESULT_LINE_BYTES);
    if (state == RESULT_COMPLETE) {
        assert(result_encode(&d.profile, buf_str(&d.page_gz), d.page_gz.len, &stream) == 0);
        assert(decode(&again, (uint8_t *)stream.data, stream.len, 64) == RESULT_COMPLETE);
        assert(memcmp(&again.profile, &d.profile, sizeof(d.profile)) == 0);
        result_decoder_release(&again);
    }
    result_decoder_release(&d);
    result_decoder_release(&pieces);
    return 0;
}
