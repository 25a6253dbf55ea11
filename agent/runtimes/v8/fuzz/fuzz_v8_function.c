/* SPDX-License-Identifier: Apache-2.0 */
/* v8_step, v8_function, v8_string: over a target's memory of any content. It begins with a frame's
 * function and context; what the frame has in front of them are the last words. */
#include "agent/runtimes/v8/v8_function.h"

#include "agent/runtimes/fuzz/target_words.h"
#include "agent/runtimes/utf8.h"

#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

enum { FRAME_HEAD = 3 };

static uint64_t memory[FRAME_HEAD + TARGET_WORDS], *const words = memory + FRAME_HEAD;

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

static bool v8_read(void *to, __u32 size, __u64 addr)
{
    uint64_t base = (uint64_t)(uintptr_t)memory;

    if (addr < base || addr > base + sizeof(memory) - size)
        return false;
    memcpy(to, (const char *)memory + (addr - base), size);
    return true;
}

#include "agent/bpf/v8_step.h"

/* As in Node.js 24; what matters here is that they are different. */
static const struct v8_image image = {
    .major = 13,
    .minor = 6,
    .walk = { .map_type = 12,
              .first_function = 2065,
              .last_function = 2081,
              .function_shared = 32,
              .shared_name = 24,
              .shared_script = 40,
              .bytecode_type = 186,
              .bytecode_data = 64 },
    .shared_type = 282,
    .script_type = 167,
    .scope_info_type = 280,
    .first_nonstring_type = 128,
    .script_name = 16,
    .script_source = 8,
    .string_length = 12,
    .string_chars = 16,
    .cons_first = 16,
    .cons_second = 24,
    .thin_actual = 16,
    .sliced_parent = 16,
    .sliced_offset = 24,
    .shared_code = 8,
    .bytecode_positions = 24,
    .code_type = 187,
    .bytes_type = 196,
    .plain_bytes_type = 217,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t base = target_words_make(data, size, words);
    struct v8_registers regs = { words[TARGET_WORDS - 4], words[TARGET_WORDS - 5] };
    struct v8_seen seen = { 0 };
    struct v8_position position = { -1, -1 };
    struct runtime_frame frame;
    struct v8_function function;
    struct v8_lines lines;

    memcpy(memory, words + TARGET_WORDS - FRAME_HEAD, FRAME_HEAD * sizeof(*memory));
    if (!v8_step(&image.walk, base + 2 * sizeof(*words), &regs, &seen, &frame) ||
        !v8_function_read(getpid(), &image, runtime_frame_object(&frame), frame.check, &function))
        return 0;
    if (!function.name || !function.file || strlen(function.name) > (size_t)V8_NAME_MAX * UTF8_MAX)
        abort();
    if (v8_positions_find(function.positions, function.n_positions, frame.at & RUNTIME_AT_UNKNOWN,
                          &position) &&
        (position.place < -1 || position.inlined < -1))
        abort();
    if (function.source && v8_lines_read(getpid(), &image, function.source, &lines)) {
        if (v8_lines_at(&lines, function.start) > V8_SOURCE_MAX)
            abort();
        free(lines.ends);
    }
    v8_function_release(&function);
    return 0;
}
