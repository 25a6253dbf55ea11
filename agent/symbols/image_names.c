/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/symbols/image_names.h"

#include "lib/cleanup.h"
#include "lib/mem.h"

/* The function symbols of the file itself. */
static void find_symbols(const struct image *image, struct name_query *queries, size_t n)
{
    _cleanup_free_ struct elf_query *symbols = mem_array(n, sizeof(*symbols));

    for (size_t i = 0; i < n; i++)
        symbols[i].vaddr = queries[i].vaddr;
    elf_image_name(image->fd, &image->elf, symbols, n);
    for (size_t i = 0; i < n; i++) {
        if (symbols[i].name)
            name_chain_add(&queries[i].chain, symbols[i].name,
                           image->elf.has_go ? FLAME_GO : FLAME_NATIVE);
    }
}

void image_names_find(const struct image *image, struct name_query *queries, size_t n_queries)
{
    if (image->fd >= 0)
        find_symbols(image, queries, n_queries);
}
