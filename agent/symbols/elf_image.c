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

static void read_sections(Elf *elf, struct elf_image *image)
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
        if (name && is_go_section(name))
            image->has_go = true;
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
    read_sections(elf, &image);
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

/* A symbol that may name an address; rank breaks ties of the start. */
struct candidate {
    uint64_t start, end;
    uint64_t name_at; /* in the file; 0: none */
    uint64_t name_room;
    int rank;
};

struct candidates {
    struct candidate sized; /* covers the query by its size */
    struct candidate bare;  /* without a size; the last one that starts before */
    uint64_t nearest;       /* where any symbol starts last before the query, plus one */
};

/* Naming is linear in symbols and in queries; symbols that overlap without end may not change that.
 */
enum { OVERLAPS_MAX = 1 << 24 };

struct pass {
    const struct elf_image *image;
    const struct elf_query *queries;
    struct candidates *found; /* of each query */
    size_t n;
    size_t overlaps;
};

/* The first query at or above vaddr. */
static size_t lower_bound(const struct pass *pass, uint64_t vaddr)
{
    size_t low = 0, high = pass->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (pass->queries[middle].vaddr < vaddr)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_better(const struct candidate *a, const struct candidate *than)
{
    if (than->name_at == 0 || a->start != than->start)
        return than->name_at == 0 || a->start > than->start;
    return a->rank > than->rank;
}

/* 0: no function. Hand-written entry points often have neither type nor size. */
static int symbol_rank(const struct elf_image *image, const Elf64_Sym *s)
{
    unsigned type = ELF64_ST_TYPE(s->st_info), bind = ELF64_ST_BIND(s->st_info);
    bool in_code = s->st_shndx < image->n_sections && image->sections[s->st_shndx].executable;

    if (s->st_shndx == SHN_UNDEF || s->st_name == 0)
        return 0;
    if (type != STT_FUNC && type != STT_GNU_IFUNC &&
        !(type == STT_NOTYPE && bind != STB_LOCAL && in_code))
        return 0;
    return (type == STT_NOTYPE ? 0 : 10) + (bind == STB_GLOBAL ? 3 : bind == STB_WEAK ? 2 : 1);
}

static void consider(struct pass *pass, const struct elf_symbol_table *table, const Elf64_Sym *s)
{
    int rank = symbol_rank(pass->image, s);
    size_t i;

    if (rank == 0 || s->st_name >= table->names_size)
        return;
    i = lower_bound(pass, s->st_value);
    if (i == pass->n)
        return;

    struct candidate c = {
        .start = s->st_value,
        .end = s->st_value + s->st_size,
        .name_at = table->names_off + s->st_name,
        .name_room = table->names_size - s->st_name,
        .rank = rank,
    };

    if (c.start + 1 > pass->found[i].nearest)
        pass->found[i].nearest = c.start + 1;
    if (s->st_size == 0) {
        c.end = s->st_shndx < pass->image->n_sections ? pass->image->sections[s->st_shndx].end : 0;
        if (is_better(&c, &pass->found[i].bare))
            pass->found[i].bare = c;
        return;
    }
    for (; i < pass->n && pass->queries[i].vaddr < c.end && pass->overlaps < OVERLAPS_MAX; i++) {
        pass->overlaps++;
        if (is_better(&c, &pass->found[i].sized))
            pass->found[i].sized = c;
    }
}

static Elf64_Sym widen(const Elf32_Sym *s)
{
    return (Elf64_Sym){ .st_name = s->st_name,
                        .st_info = s->st_info,
                        .st_shndx = s->st_shndx,
                        .st_value = s->st_value,
                        .st_size = s->st_size };
}

static void scan_table(int fd, const struct elf_symbol_table *table, struct pass *pass)
{
    enum { PIECE = 2048 };
    size_t entry = pass->image->is_64_bit ? sizeof(Elf64_Sym) : sizeof(Elf32_Sym);
    _cleanup_free_ unsigned char *piece = mem_alloc(PIECE * entry);

    for (uint64_t i = 0; i < table->n_symbols; i += PIECE) {
        uint64_t n = table->n_symbols - i < PIECE ? table->n_symbols - i : PIECE;
        ssize_t got = pread(fd, piece, n * entry, (off_t)(table->off + i * entry));

        if (got <= 0)
            return;
        for (size_t j = 0; (j + 1) * entry <= (size_t)got; j++) {
            Elf64_Sym wide;
            Elf32_Sym narrow;

            if (pass->image->is_64_bit) {
                memcpy(&wide, piece + j * entry, sizeof(wide));
            } else {
                memcpy(&narrow, piece + j * entry, sizeof(narrow));
                wide = widen(&narrow);
            }
            consider(pass, table, &wide);
        }
        if ((uint64_t)got < n * entry)
            return;
    }
}

static char *read_name(int fd, const struct candidate *c)
{
    char name[ELF_IMAGE_NAME_MAX + 1];
    size_t room = c->name_room < ELF_IMAGE_NAME_MAX ? c->name_room : ELF_IMAGE_NAME_MAX;
    ssize_t n = pread(fd, name, room, (off_t)c->name_at);

    if (n <= 0)
        return NULL;
    name[n] = '\0';
    return *name ? mem_strdup(name) : NULL;
}

void elf_image_name(int fd, const struct elf_image *image, struct elf_query *queries,
                    size_t n_queries)
{
    _cleanup_free_ struct candidates *found = mem_array(n_queries, sizeof(*found));
    struct pass pass = { image, queries, found, n_queries, 0 };
    struct candidate bare = { 0 };
    uint64_t nearest = 0;

    for (size_t i = 0; i < image->n_tables; i++)
        scan_table(fd, &image->tables[i], &pass);
    for (size_t i = 0; i < n_queries; i++) {
        const struct candidate *best = &found[i].sized;

        if (found[i].bare.name_at && is_better(&found[i].bare, &bare))
            bare = found[i].bare;
        if (found[i].nearest > nearest)
            nearest = found[i].nearest;
        if (best->name_at == 0 && bare.name_at != 0 && bare.start + 1 == nearest &&
            queries[i].vaddr < bare.end)
            best = &bare;
        if (best->name_at)
            queries[i].name = read_name(fd, best);
    }
}
