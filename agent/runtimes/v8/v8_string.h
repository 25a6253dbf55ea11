/* SPDX-License-Identifier: Apache-2.0 */
/* v8_string: a string of V8, in any of the forms that it has, out of the target's memory. */
#pragma once

#include "agent/runtimes/v8/v8_image.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Called for each run of characters, of @width bytes each (1: Latin-1, 2: UTF-16). */
typedef void (*v8_string_fn)(void *arg, const unsigned char *chars, size_t n, unsigned width);

bool v8_string_is(pid_t pid, const struct v8_image *v8, uint64_t word);

/* Hands over the first @max characters, in pieces. False: it is no string, or parts of it could not
 * be read. */
bool v8_string_each(pid_t pid, const struct v8_image *v8, uint64_t string, size_t max,
                    v8_string_fn on_chars, void *arg);

/* The first @max characters as UTF-8, owned by the caller; NULL: it is no string. */
char *v8_string_read(pid_t pid, const struct v8_image *v8, uint64_t string, size_t max);
