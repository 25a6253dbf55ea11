/* SPDX-License-Identifier: Apache-2.0 */
/*
 * output: where a finished profile goes: a file or stdout by hand, the framed stream of
 * lib/podflame/result.h in a pod.
 */
#pragma once

#include "agent/flame/flame.h"
#include "lib/err.h"
#include "lib/podflame/result.h"

#include <stdbool.h>

struct output {
    int fd;           /* stdout, or the file, made or opened but not yet emptied */
    const char *path; /* borrowed; "-" is stdout */
    bool is_new;      /* there was no such file before */
};

/* Before the run, so that a long one does not end at a path that cannot be written. */
int output_open(const char *path, struct output *ret_output, struct err *e) WARN_UNUSED;
/* Safe on an output with fd -1. Unless @keep, a file that was made for it is removed again. */
void output_close(struct output *output, bool keep);

int output_folded(const struct output *output, const struct flame *flame,
                  struct err *e) WARN_UNUSED;
int output_html(const struct output *output, const struct flame *flame,
                const struct flame_header *header, struct err *e) WARN_UNUSED;

/* To stdout. @profile: its pruned and bytes are filled here. */
int output_stream(const struct flame *flame, const struct flame_header *header,
                  struct result_profile *profile, enum result_reason *ret_reason,
                  struct err *e) WARN_UNUSED;
int output_stream_error(enum result_reason reason, const char *message, struct err *e) WARN_UNUSED;
