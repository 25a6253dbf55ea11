/* SPDX-License-Identifier: Apache-2.0 */
/* log_tail: the last line of an agent's log that is not part of its result; for messages. */
#pragma once

#include <stddef.h>

enum { LOG_TAIL_MAX = 256 };

struct log_tail {
    char last[LOG_TAIL_MAX]; /* printable, "" when there is none */
    char line[LOG_TAIL_MAX]; /* the line under way, its beginning */
    size_t len;
};

/* Takes the log in pieces of any size; the bytes are an agent's, hence untrusted. */
void log_tail_feed(struct log_tail *t, const char *data, size_t len);

/* At the end: a last line without a newline counts. */
const char *log_tail_finish(struct log_tail *t);
