/* SPDX-License-Identifier: Apache-2.0 */
/*
 * duration: the text of spec.duration and of --duration.
 *
 * One or more of <n>h, <n>m, <n>s in that order, each at most once, n of 1 to 5 digits, units in
 * either case, nothing else; in total DURATION_MIN_S to DURATION_MAX_S. The CRD's CEL rule says the
 * same.
 */
#pragma once

#include "lib/err.h"

#include <stddef.h>
#include <stdint.h>

enum { DURATION_MIN_S = 1, DURATION_MAX_S = 3600 };

/* 0 and *ret_seconds; -EINVAL for the syntax, -ERANGE for the total (*ret_seconds untouched on
 * both). The message is a rule with an example, without the value: callers show that themselves. */
int duration_parse(const char *text, int64_t *ret_seconds, struct err *e) WARN_UNUSED;

/* "1h2m3s", shortest form: 90 -> "1m30s", 3600 -> "1h", 0 -> "0s". size >= DURATION_TEXT_MAX. */
enum { DURATION_TEXT_MAX = 48 };
void duration_format(int64_t seconds, char *text, size_t size);
