/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/runtimes/v8/v8_object.h"

#include "lib/cleanup.h"
#include "lib/mem.h"

uint8_t *v8_object_bytes(pid_t pid, const struct v8_image *v8, uint64_t array, size_t max,
                         size_t *ret_n)
{
    uint64_t length;
    uint16_t type;

    if (!v8_object_type(pid, v8, array, &type) ||
        (type != v8->bytes_type && type != v8->plain_bytes_type) ||
        !v8_object_field(pid, array, V8_ARRAY_LENGTH, &length) || !v8_small_is(length) ||
        length >> 32 > max)
        return NULL;

    size_t n = (size_t)(length >> 32);
    _cleanup_free_ uint8_t *bytes = mem_alloc(n + 1);

    if (!target_memory_read(pid, array - V8_OBJECT_TAG + V8_ARRAY_DATA, bytes, n))
        return NULL;
    *ret_n = n;
    return take_ptr(bytes);
}
