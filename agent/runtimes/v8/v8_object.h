/* SPDX-License-Identifier: Apache-2.0 */
/* v8_object: fields and types of V8's objects, out of the target's memory. */
#pragma once

#include "agent/runtimes/target_memory.h"
#include "agent/runtimes/v8/v8_image.h"

#include <stdbool.h>
#include <stdint.h>

enum { V8_OBJECT_TAG = 1, V8_OBJECT_TAG_MASK = 3, V8_WORD = 8, V8_ARRAY_DATA = 16 };

static inline bool v8_object_is(uint64_t word)
{
    return (word & V8_OBJECT_TAG_MASK) == V8_OBJECT_TAG;
}

/* A small integer lies in the upper half of its word. */
static inline bool v8_small_is(uint64_t word)
{
    return (uint32_t)word == 0;
}

static inline bool v8_object_field(pid_t pid, uint64_t object, uint16_t off, uint64_t *ret_value)
{
    return v8_object_is(object) && target_memory_u64(pid, object - V8_OBJECT_TAG + off, ret_value);
}

static inline bool v8_object_type(pid_t pid, const struct v8_image *v8, uint64_t object,
                                  uint16_t *ret_type)
{
    uint64_t map;

    return v8_object_field(pid, object, 0, &map) && v8_object_is(map) &&
           target_memory_read(pid, map - V8_OBJECT_TAG + v8->walk.map_type, ret_type,
                              sizeof(*ret_type));
}

static inline bool v8_object_has_type(pid_t pid, const struct v8_image *v8, uint64_t object,
                                      uint16_t type)
{
    uint16_t is;

    return v8_object_type(pid, v8, object, &is) && is == type;
}

/* An array of bytes of at most @max; owned by the caller. NULL: there is none. */
uint8_t *v8_object_bytes(pid_t pid, const struct v8_image *v8, uint64_t array, size_t max,
                         size_t *ret_n);
