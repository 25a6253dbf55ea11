/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/unwind/code_frames.h"
#include "agent/unwind/x86_insn.h"
#include "lib/fuzz/fuzz.h"
#include "lib/mem.h"

/* Whatever the code: instructions end within it, and what is called keeps its frame. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct code_function function = { 0, fuzz_take_number(&data, &size, 255) };
    _cleanup_free_ struct code_frame *frames = mem_array(size, sizeof(*frames));
    struct x86_insn insn = { 0 };

    code_frames_find(data, size, &function, 1, frames);
    for (size_t at = 0; at < size; at++) {
        assert(!x86_insn_decode(data + at, size - at, &insn) ||
               (insn.len > 0 && insn.len <= size - at));
        assert(!frames[at].is_entry || (frames[at].is_seen && frames[at].size == 1));
    }
    return 0;
}
