/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/scan.h"
#include "lib/fuzz/fuzz.h"

#include <inttypes.h>
#include <stdio.h>

/* A number is what the C library makes of the same digits; a failed take moves nothing. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct scan hex = { (const char *)data, size }, dec = hex;
    _cleanup_free_ char *text = NULL;
    uint64_t value;

    if (!scan_take_hex(&hex, &value))
        assert(hex.len == size && hex.at == (const char *)data);
    else
        assert((text = mem_strndup((const char *)data, size - hex.len)) &&
               strtoull(text, NULL, 16) == value);
    if (!scan_take_dec(&dec, &value))
        assert(dec.len == size && dec.at == (const char *)data);
    (void)scan_take_char(&dec, ' ');
    assert(dec.len <= size && dec.at + dec.len == (const char *)data + size);
    return 0;
}
