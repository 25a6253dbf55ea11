/* SPDX-License-Identifier: Apache-2.0 */
/*
 * problem: what is wrong with an object, field by field, in the words of the Kubernetes API.
 *
 * A problem is a field path, a cause type of meta/v1 Status and a message that starts with the
 * words of that type, as the field errors of the API server's own kinds do. Every text is owned by
 * the list and holds no control character.
 */
#pragma once

#include "lib/buf.h"

#include <stddef.h>

/* Cause types, with the words that the message starts with. */
#define PROBLEM_CAUSES(X)                                                                          \
    X(REQUIRED, "FieldValueRequired", "Required value")                                            \
    X(INVALID, "FieldValueInvalid", "Invalid value")                                               \
    X(FORBIDDEN, "FieldValueForbidden", "Forbidden")                                               \
    X(NOT_FOUND, "FieldValueNotFound", "Not found")                                                \
    X(NOT_SUPPORTED, "FieldValueNotSupported", "Unsupported value")                                \
    X(TOO_LONG, "FieldValueTooLong", "Too long")                                                   \
    X(TYPE_INVALID, "FieldValueTypeInvalid", "Invalid value")

enum problem_cause {
#define X(id, name, words) PROBLEM_##id,
    PROBLEM_CAUSES(X)
#undef X
        PROBLEM_CAUSE_COUNT,
};

const char *problem_cause_name(enum problem_cause cause);

struct problem {
    char *field; /* "spec.duration" */
    enum problem_cause cause;
    char *message; /* "Invalid value: \"69x\": must be ..." */
};

enum { PROBLEMS_MAX = 16 }; /* more than there are rules; what comes after is dropped */

struct problems {
    struct problem item[PROBLEMS_MAX]; /* sorted by field, then as found */
    size_t n;
};

void problems_release(struct problems *p); /* safe on a zeroed one */
#define _cleanup_problems_ __attribute__((cleanup(problems_release)))

/* Appends "spec.a: Required value: ..."; two or more as "[spec.a: ..., spec.b: ...]".
 * -ENOSPC past the cap of @out. */
int problems_write(const struct problems *p, struct buf *out);

/* Appends @text in double quotes, escaped as Go's %q does, so that nothing in it can act on a
 * terminal or forge a line. */
void problem_quote(const char *text, size_t len, struct buf *out);

/*
 * Adds "<words of the cause>: <shown>: <detail>" to @field, in its place. @shown is the value as it
 * is to be printed (quoted already), "" for none; a detail of "" is left out.
 */
void problems_add(struct problems *p, const char *field, enum problem_cause cause,
                  const char *shown, const char *detail_fmt, ...) PRINTF(5, 6);
