/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/symbols/image_names.h"

#include "agent/go_names.h"
#include "agent/symbols/elf_symbols.h"
#include "agent/symbols/mini_debug.h"
#include "lib/cleanup.h"
#include "lib/mem.h"

/* The files of one image, while its addresses are named. */
struct sources {
    struct elf_file files[3]; /* what was stripped goes first */
    size_t n;
    int mini_fd;
    struct elf_image mini;
};

static void add_mini_debug(const struct image *image, struct sources *sources)
{
    struct err ignored = { 0 };

    sources->mini_fd = mini_debug_open(image->fd, &image->elf, &ignored);
    if (sources->mini_fd >= 0 && elf_image_read(sources->mini_fd, &sources->mini, &ignored) == 0)
        sources->files[sources->n++] = (struct elf_file){ sources->mini_fd, &sources->mini };
}

static void sources_open(const struct image *image, struct sources *ret)
{
    *ret = (struct sources){ .mini_fd = -1 };
    if (!image->elf.has_symtab) {
        if (image->debug.fd >= 0 && image->debug.elf.has_symtab &&
            debug_file_check(&image->debug, &image->elf))
            ret->files[ret->n++] = (struct elf_file){ image->debug.fd, &image->debug.elf };
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

static void find_symbols(const struct image *image, struct name_query *queries, size_t n)
{
    _cleanup_free_ struct elf_query *symbols = mem_array(n, sizeof(*symbols));
    struct sources sources;

    for (size_t i = 0; i < n; i++)
        symbols[i].vaddr = queries[i].vaddr;
    sources_open(image, &sources);
    elf_symbols_find(sources.files, sources.n, symbols, n);
    sources_close(&sources);
    for (size_t i = 0; i < n; i++) {
        if (symbols[i].name && queries[i].chain.n > 0)
            free(symbols[i].name);
        else if (symbols[i].name)
            name_chain_add(&queries[i].chain, symbols[i].name,
                           image->elf.has_go ? FLAME_GO : FLAME_NATIVE);
    }
}

void image_names_find(const struct image *image, struct name_query *queries, size_t n_queries)
{
    if (image->fd < 0)
        return;
    if (image->elf.has_go || image->elf.n_sections == 0)
        go_names_find(image->fd, queries, n_queries);
    find_symbols(image, queries, n_queries);
}
