/* SPDX-License-Identifier: Apache-2.0 */
/* v8_step: a stack's frames and all they lead to, of any content. */
#include <stdbool.h>
#include <stdint.h>

#include <linux/types.h>

#include "lib/fuzz/fuzz.h"

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

static bool v8_read(void *to, __u32 size, __u64 addr);

#include "agent/bpf/v8_step.h"

enum { BASE = 0x10000, WORDS = 128 };

static struct input {
    struct v8_layout layout;
    struct v8_registers regs;
    __u64 words[WORDS]; /* the target's memory, from BASE on */
} in;

static bool v8_read(void *to, __u32 size, __u64 addr)
{
    if (addr < BASE || addr > BASE + sizeof(in.words) - size)
        return false;
    memcpy(to, (const char *)in.words + (addr - BASE), size);
    return true;
}

/* Wherever a frame is said to be: what names a function is of this runtime, and can be read; a
 * map once seen is one of the right type. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct v8_seen seen = { 0 };

    memset(&in, 0, sizeof(in));
    memcpy(&in, data, size < sizeof(in) ? size : sizeof(in));
    for (__u64 fp = BASE; fp <= BASE + sizeof(in.words); fp += sizeof(in.words[0])) {
        struct runtime_frame frame = { 0 };
        __u16 type = 0;
        __u64 word;

        if (!v8_step(&in.layout, fp, &in.regs, &seen, &frame)) {
            assert(frame.object == 0 && frame.at == 0);
            continue;
        }
        assert(frame.object >> RUNTIME_OBJECT_BITS == RUNTIME_V8);
        assert(v8_field(runtime_frame_object(&frame), in.layout.shared_name, &word));
        assert((frame.at & ~(__u32)RUNTIME_AT_UNKNOWN) == RUNTIME_AT_ENTRY);
        assert(v8_read(&type, sizeof(type), seen.function_map - V8_TAG + in.layout.map_type));
        assert(type >= in.layout.first_function && type <= in.layout.last_function);
    }
    return 0;
}
