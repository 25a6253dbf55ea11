/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/file.h"

#include "lib/cleanup.h"

#include <errno.h>
#include <fcntl.h>

enum { READ_STEP = 16 * 1024 };

int file_read(const char *path, struct buf *out, struct err *e)
{
    char step[READ_STEP];

    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return err_set(e, -errno, "open '%s': %s", path, err_text(errno));
    for (;;) {
        ssize_t n = read(fd, step, sizeof(step));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set(e, -errno, "read '%s': %s", path, err_text(errno));
        if (n == 0)
            return 0;
        if (buf_add(out, step, (size_t)n) < 0)
            return err_set(e, -EFBIG, "read '%s': larger than %zu bytes", path, out->max);
    }
}
