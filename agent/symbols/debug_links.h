/* SPDX-License-Identifier: Apache-2.0 */
/*
 * debug_links: how an ELF file says where its debug information is. Pure.
 *
 * Input are the bytes of notes and sections, untrusted: none is read past its end. Formats:
 * build-id notes as in the ELF gABI ("Note Section"), type NT_GNU_BUILD_ID; .gnu_debuglink as in
 * GDB's manual
 * ("Separate Debug Files"); .gnu_debugaltlink as in DWARF 5, 3.1.3 (supplementary files), GNU form.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BUILD_ID_MAX = 64, DEBUG_LINK_NAME_MAX = 255 };

struct build_id {
    unsigned char bytes[BUILD_ID_MAX];
    size_t n; /* 0: none */
};

/* A file that goes with this one. */
struct debug_link {
    char name[DEBUG_LINK_NAME_MAX + 1]; /* "": none */
    uint32_t crc;                       /* of .gnu_debuglink: CRC-32 of the whole file */
    struct build_id id;                 /* of .gnu_debugaltlink */
};

/* Finds the build-id among @notes. False: there is none, or it is too long. */
bool debug_links_read_build_id(const unsigned char *notes, size_t size, struct build_id *ret_id);

/* The name is a file's alone, without a folder. False: it is not well-formed. */
bool debug_links_read_link(const unsigned char *section, size_t size, struct debug_link *ret_link);

/* The name may be a path. */
bool debug_links_read_alt(const unsigned char *section, size_t size, struct debug_link *ret_link);

bool build_id_equal(const struct build_id *a, const struct build_id *b); /* and both are there */

/* "/usr/lib/debug/.build-id/ab/cdef.debug". False: the id has less than 2 bytes. */
enum { BUILD_ID_PATH_MAX = 2 * BUILD_ID_MAX + 64 };
bool build_id_path(const struct build_id *id, char path[BUILD_ID_PATH_MAX]);
