/* SPDX-License-Identifier: Apache-2.0 */
/* python_step, python_code: over a target's memory of any content. The first byte picks a version,
 * from the second word on it is memory: the interpreters' list, then all it leads to. */
#include "agent/runtimes/python/python_code.h"
#include "agent/runtimes/python/python_layout.h"

#include "agent/runtimes/fuzz/target_words.h"
#include "agent/runtimes/utf8.h"

#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

static uint64_t words[TARGET_WORDS];

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

static bool python_read(void *to, __u32 size, __u64 addr)
{
    uint64_t base = (uint64_t)(uintptr_t)words;

    if (addr < base || addr > base + sizeof(words) - size)
        return false;
    memcpy(to, (const char *)words + (addr - base), size);
    return true;
}

#include "agent/bpf/python_step.h"

enum { STEPS_MAX = 512, THREAD_ID = 7 };

static void name_frame(const struct python_offsets *offsets, const struct runtime_frame *frame,
                       uint64_t type)
{
    struct python_code code;

    if (!python_code_read(getpid(), offsets, frame->object, type, frame->check, &code))
        return;
    if (strlen(code.name) > (size_t)PYTHON_NAME_MAX * UTF8_MAX ||
        python_code_line(&code, offsets->lines, frame->at & RUNTIME_AT_UNKNOWN) < 0)
        abort();
    python_code_release(&code);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct python_offsets offsets;
    struct python_walk walk = { .search = { .id = THREAD_ID } };
    struct runtime_frame frame;

    if (size < 1 || python_layout_read(PYTHON_MINOR_MIN + data[0] % 5, NULL, 0, &offsets))
        return 0;

    uint64_t base = target_words_make(data + 1, size - 1, words);

    walk.space.layout = offsets.walk;
    walk.search.is_single = data[0] & 1;
    walk.search.current = words[1];
    walk.search.interp = words[0];
    for (int i = 0; i < STEPS_MAX && python_search_step(&walk); i++)
        ;
    if (!walk.search.found)
        return 0;
    python_begin(&walk, walk.search.found);
    for (int i = 0; i < STEPS_MAX && walk.stop == PYTHON_CONTINUE; i++) {
        if (python_step(&walk, &frame) && frame.object)
            name_frame(&offsets, &frame, base);
    }
    return 0;
}
