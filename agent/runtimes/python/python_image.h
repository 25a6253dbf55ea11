/* SPDX-License-Identifier: Apache-2.0 */
/*
 * python_image: is CPython in this ELF file (an executable or libpython), of which version, and
 * where in it is what the walk starts from.
 *
 * Known by the symbols that every build exports for its extension modules, so names of files and
 * stripping do not matter. The version is that of the tag in the names of cached byte code
 * ("cpython-311"), which is a constant in the file.
 */
#pragma once

#include "agent/symbols/elf_image.h"

#include <stdbool.h>
#include <stdint.h>

enum { PYTHON_LOOPS_MAX = 2 };

struct python_image {
    int minor;          /* of 3.minor */
    uint64_t runtime;   /* vaddr of _PyRuntime */
    uint64_t code_type; /* vaddr of PyCode_Type */
    struct {
        uint64_t start, end; /* vaddrs of the function that runs byte code; its cold part */
    } loops[PYTHON_LOOPS_MAX];
    size_t n_loops;
};

/* False: there is no CPython 3 in it. Reads the file behind @fd, at most 64 MiB of it. */
bool python_image_read(int fd, const struct elf_image *elf, struct python_image *ret_image);

/* Does the function that runs byte code cover @vaddr? */
bool python_image_in_loop(const struct python_image *image, uint64_t vaddr);
