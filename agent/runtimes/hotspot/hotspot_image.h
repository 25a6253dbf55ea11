/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hotspot_image: is HotSpot in this ELF file (libjvm), and where it has the tables that describe
 * its own types to debuggers.
 *
 * Every build exports these tables for the JDK's serviceability agent (runtime/vmStructs.hpp), so
 * a stripped libjvm has them too. What they say is read from a process: hotspot_layout.
 */
#pragma once

#include "agent/symbols/elf_image.h"

#include <stdbool.h>
#include <stdint.h>

/* vaddrs of the variables. */
struct hotspot_image {
    struct {
        uint64_t table; /* a pointer to the first entry */
        uint64_t stride, type, field, text, is_static, off, addr;
    } structs;
    struct {
        uint64_t table;
        uint64_t stride, name, size;
    } types;
};

/* False: there is no HotSpot in it. */
bool hotspot_image_read(int fd, const struct elf_image *elf, struct hotspot_image *ret_image);
