/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/symbols/elf_image.h"

#include "agent/symbols/elf_headers.h"
#include "lib/cleanup.h"
#include "lib/mem.h"

#include <string.h>

enum { NOTES_MAX = 32, NOTE_BYTES_MAX = 64 * 1024, LINK_BYTES_MAX = 4096 };

static void add_segments(const struct elf_headers *h, struct elf_image *image)
{
    for (size_t i = 0; i < h->n_segments && image->n_segments < ELF_IMAGE_SEGMENTS_MAX; i++) {
        const Elf64_Phdr *p = &h->segments[i];

        if (p->p_type == PT_LOAD)
            image->segments[image->n_segments++] =
                (struct elf_segment){ p->p_offset, p->p_vaddr, p->p_filesz };
    }
}

static void add_table(const struct elf_headers *h, const Elf64_Shdr *symbols,
                      struct elf_image *image)
{
    uint64_t n = symbols->sh_size / (h->is_64_bit ? sizeof(Elf64_Sym) : sizeof(Elf32_Sym));

    if (symbols->sh_link >= h->n_sections || image->n_tables >= ELF_IMAGE_TABLES_MAX)
        return;

    const Elf64_Shdr *names = &h->sections[symbols->sh_link];

    if (names->sh_type == SHT_STRTAB)
        image->tables[image->n_tables++] = (struct elf_symbol_table){
            .off = symbols->sh_offset,
            .n_symbols = n < ELF_IMAGE_SYMBOLS_MAX ? n : ELF_IMAGE_SYMBOLS_MAX,
            .names_off = names->sh_offset,
            .names_size = names->sh_size,
        };
}

/* All of a section; NULL when it is not there, or longer than @max. */
static unsigned char *read_section(int fd, const Elf64_Shdr *s, size_t max)
{
    if (!s || s->sh_type == SHT_NOBITS || s->sh_size == 0 || s->sh_size > max)
        return NULL;

    _cleanup_free_ unsigned char *bytes = mem_alloc(s->sh_size);
    bool is_whole = elf_headers_read_at(fd, bytes, s->sh_offset, s->sh_size) == s->sh_size;

    return is_whole ? take_ptr(bytes) : NULL;
}

static void read_build_id(int fd, const Elf64_Shdr *note, struct elf_image *image)
{
    _cleanup_free_ unsigned char *bytes = read_section(fd, note, NOTE_BYTES_MAX);

    if (bytes)
        (void)debug_links_read_build_id(bytes, note->sh_size, &image->build_id);
}

static void add_code(const Elf64_Shdr *s, size_t index, struct elf_image *image)
{
    if (!(s->sh_flags & SHF_EXECINSTR) || image->n_code == ELF_IMAGE_CODE_MAX)
        return;
    image->code = mem_grow(image->code, image->n_code + 1, sizeof(*image->code));
    image->code[image->n_code++] =
        (struct elf_section){ s->sh_addr, s->sh_addr + s->sh_size, index };
}

static void add_sections(int fd, const struct elf_headers *h, struct elf_image *image)
{
    size_t n_notes = 0;

    for (size_t i = 1; i < h->n_sections; i++) {
        const Elf64_Shdr *s = &h->sections[i];

        add_code(s, i, image);
        if (s->sh_type == SHT_SYMTAB || s->sh_type == SHT_DYNSYM)
            add_table(h, s, image);
        if (s->sh_type == SHT_SYMTAB)
            image->has_symtab = true;
        if (s->sh_type == SHT_NOTE && image->build_id.n == 0 && n_notes++ < NOTES_MAX)
            read_build_id(fd, s, image);
    }
}

static bool has_go(const struct elf_headers *h)
{
    static const char *const names[] = { ".gopclntab", ".note.go.buildid", ".go.buildinfo",
                                         ".data.rel.ro.gopclntab" };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (elf_headers_find(h, names[i]))
            return true;
    }
    return false;
}

static void add_link(int fd, const Elf64_Shdr *link, struct elf_image *image)
{
    _cleanup_free_ unsigned char *bytes = read_section(fd, link, LINK_BYTES_MAX);

    if (bytes)
        (void)debug_links_read_link(bytes, link->sh_size, &image->debug_link);
}

static void add_alt(int fd, const Elf64_Shdr *alt, struct elf_image *image)
{
    _cleanup_free_ unsigned char *bytes = read_section(fd, alt, LINK_BYTES_MAX);

    if (bytes)
        (void)debug_links_read_alt(bytes, alt->sh_size, &image->alt_link);
}

/* Where debug information is. */
static void add_links(int fd, const struct elf_headers *h, struct elf_image *image)
{
    const Elf64_Shdr *mini = elf_headers_find(h, ".gnu_debugdata");

    image->has_debug_info =
        elf_headers_find(h, ".debug_info") || elf_headers_find(h, ".zdebug_info");
    if (mini) {
        image->mini_debug_off = mini->sh_offset;
        image->mini_debug_size = mini->sh_size;
    }
    add_link(fd, elf_headers_find(h, ".gnu_debuglink"), image);
    add_alt(fd, elf_headers_find(h, ".gnu_debugaltlink"), image);
}

int elf_image_read(int fd, struct elf_image *ret_image, struct err *e)
{
    _cleanup_elf_headers_ struct elf_headers h = { 0 };
    struct elf_image image = { 0 };

    if (elf_headers_read(fd, &h, e) < 0)
        return e->code;
    image.is_64_bit = h.is_64_bit;
    image.has_go = has_go(&h);
    add_segments(&h, &image);
    add_sections(fd, &h, &image);
    add_links(fd, &h, &image);
    *ret_image = image;
    return 0;
}

void elf_image_release(struct elf_image *image)
{
    free(image->code);
    *image = (struct elf_image){ 0 };
}

const struct elf_section *elf_image_code(const struct elf_image *image, size_t index)
{
    for (size_t i = 0; i < image->n_code; i++) {
        if (image->code[i].index == index)
            return &image->code[i];
    }
    return NULL;
}

bool elf_image_vaddr(const struct elf_image *image, uint64_t off, uint64_t *ret_vaddr)
{
    for (size_t i = 0; i < image->n_segments; i++) {
        const struct elf_segment *s = &image->segments[i];

        if (off >= s->off && off - s->off < s->file_size) {
            *ret_vaddr = s->vaddr + (off - s->off);
            return true;
        }
    }
    return false;
}

bool elf_image_off(const struct elf_image *image, uint64_t vaddr, uint64_t *ret_off)
{
    for (size_t i = 0; i < image->n_segments; i++) {
        const struct elf_segment *s = &image->segments[i];

        if (vaddr >= s->vaddr && vaddr - s->vaddr < s->file_size) {
            *ret_off = s->off + (vaddr - s->vaddr);
            return true;
        }
    }
    return false;
}
