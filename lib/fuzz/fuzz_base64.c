/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/digest.h"
#include "lib/fuzz/fuzz.h"

/* Any bytes survive a round trip; what decodes was the one way to write its bytes. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_buf_ struct buf bytes = BUF_INIT(size + 4), text = BUF_INIT(2 * size + 8);

    assert(base64_encode(data, size, &text) == 0);
    assert(base64_decode(buf_str(&text), text.len, &bytes) == 0);
    assert(bytes.len == size && (size == 0 || memcmp(bytes.data, data, size) == 0));
    buf_clear(&bytes);
    buf_clear(&text);
    if (base64_decode((const char *)data, size, &bytes) < 0) {
        assert(bytes.len == 0);
        return 0;
    }
    assert(bytes.len <= size / 4 * 3 && base64_encode(buf_str(&bytes), bytes.len, &text) == 0);
    assert(text.len == size);
    return 0;
}
