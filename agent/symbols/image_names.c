/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/symbols/image_names.h"

#include "agent/symbols/go_names.h"
#include "agent/symbols/elf_symbols.h"
#include "agent/symbols/mini_debug.h"
#include "lib/cleanup.h"
#include "lib/mem.h"

#include <errno.h>
#include <string.h>

/* The files of one image, while its addresses are named. */
struct sources {
    struct elf_file files[3]; /* what was stripped goes first */
    size_t n;
    int mini_fd;
    struct elf_image mini;
    bool is_spoilt; /* .gnu_debugdata */
};

static void add_mini_debug(const struct image *image, struct sources *sources)
{
    struct err e = { 0 };
    int fd = mini_debug_open(image->fd, &image->elf, &e);

    if (fd == -ENOENT)
        return;
    sources->mini_fd = fd;
    sources->is_spoilt = fd < 0 || elf_image_read(fd, &sources->mini, &e) < 0;
    if (!sources->is_spoilt)
        sources->files[sources->n++] = (struct elf_file){ fd, &sources->mini };
}

static void sources_open(const struct image *image, const struct debug_file *debug,
                         struct sources *ret)
{
    *ret = (struct sources){ .mini_fd = -1 };
    if (!image->elf.has_symtab) {
        if (debug->fd >= 0 && debug->elf.has_symtab)
            ret->files[ret->n++] = (struct elf_file){ debug->fd, &debug->elf };
        else
            add_mini_debug(image, ret);
    }
    ret->files[ret->n++] = (struct elf_file){ image->fd, &image->elf };
}

static void sources_close(struct sources *sources)
{
    elf_image_release(&sources->mini);
    if (sources->mini_fd >= 0)
        (void)close(sources->mini_fd);
}

static bool find_symbols(const struct image *image, const struct debug_file *debug,
                         enum flame_kind kind, struct name_query *queries, size_t n,
                         struct name_room *room)
{
    _cleanup_free_ struct elf_query *symbols = mem_array(n, sizeof(*symbols));
    struct sources sources;

    for (size_t i = 0; i < n; i++)
        symbols[i].vaddr = queries[i].vaddr;
    sources_open(image, debug, &sources);
    elf_symbols_find(sources.files, sources.n, symbols, n, room);
    sources_close(&sources);
    for (size_t i = 0; i < n; i++) {
        char *name = symbols[i].name;

        if (name && queries[i].chain.n > 0) {
            name_room_give_back(room, name);
        } else if (name) {
            name[1 + strcspn(name + 1, "@")] = '\0'; /* the version: @@GLIBC_2.34 */
            name_chain_add(&queries[i].chain, name, kind);
        }
    }
    return !sources.is_spoilt;
}

bool image_names_find(const struct image *image, const struct debug_file *debug,
                      struct name_query *queries, size_t n_queries, struct name_room *room)
{
    enum flame_kind kind = image->elf.has_go ? FLAME_GO : FLAME_NATIVE;

    if (image->fd < 0)
        return true;
    if ((image->elf.has_go || image->elf.n_code == 0) &&
        go_names_find(image->fd, queries, n_queries, room))
        kind = FLAME_NATIVE; /* what is left is C */
    return find_symbols(image, debug, kind, queries, n_queries, room);
}
