/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/symbols/elf_image.h"
#include "agent/symbols/inlines.h"
#include "lib/fuzz/fuzz.h"

/* An ELF file for libdw, which may do in the sandbox whatever it does: chains stay in bounds. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint64_t vaddrs[] = { 0, 0x1000, 0x1008, 0x1010, 0x1018, 0x1020, UINT64_MAX };
    enum { QUERIES = sizeof(vaddrs) / sizeof(vaddrs[0]) };
    struct inline_file file = { .fd = fuzz_file(data, size), .alt_fd = -1, .n_queries = QUERIES };
    struct name_chain chains[QUERIES] = { 0 };
    struct inline_files files = { 0 };
    struct sandbox sandbox = { 0 };
    struct elf_image elf = { 0 };
    struct err e = { 0 };
    bool is_wanted = elf_image_read(file.fd, &elf, &e) == 0 && elf.has_debug_info;

    elf_image_release(&elf);
    if (!is_wanted) { /* as in names.c */
        (void)close(file.fd);
        return 0;
    }
    file.queries = mem_array(QUERIES, sizeof(*file.queries));
    for (uint32_t i = 0; i < QUERIES; i++)
        file.queries[i] = (struct inline_query){ vaddrs[i], i };
    inline_files_add(&files, &file);
    assert(inlines_start(&files, &sandbox, &e) == 0);
    (void)inlines_collect(&sandbox, chains, QUERIES, &(struct name_room){ 1 << 20, 0 });
    for (size_t i = 0; i < QUERIES; i++) {
        assert(chains[i].n <= NAME_CHAIN_MAX);
        name_chain_release(&chains[i]);
    }
    inline_files_release(&files);
    (void)close(file.fd);
    return 0;
}
