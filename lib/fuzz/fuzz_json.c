/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/fuzz/fuzz.h"
#include "lib/json.h"

/* What parses is written, parses again and is the same value. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_json_ struct json_object *value = NULL, *again = NULL;
    _cleanup_buf_ struct buf out = BUF_INIT(64 * size + 4096);
    struct err e = { 0 };

    if (json_parse((const char *)data, size, 32, &value, &e) < 0) {
        assert(!value && e.msg[0]);
        return 0;
    }
    (void)json_get_str(value, "metadata.name");
    (void)json_get_int(value, "spec.frequency", 0);
    assert(json_write(value, &out) == 0);
    assert(json_parse(out.data, out.len, 32, &again, &e) == 0 && json_object_equal(value, again));
    return 0;
}
