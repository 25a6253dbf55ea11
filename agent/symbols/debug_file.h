/* SPDX-License-Identifier: Apache-2.0 */
/*
 * debug_file: finds the file that holds what was stripped from an image, in the target's own root.
 *
 * By build-id first (/usr/lib/debug/.build-id), then by .gnu_debuglink in the folders where GDB
 * looks: the image's own, .debug below it, and /usr/lib/debug with the image's folder appended. The
 * target may have put anything there: paths are resolved inside its root (proc_file.h), and a file
 * counts only when it has the image's build-id, or the CRC-32 that .gnu_debuglink names.
 */
#pragma once

#include "agent/symbols/elf_image.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { DEBUG_FILE_CRC_MAX = 512 << 20 }; /* a larger file is not checked, so not used */

struct debug_file {
    int fd;     /* -1: none */
    int alt_fd; /* where dwz moved what several files share (.gnu_debugaltlink); -1: none */
    struct elf_image elf; /* of fd */
};

/*
 * Finds what goes with the image @elf, while the process @pid lives; @path is the image's, as that
 * process sees it. Where the CRC has to decide, the file is only believed after debug_file_check(),
 * for that reads all of it.
 */
void debug_file_open(pid_t pid, const char *path, const struct elf_image *elf,
                     struct debug_file *ret_file);
bool debug_file_check(const struct debug_file *file, const struct elf_image *image);
void debug_file_close(struct debug_file *file); /* safe when there is none */

/* The @i-th path that .gnu_debuglink leads to, in the order of looking; false: no more, or too
 * long. */
bool debug_file_path(const char *image_path, const char *name, size_t i, char *path, size_t size);
