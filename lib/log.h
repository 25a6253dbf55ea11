/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log: one line an event on stderr, in logfmt: ts=... level=info msg="..." key=value ...
 *
 * Values are quoted and escaped, so that no object's bytes can forge a line. Object bodies are
 * never logged. Thread-safe: a line is one write(2) of at most LOG_LINE_MAX bytes; a longer one is
 * cut.
 */
#pragma once

#include <stdint.h>

enum { LOG_LINE_MAX = 2048 };

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

struct log_field {
    const char *key;  /* NULL ends the list */
    const char *text; /* NULL: the number is printed */
    int64_t number;
};

static inline const char *log_text(const char *text) /* NULL is logged as "" */
{
    return text ? text : "";
}

#define LOG_STR(k, v)                                                                              \
    {                                                                                              \
        .key = (k), .text = log_text(v)                                                            \
    }
#define LOG_INT(k, v)                                                                              \
    {                                                                                              \
        .key = (k), .number = (int64_t)(v)                                                         \
    }

/* log_event(LOG_INFO, "agent started", LOG_STR("podflame", key), LOG_INT("frequency", hz)) */
#define log_event(level, msg, ...)                                                                 \
    log_write((level), (msg), (const struct log_field[]){ __VA_ARGS__ __VA_OPT__(, ){ 0 } })

void log_write(enum log_level level, const char *msg, const struct log_field *fields);

/* Lines above @level are dropped; LOG_INFO at start. */
void log_set_level(enum log_level level);
