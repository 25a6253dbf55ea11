/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/symbols/mini_debug.h"

#include "lib/cleanup.h"

#include <errno.h>
#include <lzma.h>
#include <sys/mman.h>

static void decoder_end(lzma_stream *stream)
{
    lzma_end(stream);
}
#define _cleanup_decoder_ __attribute__((cleanup(decoder_end)))

static int refuse(lzma_ret code, struct err *e)
{
    if (code == LZMA_MEMLIMIT_ERROR)
        return err_set(e, -EFBIG, "its dictionary needs more than %d MiB",
                       MINI_DEBUG_DECODER_MAX >> 20);
    return err_set(e, -EBADMSG, "not a whole xz stream");
}

static int unpack(int fd, uint64_t off, uint64_t size, int out, struct err *e)
{
    _cleanup_decoder_ lzma_stream stream = LZMA_STREAM_INIT;
    unsigned char packed[16384], plain[16384];
    lzma_ret code = lzma_stream_decoder(&stream, MINI_DEBUG_DECODER_MAX, 0);

    while (code == LZMA_OK) {
        if (stream.avail_in == 0 && size > 0) {
            ssize_t n =
                pread(fd, packed, size < sizeof(packed) ? size : sizeof(packed), (off_t)off);

            if (n <= 0)
                return err_set(e, -EBADMSG, "the section is cut off");
            stream.next_in = packed;
            stream.avail_in = (size_t)n;
            off += (size_t)n;
            size -= (size_t)n;
        }
        stream.next_out = plain;
        stream.avail_out = sizeof(plain);
        code = lzma_code(&stream, size == 0 ? LZMA_FINISH : LZMA_RUN);

        size_t n = sizeof(plain) - stream.avail_out;

        if (stream.total_out > MINI_DEBUG_MAX)
            return err_set(e, -EFBIG, "it unpacks to more than %d MiB", MINI_DEBUG_MAX >> 20);
        if (write(out, plain, n) != (ssize_t)n)
            return err_set(e, -errno, "write to a memory file: %s", err_text(errno));
    }
    return code == LZMA_STREAM_END ? 0 : refuse(code, e);
}

int mini_debug_open(int fd, const struct elf_image *elf, struct err *e)
{
    if (elf->mini_debug_size == 0)
        return err_set(e, -ENOENT, "no .gnu_debugdata");
    if (elf->mini_debug_size > MINI_DEBUG_PACKED_MAX ||
        elf->mini_debug_off > INT64_MAX - MINI_DEBUG_PACKED_MAX)
        return err_set(e, -EFBIG, ".gnu_debugdata: it is larger than %d MiB",
                       MINI_DEBUG_PACKED_MAX >> 20);

    _cleanup_close_ int out = memfd_create("mini-debug", MFD_CLOEXEC);
    if (out < 0)
        return err_set(e, -errno, "make a memory file: %s", err_text(errno));
    if (unpack(fd, elf->mini_debug_off, elf->mini_debug_size, out, e) < 0)
        return err_wrap(e, ".gnu_debugdata");
    return take_fd(out);
}
