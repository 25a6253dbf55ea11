/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/duration.h"
#include "lib/fuzz/fuzz.h"

/* What is accepted is in bounds and is the same duration when written again; a refusal writes
 * nothing. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_free_ char *text = fuzz_text(data, size);
    char again[DURATION_TEXT_MAX];
    int64_t seconds = -7, same = -7;
    struct err e = { 0 };

    if (duration_parse(text, &seconds, &e) < 0) {
        assert(seconds == -7 && e.msg[0]);
        return 0;
    }
    assert(seconds >= DURATION_MIN_S && seconds <= DURATION_MAX_S);
    duration_format(seconds, again, sizeof(again));
    assert(duration_parse(again, &same, &e) == 0 && same == seconds);
    return 0;
}
