/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/symbols/mini_debug.h"
#include "lib/fuzz/fuzz.h"

/* What comes out is bounded, and may be anything for the reader of ELF headers. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_close_ int in = fuzz_file(data, size);
    struct elf_image elf = { .mini_debug_size = size }, unpacked = { 0 };
    struct err e = { 0 };

    _cleanup_close_ int out = mini_debug_open(in, &elf, &e);
    if (out < 0) {
        assert(e.msg[0]);
        return 0;
    }
    assert(lseek(out, 0, SEEK_END) <= MINI_DEBUG_MAX);
    if (elf_image_read(out, &unpacked, &e) == 0)
        elf_image_release(&unpacked);
    return 0;
}
