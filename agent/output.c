/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/output.h"

#include "lib/buf.h"
#include "lib/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    HTML_MAX = 512 << 20,        /* by hand: no status has to hold it */
    STREAM_MAX = 4 * 1024 * 1024 /* base64 of RESULT_PAGE_MAX, and the frame around it */
};

static const struct output standard_output = { STDOUT_FILENO, "stdout", false };

int output_open(const char *path, struct output *ret_output, struct err *e)
{
    const int flags = O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY;

    if (strcmp(path, "-") == 0) {
        *ret_output = standard_output;
        return 0;
    }

    int fd = open(path, flags | O_EXCL, 0644);
    bool is_new = fd >= 0;

    if (!is_new)
        fd = open(path, flags, 0644);
    if (fd < 0)
        return err_set(e, -errno, "open '%s' for writing: %s", path, err_text(errno));
    *ret_output = (struct output){ fd, path, is_new };
    return 0;
}

void output_close(struct output *output, bool keep)
{
    if (output->is_new && !keep)
        (void)unlink(output->path);
    if (output->fd >= 0 && output->fd != STDOUT_FILENO)
        (void)close(output->fd);
    output->fd = -1;
}

static int failed(const struct output *output, int code, struct err *e)
{
    return err_set(e, code, "write '%s': %s", output->path, err_text(code));
}

/* A former, longer profile in that file must not show behind this one. */
static int empty(const struct output *output, struct err *e)
{
    struct stat st;

    if (fstat(output->fd, &st) == 0 && S_ISREG(st.st_mode) && output->fd != STDOUT_FILENO &&
        ftruncate(output->fd, 0) < 0)
        return failed(output, -errno, e);
    return 0;
}

static int write_all(const struct output *output, const char *data, size_t len, struct err *e)
{
    while (len > 0) {
        ssize_t n = write(output->fd, data, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return failed(output, -errno, e);
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

int output_folded(const struct output *output, const struct flame *flame, struct err *e)
{
    if (empty(output, e) < 0)
        return e->code;

    int fd = fcntl(output->fd, F_DUPFD_CLOEXEC, 0);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "we");

    if (!f) {
        int code = -errno;

        if (fd >= 0)
            (void)close(fd);
        return failed(output, code, e);
    }

    int code = flame_write_folded(flame, f, e);

    if (fclose(f) != 0 && code == 0)
        code = failed(output, -errno, e);
    return code;
}

int output_html(const struct output *output, const struct flame *flame,
                const struct flame_header *header, struct err *e)
{
    _cleanup_buf_ struct buf page = BUF_INIT(HTML_MAX);

    if (flame_write_html(flame, header, &page, e) < 0)
        return e->code;
    if (empty(output, e) < 0)
        return e->code;
    return write_all(output, page.data, page.len, e);
}

int output_stream(const struct flame *flame, const struct flame_header *header,
                  struct result_profile *profile, enum result_reason *ret_reason, struct err *e)
{
    _cleanup_buf_ struct buf page = BUF_INIT(RESULT_PAGE_MAX);
    _cleanup_buf_ struct buf stream = BUF_INIT(STREAM_MAX);
    int code = flame_write_html_gz(flame, header, RESULT_PAGE_MAX, &page, &profile->pruned, e);

    *ret_reason = code == -EFBIG ? RESULT_RESULT_TOO_LARGE : RESULT_INTERNAL;
    if (code < 0)
        return code;
    profile->bytes = (int64_t)page.len;
    code = result_encode(profile, page.data, page.len, &stream);
    if (code < 0)
        return err_set(e, code, "encode the result: %s", err_text(code));
    return write_all(&standard_output, stream.data, stream.len, e);
}

int output_stream_error(enum result_reason reason, const char *message, struct err *e)
{
    _cleanup_buf_ struct buf stream = BUF_INIT(STREAM_MAX);
    int code = result_encode_error(reason, message, &stream);

    if (code < 0)
        return err_set(e, code, "encode the failure: %s", err_text(code));
    return write_all(&standard_output, stream.data, stream.len, e);
}
