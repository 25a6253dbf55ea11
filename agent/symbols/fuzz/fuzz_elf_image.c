/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/symbols/elf_symbols.h"
#include "lib/fuzz/fuzz.h"

/* Counts stay in bounds, and so do names. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct elf_query queries[] = { { .vaddr = 0 },
                                   { .vaddr = 0x1010 },
                                   { .vaddr = 0x1408 },
                                   { .vaddr = 0x1f80 },
                                   { .vaddr = UINT64_MAX } };
    _cleanup_close_ int fd = fuzz_file(data, size);
    struct elf_image image = { 0 };
    struct err e = { 0 };
    uint64_t vaddr;

    if (elf_image_read(fd, &image, &e) < 0) {
        assert(e.msg[0] && !image.code);
        return 0;
    }
    assert(image.n_segments <= ELF_IMAGE_SEGMENTS_MAX && image.n_tables <= ELF_IMAGE_TABLES_MAX);
    for (size_t i = 0; i < image.n_tables; i++)
        assert(image.tables[i].names_size <= size);
    (void)elf_image_vaddr(&image, 0x1010, &vaddr);
    elf_symbols_find(&(struct elf_file){ fd, &image }, 1, queries, 5,
                     &(struct name_room){ 1 << 20, 0 });
    for (size_t i = 0; i < 5; i++) {
        assert(!queries[i].name || strlen(queries[i].name) <= ELF_SYMBOL_NAME_MAX);
        free(queries[i].name);
    }
    elf_image_release(&image);
    return 0;
}
