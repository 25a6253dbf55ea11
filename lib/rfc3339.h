/* SPDX-License-Identifier: Apache-2.0 */
/* rfc3339: the times of the Kubernetes API, "2026-11-23T04:05:06Z", as seconds since 1970. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RFC3339_SIZE = 32 };

/* False unless @text is a date and time in UTC, in the years 1 to 9999; a fraction of a second is
 * accepted and dropped. */
bool rfc3339_parse(const char *text, int64_t *ret_s);

/* "" when @s is beyond the years 1 to 9999. */
void rfc3339_format(int64_t s, char text[RFC3339_SIZE]);
