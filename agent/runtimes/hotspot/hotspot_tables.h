/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hotspot_tables: reads the tables in which a Java virtual machine describes its own types, out of
 * the process.
 *
 * They are the target's: the number of entries is bounded, a name that is too long is an empty one.
 */
#pragma once

#include "agent/runtimes/hotspot/hotspot_image.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { HOTSPOT_FIELD_NAME_MAX = 96 };

struct hotspot_field {
    char type[HOTSPOT_FIELD_NAME_MAX], name[HOTSPOT_FIELD_NAME_MAX];
    char text[HOTSPOT_FIELD_NAME_MAX]; /* the type of the field itself; not read of a variable */
    bool is_static;
    uint64_t value; /* its offset, or the runtime address of a variable */
};

typedef void hotspot_field_fn(void *arg, const struct hotspot_field *field);
typedef void hotspot_type_fn(void *arg, const char *type, uint64_t size);

/* @bias: what makes a vaddr of the image a runtime address. False: there is no such table. */
bool hotspot_tables_fields(pid_t pid, const struct hotspot_image *image, uint64_t bias,
                           hotspot_field_fn *each, void *arg);
bool hotspot_tables_types(pid_t pid, const struct hotspot_image *image, uint64_t bias,
                          hotspot_type_fn *each, void *arg);
