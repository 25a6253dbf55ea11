/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz: what the fuzz targets share. A target is one function over hostile bytes that asserts what
 * must hold whatever they are; libFuzzer calls it (make fuzz-smoke), and so does a small main that
 * replays the committed corpus among the unit tests (fuzz_replay.c).
 */
#pragma once

#include "lib/cleanup.h"
#include "lib/mem.h"

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input as a C string up to its first NUL, exactly as long, so that a read past it is seen. */
static inline char *fuzz_text(const uint8_t *data, size_t size)
{
    return mem_strndup((const char *)data, size);
}

/* The input in a file without a name; the caller closes it. */
static inline int fuzz_file(const uint8_t *data, size_t size)
{
    int fd = memfd_create("fuzz", MFD_CLOEXEC);

    assert(fd >= 0 && write(fd, data, size) == (ssize_t)size && lseek(fd, 0, SEEK_SET) == 0);
    return fd;
}

/* A number from 0 to @max off the front of the input, for what steers a target. */
static inline size_t fuzz_take_number(const uint8_t **data, size_t *size, size_t max)
{
    size_t value = 0;

    for (size_t limit = max; limit > 0 && *size > 0; limit >>= 8, (*data)++, (*size)--)
        value = value << 8 | **data;
    return max < SIZE_MAX ? value % (max + 1) : value;
}
