/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/log_tail.h"

#include "lib/podflame/result.h"

#include <string.h>

static void end_line(struct log_tail *t)
{
    t->line[t->len] = '\0';
    if (t->len > 0 && strncmp(t->line, RESULT_PREFIX, strlen(RESULT_PREFIX)) != 0)
        memcpy(t->last, t->line, t->len + 1);
    t->len = 0;
}

void log_tail_feed(struct log_tail *t, const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (data[i] == '\n')
            end_line(t);
        else if (t->len + 1 < sizeof(t->line))
            t->line[t->len++] = data[i] >= ' ' && data[i] <= '~' ? data[i] : '?';
    }
}

const char *log_tail_finish(struct log_tail *t)
{
    end_line(t);
    return t->last;
}
