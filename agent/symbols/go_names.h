/* SPDX-License-Identifier: Apache-2.0 */
/*
 * go_names: the functions of a Go program by name, with those that are inlined at an address.
 *
 * Names are as Go's own tracebacks show them: type arguments are "[...]".
 */
#pragma once

#include "agent/symbols/name_chain.h"

#include <stdbool.h>
#include <stddef.h>

/* False: the file behind @fd is no Go program, or none that is understood. Queries that none of its
 * functions covers, and those that have names, are left as they are. */
bool go_names_find(int fd, struct name_query *queries, size_t n_queries, struct name_room *room);
