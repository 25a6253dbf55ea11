/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pod_table: pods from a file in place of an API server, for the webhook alone.
 *
 * Lines of "namespace pod container [container ...]"; empty lines and those that start with # are
 * skipped. Read once, then only read from: thread-safe.
 */
#pragma once

#include "lib/err.h"

struct json_object;
struct pod_table;

/* -EINVAL names the file and the line. */
int pod_table_open(const char *path, struct pod_table **ret, struct err *e) WARN_UNUSED;
void pod_table_close(struct pod_table *table); /* NULL is fine */

/* The get of struct pod_lookup; @ctx is the table. */
int pod_table_get(void *ctx, const char *ns, const char *name, struct json_object **ret_pod,
                  struct err *e);
