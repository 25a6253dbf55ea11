/* SPDX-License-Identifier: Apache-2.0 */
/* v8_step, v8_function, v8_string: over a target's memory of any content. The first word is where a
 * frame pointer leads to. */
#include "agent/runtimes/v8_function.h"

#include "agent/runtimes/fuzz/target_words.h"
#include "agent/runtimes/utf8.h"

#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

static uint64_t words[TARGET_WORDS];

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

static bool v8_read(void *to, __u32 size, __u64 addr)
{
    uint64_t base = (uint64_t)(uintptr_t)words;

    if (addr < base || addr > base + sizeof(words) - size)
        return false;
    memcpy(to, (const char *)words + (addr - base), size);
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
              .shared_script = 40 },
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
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t base = target_words_make(data, size, words);
    struct runtime_frame frame;
    struct v8_function function;
    struct v8_lines lines;

    if (!v8_step(&image.walk, base + 2 * sizeof(*words), &frame) ||
        !v8_function_read(getpid(), &image, runtime_frame_object(&frame), frame.check, &function))
        return 0;
    if (!function.name || !function.file || strlen(function.name) > (size_t)V8_NAME_MAX * UTF8_MAX)
        abort();
    if (function.source && v8_lines_read(getpid(), &image, function.source, &lines)) {
        if (v8_lines_at(&lines, function.start) > V8_SOURCE_MAX)
            abort();
        free(lines.ends);
    }
    v8_function_release(&function);
    return 0;
}
