/* SPDX-License-Identifier: Apache-2.0 */
/* file: whole small files, with a bound. */
#pragma once

#include "lib/buf.h"
#include "lib/err.h"

/* Appends the contents of @path to @out, whose cap is the bound: -EFBIG past it. Never blocks on a
 * FIFO. */
int file_read(const char *path, struct buf *out, struct err *e) WARN_UNUSED;
