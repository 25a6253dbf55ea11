/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/file_reader.h"

#include "lib/mem.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void file_reader_init(struct file_reader *reader, int fd)
{
    *reader = (struct file_reader){ .fd = fd, .reads_left = FILE_READER_READS_MAX };
    reader->bytes = mem_alloc((size_t)FILE_READER_BLOCK * FILE_READER_BLOCKS);
}

void file_reader_release(struct file_reader *reader)
{
    free(reader->bytes);
    *reader = (struct file_reader){ 0 };
}

static uint32_t read_block(int fd, uint8_t *to, uint64_t off)
{
    size_t len = 0;

    while (len < FILE_READER_BLOCK) {
        ssize_t n = pread(fd, to + len, FILE_READER_BLOCK - len, (off_t)(off + len));

        if (n <= 0)
            break;
        len += (size_t)n;
    }
    return (uint32_t)len;
}

const uint8_t *file_reader_at(struct file_reader *reader, uint64_t off, size_t *ret_len)
{
    uint64_t number = off / FILE_READER_BLOCK + 1;
    size_t skip = off % FILE_READER_BLOCK, place = number % FILE_READER_BLOCKS;
    uint8_t *block = reader->bytes + place * FILE_READER_BLOCK;

    if (off > INT64_MAX - FILE_READER_BLOCK)
        return NULL;
    if (reader->blocks[place].number != number) {
        if (reader->reads_left == 0)
            return NULL;
        reader->reads_left--;
        reader->blocks[place].len = read_block(reader->fd, block, off - skip);
        reader->blocks[place].number = number;
    }
    if (skip >= reader->blocks[place].len)
        return NULL;
    *ret_len = reader->blocks[place].len - skip;
    return block + skip;
}

bool file_reader_read(struct file_reader *reader, uint64_t off, void *to, size_t size)
{
    for (size_t done = 0; done < size;) {
        size_t len = 0;
        const uint8_t *at = file_reader_at(reader, off + done, &len);

        if (!at) {
            memset(to, 0, size);
            return false;
        }
        if (len > size - done)
            len = size - done;
        memcpy((uint8_t *)to + done, at, len);
        done += len;
    }
    return true;
}

size_t file_reader_text(struct file_reader *reader, uint64_t off, char *to, size_t max)
{
    size_t done = 0;

    while (done < max) {
        size_t len = 0;
        const uint8_t *at = file_reader_at(reader, off + done, &len);
        const uint8_t *nul;

        if (!at)
            break;
        if (len > max - done)
            len = max - done;
        nul = memchr(at, 0, len);
        if (nul)
            len = (size_t)(nul - at);
        memcpy(to + done, at, len);
        done += len;
        if (nul)
            break;
    }
    to[done] = '\0';
    return done;
}
