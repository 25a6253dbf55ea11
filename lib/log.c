/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/log.h"

#include "lib/buf.h"

#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static _Atomic int max_level = LOG_INFO;

void log_set_level(enum log_level level)
{
    max_level = (int)level;
}

static void add_quoted(struct buf *line, const char *text)
{
    (void)buf_add_str(line, "\"");
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if (line->len + 16 > LOG_LINE_MAX) {
            (void)buf_add_str(line, "...");
            break;
        }
        if (*c == '"' || *c == '\\')
            (void)buf_printf(line, "\\%c", *c);
        else if (*c == '\n')
            (void)buf_add_str(line, "\\n");
        else if (*c < 0x20 || *c == 0x7f)
            (void)buf_printf(line, "\\x%02x", *c);
        else
            (void)buf_add(line, c, 1);
    }
    (void)buf_add_str(line, "\"");
}

void log_write(enum log_level level, const char *msg, const struct log_field *fields)
{
    static const char *const names[] = { "error", "warn", "info", "debug" };
    struct timespec now;
    struct tm utc;
    char stamp[32];

    if ((int)level > max_level)
        return;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    (void)gmtime_r(&now.tv_sec, &utc);
    (void)strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &utc);

    _cleanup_buf_ struct buf line = BUF_INIT(LOG_LINE_MAX + 64);
    (void)buf_printf(&line, "ts=%s.%03ldZ level=%s msg=", stamp, now.tv_nsec / 1000000,
                     names[level]);
    add_quoted(&line, msg);
    for (const struct log_field *f = fields; f->key && line.len + 64 < LOG_LINE_MAX; f++) {
        (void)buf_printf(&line, " %s=", f->key);
        if (f->text)
            add_quoted(&line, f->text);
        else
            (void)buf_printf(&line, "%lld", (long long)f->number);
    }
    (void)buf_add_str(&line, "\n");
    ssize_t written = write(STDERR_FILENO, line.data, line.len);
    (void)written; /* a log that cannot be written has nowhere to be reported */
}
