/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hotspot_method: what a method of a Java virtual machine is called, and which line of its source
 * an index of its byte code (bci) is of.
 *
 * Read from the target's memory soon after the sample; every length is bounded here. A method that
 * was unloaded meanwhile, or another in its place, is noticed by the check that the walk took: the
 * ConstMethod's address. One that has the addresses of both of an unloaded one is not told from it.
 */
#pragma once

#include "agent/runtimes/hotspot/hotspot_layout.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    HOTSPOT_NAME_MAX = 1024,             /* bytes of a class's name, and of a method's */
    HOTSPOT_LINES_MAX = 256 * 1024,      /* bytes of a table of lines */
    HOTSPOT_BCI_UNKNOWN = (1 << 20) - 1, /* RUNTIME_AT_UNKNOWN */
};

struct hotspot_method {
    char *name;           /* owned: "package.Class.method" */
    unsigned char *lines; /* owned: the compressed table of lines; NULL: none */
    size_t n_lines;       /* bytes */
    bool no_zero;         /* as in hotspot_compressed */
};

/* @method: a runtime address; @check: hotspot_check() of its ConstMethod. False: there is no such
 * method. */
bool hotspot_method_read(pid_t pid, const struct hotspot_layout *layout, uint64_t method,
                         uint32_t check, struct hotspot_method *ret_method);
void hotspot_method_release(struct hotspot_method *method); /* safe on a zeroed one */

/* 0: none is known. Pure. */
uint32_t hotspot_method_line(const struct hotspot_method *method, uint32_t bci);

/*
 * "package.Class.method" of the names as the machine has them ("package/Class"). What differs
 * between two runs of one program is left out: the numbers of classes that are made for lambdas and
 * method handles, and the addresses of hidden classes. Owned by the caller.
 */
char *hotspot_name(const char *class_name, const char *method_name);
