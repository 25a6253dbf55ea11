/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unwind_image: the unwind rows of one ELF file, and where its code is.
 *
 * Read are .eh_frame and .debug_frame, by the section table or, without one, by the program
 * headers; of a Go program .eh_frame and Go's own table of functions. Input is untrusted and may
 * change while it is read: sections are read into memory of our own, each at most
 * EH_FRAME_SECTION_SIZE_MAX. Only x86-64 and arm64 code has rows.
 */
#pragma once

#include "agent/unwind/eh_frame.h"
#include "lib/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { UNWIND_IMAGE_SEGMENTS_MAX = 16 };

/* An executable segment. */
struct unwind_segment {
    uint64_t off, vaddr, file_size;
};

struct unwind_image {
    struct unwind_segment segments[UNWIND_IMAGE_SEGMENTS_MAX];
    size_t n_segments;
    struct eh_range range; /* of all segments; whose code it is */
    struct eh_table table; /* without rows: nothing is known of the code */
    bool is_go;            /* its own table of functions was read */
};

/* The file behind @fd stays the caller's. */
int unwind_image_read(int fd, struct unwind_rules *rules, struct unwind_image *ret_image,
                      struct err *e) WARN_UNUSED;
void unwind_image_release(struct unwind_image *image); /* safe on a zeroed one */

/*
 * The virtual address of a mapping's first byte, which lies at @off of the file; it may be less
 * than that of the segment, for mappings begin at a page. False: no code is mapped from there.
 */
bool unwind_image_vaddr(const struct unwind_image *image, uint64_t off, uint64_t *ret_vaddr);
bool unwind_segments_vaddr(const struct unwind_segment *segments, size_t n, uint64_t off,
                           uint64_t *ret_vaddr);
