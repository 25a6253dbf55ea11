/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file_reader: bytes of a file out of order, through a cache of blocks, so that the memory taken
 * does not depend on the file.
 *
 * The file may change and shrink meanwhile: what is read is what pread() gave, and a read past the
 * end fails. Who makes the reader jump about in it gets no further than FILE_READER_READS_MAX: a
 * Go program of 100 MB takes a quarter of them. Borrows the descriptor. Single-threaded.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    FILE_READER_BLOCK = 1 << 14,
    FILE_READER_BLOCKS = 64,         /* kept, each in the place that its number gives */
    FILE_READER_READS_MAX = 1 << 17, /* of blocks; then every read fails */
};

struct file_reader {
    int fd;
    uint8_t *bytes; /* owned */
    uint32_t reads_left;
    struct {
        uint64_t number; /* of the block, from 1; 0: none */
        uint32_t len;
    } blocks[FILE_READER_BLOCKS];
};

void file_reader_init(struct file_reader *reader, int fd);
void file_reader_release(struct file_reader *reader); /* safe on a zeroed one */

/* The bytes that there are at @off, one at least; NULL at the end of the file. Borrowed until the
 * next call. */
const uint8_t *file_reader_at(struct file_reader *reader, uint64_t off, size_t *ret_len);

/* All of [off, off + size), or false and zeroes. */
bool file_reader_read(struct file_reader *reader, uint64_t off, void *to, size_t size);

/* The text at @off up to its NUL or @max bytes, which end in a NUL; its length. */
size_t file_reader_text(struct file_reader *reader, uint64_t off, char *to, size_t max);
