/* SPDX-License-Identifier: Apache-2.0 */
/*
 * images: the files that the profiled processes run code from, each once.
 *
 * A file is known by the device and inode that /proc/PID/maps shows. It is opened when its mapping
 * is first seen, together with the file that holds its debug information, and the descriptors are
 * kept: so they can be read after the process has exited and the file was deleted, and its inode
 * cannot become another file's.
 *
 * Reading a file costs CPU time, of which the target may make any number cost much: so there is a
 * bound to it for one look at a process, and one for the run. What is not read in one look may be
 * in another; what never is counts as left out where it is missing.
 */
#pragma once

#include "agent/proc_maps.h"
#include "agent/symbols/debug_file.h"
#include "agent/symbols/elf_image.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    IMAGES_MAX = 2048,
    IMAGES_LOOK_MAX_MS = 2000, /* a C++ program of 200 MB takes a fifth of it */
    IMAGES_RUN_MAX_MS = 10000,
    IMAGE_NONE = UINT32_MAX,
};

struct image {
    char name[128];          /* for [name+0x1234]; "[vdso]" is "vdso" */
    int fd;                  /* -1: could not be opened */
    struct elf_image elf;    /* empty when it is no ELF file */
    struct debug_file debug; /* to be had by images_debug() */
    bool debug_was_checked;
    bool is_vdso;
};

struct images;
struct images *images_new(void);
void images_free(struct images *images); /* NULL is fine */

/* The index of the image behind a mapping of @pid's, opened when it is new; IMAGE_NONE for a
 * mapping without a file, and when there are IMAGES_MAX. "[vdso]" is an image too. */
uint32_t images_add(struct images *images, pid_t pid, const struct proc_map *map);

/* A new look at a process: there is time again. */
void images_begin_look(struct images *images);
/* Before something of a file is read; false: there is no time for it. */
bool images_begin_reading(struct images *images);
void images_end_reading(struct images *images);

/* Borrowed. */
const struct image *images_get(const struct images *images, uint32_t index);
/* What was stripped from it, if it is there and belongs to it; may read all of that file. Borrowed.
 */
const struct debug_file *images_debug(struct images *images, uint32_t index);
uint32_t images_count(const struct images *images);

uint32_t images_unreadable(const struct images *images);    /* that could not be opened */
uint32_t images_left_out(const struct images *images);      /* mappings, for want of IMAGES_MAX */
uint32_t images_debug_refused(const struct images *images); /* whose debug file has another CRC */
