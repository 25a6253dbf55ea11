/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/symbols/elf_image.h"

#include "lib/cleanup.h"
#include "lib/mem.h"

#include <errno.h>
#include <gelf.h>
#include <string.h>
#include <unistd.h>

static void elf_close(Elf *elf)
{
    (void)elf_end(elf);
}
DEFINE_CLEANUP(Elf *, elf_close)
#define _cleanup_elf_ __attribute__((cleanup(elf_closep)))

enum { NOTES_MAX = 64 * 1024, LINK_MAX_BYTES = 4096 };

static void read_segments(Elf *elf, struct elf_image *image)
{
    size_t n = 0;
    GElf_Phdr ph;

    if (elf_getphdrnum(elf, &n) < 0 || n > UINT16_MAX)
        return;
    for (size_t i = 0; i < n && image->n_segments < ELF_IMAGE_SEGMENTS_MAX; i++) {
        if (!gelf_getphdr(elf, (int)i, &ph) || ph.p_type != PT_LOAD)
            continue;
        image->segments[image->n_segments++] =
            (struct elf_segment){ ph.p_offset, ph.p_vaddr, ph.p_filesz };
    }
}

static void add_table(Elf *elf, const GElf_Shdr *symbols, struct elf_image *image)
{
    uint64_t entry = image->is_64_bit ? sizeof(Elf64_Sym) : sizeof(Elf32_Sym);
    Elf_Scn *names = elf_getscn(elf, symbols->sh_link);
    GElf_Shdr sh;

    if (!names || !gelf_getshdr(names, &sh) || sh.sh_type != SHT_STRTAB ||
        image->n_tables >= ELF_IMAGE_TABLES_MAX)
        return;

    uint64_t n = symbols->sh_size / entry;

    image->tables[image->n_tables++] = (struct elf_symbol_table){
        .off = symbols->sh_offset,
        .n_symbols = n < ELF_IMAGE_SYMBOLS_MAX ? n : ELF_IMAGE_SYMBOLS_MAX,
        .names_off = sh.sh_offset,
        .names_size = sh.sh_size,
    };
}

/* A section of the file as bytes, at most @max of them; NULL when it is not there or longer. */
static unsigned char *read_section(int fd, const GElf_Shdr *sh, size_t max)
{
    if (sh->sh_type == SHT_NOBITS || sh->sh_size == 0 || sh->sh_size > max)
        return NULL;

    unsigned char *bytes = mem_alloc(sh->sh_size);

    if (pread(fd, bytes, sh->sh_size, (off_t)sh->sh_offset) != (ssize_t)sh->sh_size) {
        free(bytes);
        return NULL;
    }
    return bytes;
}

static void read_build_id(int fd, const GElf_Shdr *notes, struct elf_image *image)
{
    _cleanup_free_ unsigned char *bytes = read_section(fd, notes, NOTES_MAX);

    if (bytes && image->build_id.n == 0)
        (void)debug_links_read_build_id(bytes, notes->sh_size, &image->build_id);
}

static bool is_go_section(const char *name)
{
    static const char *const names[] = { ".gopclntab", ".note.go.buildid", ".go.buildinfo",
                                         ".data.rel.ro.gopclntab" };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(name, names[i]) == 0)
            return true;
    }
    return false;
}

/* What a section is by its name: where debug information is, or that Go made the file. */
static void read_named(int fd, const char *name, const GElf_Shdr *sh, struct elf_image *image)
{
    _cleanup_free_ unsigned char *bytes = NULL;

    if (is_go_section(name)) {
        image->has_go = true;
    } else if (strcmp(name, ".debug_info") == 0 || strcmp(name, ".zdebug_info") == 0) {
        image->has_debug_info = sh->sh_type != SHT_NOBITS && sh->sh_size > 0;
    } else if (strcmp(name, ".gnu_debugdata") == 0 && sh->sh_type != SHT_NOBITS) {
        image->mini_debug_off = sh->sh_offset;
        image->mini_debug_size = sh->sh_size;
    } else if (strcmp(name, ".gnu_debuglink") == 0) {
        bytes = read_section(fd, sh, LINK_MAX_BYTES);
        if (bytes)
            (void)debug_links_read_link(bytes, sh->sh_size, &image->debug_link);
    } else if (strcmp(name, ".gnu_debugaltlink") == 0) {
        bytes = read_section(fd, sh, LINK_MAX_BYTES);
        if (bytes)
            (void)debug_links_read_alt(bytes, sh->sh_size, &image->alt_link);
    }
}

static void read_sections(int fd, Elf *elf, struct elf_image *image)
{
    size_t n = 0, names = 0;
    GElf_Shdr sh;

    if (elf_getshdrnum(elf, &n) < 0 || n > ELF_IMAGE_SECTIONS_MAX)
        return;

    bool has_names = elf_getshdrstrndx(elf, &names) == 0;

    image->sections = mem_array(n, sizeof(*image->sections));
    image->n_sections = n;
    for (size_t i = 1; i < n; i++) {
        Elf_Scn *section = elf_getscn(elf, i);

        if (!section || !gelf_getshdr(section, &sh))
            continue;

        const char *name = has_names ? elf_strptr(elf, names, sh.sh_name) : NULL;

        image->sections[i] = (struct elf_section){ sh.sh_addr, sh.sh_addr + sh.sh_size,
                                                   (sh.sh_flags & SHF_EXECINSTR) != 0 };
        if (sh.sh_type == SHT_SYMTAB || sh.sh_type == SHT_DYNSYM)
            add_table(elf, &sh, image);
        if (sh.sh_type == SHT_SYMTAB)
            image->has_symtab = true;
        if (sh.sh_type == SHT_NOTE)
            read_build_id(fd, &sh, image);
        if (name)
            read_named(fd, name, &sh, image);
    }
}

int elf_image_read(int fd, struct elf_image *ret_image, struct err *e)
{
    const unsigned char native =
        __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB;
    struct elf_image image = { 0 };

    (void)elf_version(EV_CURRENT);
    _cleanup_elf_ Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
    size_t ident_size = 0;
    const char *ident = elf ? elf_getident(elf, &ident_size) : NULL;

    if (!ident || elf_kind(elf) != ELF_K_ELF || ident_size < EI_NIDENT || ident[EI_DATA] != native)
        return err_set(e, -EINVAL, "not an ELF file of this machine's byte order");
    image.is_64_bit = ident[EI_CLASS] == ELFCLASS64;
    read_segments(elf, &image);
    read_sections(fd, elf, &image);
    *ret_image = image;
    return 0;
}

void elf_image_release(struct elf_image *image)
{
    free(image->sections);
    *image = (struct elf_image){ 0 };
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
