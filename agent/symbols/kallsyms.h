/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kallsyms: names of kernel addresses, from /proc/kallsyms text. The parser is pure.
 *
 * The kernel shows the addresses only to those with CAP_SYSLOG (or when its sysctls say that they
 * are no secret); to others all are zero, and nothing is named.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { KALLSYMS_NAME_MAX = 256 };

struct kallsyms_query {
    uint64_t addr;
    uint64_t start;               /* internal: of the symbol found so far */
    char name[KALLSYMS_NAME_MAX]; /* out; "": none */
};

/* Reads kallsyms text from @in to its end, in any order. @queries are sorted by addr. True when
 * addresses were shown. */
bool kallsyms_name(FILE *in, struct kallsyms_query *queries, size_t n_queries);
