/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kube/trim: cuts long string literals out of JSON text as it streams by.
 *
 * A list of PodFlames holds a flame graph of up to 1 MiB each, which nobody here reads. Cut before
 * the parser sees them, what a page or an event costs is bounded by its structure. The output is
 * JSON when the input is: a literal is never cut inside an escape or a UTF-8 sequence. Any bytes
 * may be fed, in pieces of any size; nothing is allocated here.
 */
#pragma once

#include "lib/buf.h"

#include <stdbool.h>
#include <stddef.h>

struct kube_trim {
    size_t max; /* bytes of a literal that are kept, a few more when a character ends later */
    size_t n;   /* bytes of the current literal so far */
    unsigned char escape; /* bytes of the current escape sequence still to come */
    bool in_string, skipping;
};

/* Appends what is left of the bytes to @out; -ENOSPC past its cap. */
int kube_trim_feed(struct kube_trim *t, const char *data, size_t len, struct buf *out) WARN_UNUSED;
