/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/runtimes/python/python_image.h"

#include "agent/symbols/elf_find.h"
#include "lib/cleanup.h"
#include "lib/mem.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PIECE = 64 * 1024, OVERLAP = 32, SCAN_MAX = 64 << 20 };

/* "cpython-311" and what is no digit; 0: not here. */
static int find_tag(const char *text, size_t len)
{
    static const char tag[] = "cpython-3";
    const char *at = text, *end = text + len;

    while ((at = memmem(at, (size_t)(end - at), tag, sizeof(tag) - 1))) {
        int minor = 0, n = 0;

        at += sizeof(tag) - 1;
        while (at + n < end && n < 3 && at[n] >= '0' && at[n] <= '9')
            minor = minor * 10 + (at[n++] - '0');
        if (n > 0 && n < 3 && at + n < end && at[n] == '\0')
            return minor;
    }
    return 0;
}

static int read_minor(int fd, const struct elf_image *elf)
{
    _cleanup_free_ char *piece = mem_alloc(PIECE);
    uint64_t scanned = 0;

    for (size_t i = 0; i < elf->n_segments; i++) {
        uint64_t off = elf->segments[i].off, end = off + elf->segments[i].file_size;

        for (; off < end && scanned < SCAN_MAX; off += PIECE - OVERLAP) {
            ssize_t got = pread(fd, piece, end - off < PIECE ? end - off : PIECE, (off_t)off);
            int minor = got <= 0 ? 0 : find_tag(piece, (size_t)got);

            if (minor)
                return minor;
            if (got <= 0)
                break;
            scanned += PIECE;
        }
    }
    return 0;
}

static void add_loop(struct python_image *image, const struct elf_wanted *w)
{
    if (!w->found || w->size == 0)
        return;
    image->loops[image->n_loops].start = w->vaddr;
    image->loops[image->n_loops++].end = w->vaddr + w->size;
}

bool python_image_read(int fd, const struct elf_image *elf, struct python_image *ret_image)
{
    enum { RUNTIME, CODE_TYPE, LOOP, COLD, WANTED };
    struct elf_wanted wanted[WANTED] = {
        [RUNTIME] = { .name = "_PyRuntime" },
        [CODE_TYPE] = { .name = "PyCode_Type" },
        [LOOP] = { .name = "_PyEval_EvalFrameDefault" },
        [COLD] = { .name = "_PyEval_EvalFrameDefault.cold" },
    };
    struct python_image image = { 0 };

    (void)elf_find(fd, elf, wanted, WANTED);
    if (!wanted[RUNTIME].found || !wanted[CODE_TYPE].found)
        return false;
    image.minor = read_minor(fd, elf);
    if (image.minor == 0)
        return false;
    image.runtime = wanted[RUNTIME].vaddr;
    image.code_type = wanted[CODE_TYPE].vaddr;
    add_loop(&image, &wanted[LOOP]);
    add_loop(&image, &wanted[COLD]);
    *ret_image = image;
    return true;
}

bool python_image_in_loop(const struct python_image *image, uint64_t vaddr)
{
    for (size_t i = 0; i < image->n_loops; i++) {
        if (vaddr >= image->loops[i].start && vaddr < image->loops[i].end)
            return true;
    }
    return false;
}
