/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proc_maps: one line of /proc/PID/maps in, one mapping out. Pure.
 *
 * The text is the kernel's, but the path in it is the target's: any bytes but NUL, with newlines
 * escaped by the kernel as \012, and possibly ending in " (deleted)".
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct proc_map {
    uint64_t start, end; /* runtime addresses, end exclusive */
    uint64_t off;        /* of start in the file */
    uint64_t inode;      /* 0: no file */
    uint32_t dev_major, dev_minor;
    bool executable, reserved; /* reserved: nobody may read, write or run it (yet) */
    const char *path;          /* borrows from the line; not NUL-terminated */
    size_t path_len;
};

/* @line without its newline. False: not a line of maps. */
bool proc_maps_parse_line(const char *line, size_t len, struct proc_map *ret_map);

/* The path as open() wants it: \012 undone. False when it does not fit into @size. */
bool proc_maps_path(const struct proc_map *map, char *path, size_t size);

/* What a frame of it is called: the last part of the path without " (deleted)", "[vdso]", "anon".
 */
void proc_maps_display_name(const struct proc_map *map, char *name, size_t size);
