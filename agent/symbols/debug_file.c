/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/symbols/debug_file.h"

#include "agent/proc_file.h"
#include "lib/cleanup.h"
#include "lib/mem.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

/* Both files name a build-id, which then decides alone. */
static bool have_build_ids(const struct elf_image *a, const struct elf_image *b)
{
    return a->build_id.n > 0 && b->build_id.n > 0;
}

/* Opens what is there under @path, if it may be the debug file of @elf. */
static bool try(pid_t pid, const char *path, const struct elf_image *elf, struct debug_file *file)
{
    _cleanup_close_ int fd = proc_file_open_in_root(pid, path);
    struct elf_image found = { 0 };
    struct err ignored = { 0 };

    if (fd < 0 || elf_image_read(fd, &found, &ignored) < 0)
        return false;

    bool adds =
        (found.has_symtab && !elf->has_symtab) || (found.has_debug_info && !elf->has_debug_info);

    if (!adds ||
        (have_build_ids(elf, &found) && !build_id_equal(&elf->build_id, &found.build_id))) {
        elf_image_release(&found);
        return false;
    }
    file->elf = found;
    file->fd = take_fd(fd);
    return true;
}

static void forget(struct debug_file *file)
{
    (void)close(file->fd);
    file->fd = -1;
    elf_image_release(&file->elf);
}

bool debug_file_path(const char *image_path, const char *name, size_t i, char *path, size_t size)
{
    static const struct {
        const char *before, *after; /* the image's folder */
    } forms[] = { { "", "" }, { "", "/.debug" }, { "/usr/lib/debug", "" } };
    const char *slash = strrchr(image_path, '/');
    int n;

    if (i >= sizeof(forms) / sizeof(forms[0]) || !slash)
        return false;
    n = snprintf(path, size, "%s%.*s%s/%s", forms[i].before, (int)(slash - image_path), image_path,
                 forms[i].after, name);
    return n > 0 && (size_t)n < size;
}

/* Leaves in @path where the file is. */
static bool find(pid_t pid, const char *image_path, const struct elf_image *elf,
                 struct debug_file *file, char path[PATH_MAX])
{
    if (build_id_path(&elf->build_id, path) && try(pid, path, elf, file)) {
        if (file->elf.build_id.n > 0)
            return true;
        forget(file); /* its name alone proves nothing */
    }
    for (size_t i = 0; *elf->debug_link.name &&
                       debug_file_path(image_path, elf->debug_link.name, i, path, PATH_MAX);
         i++) {
        if (try(pid, path, elf, file))
            return true;
    }
    return false;
}

static int open_alt(pid_t pid, const char *path, const struct debug_link *link)
{
    const char *slash = strrchr(path, '/');
    struct elf_image found = { 0 };
    struct err ignored = { 0 };
    char at[PATH_MAX];

    if (!*link->name || !slash)
        return -1;
    if (*link->name == '/')
        (void)snprintf(at, sizeof(at), "%s", link->name);
    else
        (void)snprintf(at, sizeof(at), "%.*s/%s", (int)(slash - path), path, link->name);

    _cleanup_close_ int fd = proc_file_open_in_root(pid, at);
    if (fd < 0 || elf_image_read(fd, &found, &ignored) < 0)
        return -1;

    bool is_it = build_id_equal(&found.build_id, &link->id);

    elf_image_release(&found);
    return is_it ? take_fd(fd) : -1;
}

void debug_file_open(pid_t pid, const char *path, const struct elf_image *elf,
                     struct debug_file *ret_file)
{
    struct debug_file file = { .fd = -1, .alt_fd = -1 };
    char at[PATH_MAX];

    bool is_found = (!elf->has_symtab || !elf->has_debug_info) && find(pid, path, elf, &file, at);

    /* Of the file that DWARF is read from. */
    if (elf->has_debug_info)
        file.alt_fd = open_alt(pid, path, &elf->alt_link);
    else if (is_found)
        file.alt_fd = open_alt(pid, at, &file.elf.alt_link);
    *ret_file = file;
}

void debug_file_close(struct debug_file *file)
{
    if (file->fd >= 0)
        forget(file);
    if (file->alt_fd >= 0)
        (void)close(file->alt_fd);
    file->alt_fd = -1;
}

/* CRC-32 as of ISO 3309, which is zlib's. */
static bool has_crc(int fd, uint32_t wanted)
{
    enum { PIECE = 1 << 17 };
    _cleanup_free_ unsigned char *piece = mem_alloc(PIECE);
    uLong crc = crc32(0, NULL, 0);
    off_t off = 0;
    ssize_t n;

    while (off <= DEBUG_FILE_CRC_MAX && (n = pread(fd, piece, PIECE, off)) > 0) {
        crc = crc32(crc, piece, (uInt)n);
        off += n;
    }
    return off <= DEBUG_FILE_CRC_MAX && crc == wanted;
}

bool debug_file_check(const struct debug_file *file, const struct elf_image *image)
{
    return have_build_ids(image, &file->elf) || has_crc(file->fd, image->debug_link.crc);
}
