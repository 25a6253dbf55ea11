/* SPDX-License-Identifier: Apache-2.0 */
/*
 * go_names: the functions of a Go program by name, with those that are inlined at an address.
 *
 * Names are as Go's own tracebacks show them: type arguments are "[...]".
 */
#pragma once

#include "agent/symbols/name_chain.h"

#include <stddef.h>

/* @queries are sorted by vaddr. Those that no function of the table behind @fd covers, and all of
 * one that is no Go program, are left as they are; so are those that have names. */
void go_names_find(int fd, struct name_query *queries, size_t n_queries);
