/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/symbols/elf_symbols.h"

#include "lib/cleanup.h"
#include "lib/mem.h"

#include <elf.h>
#include <string.h>
#include <unistd.h>

/* What speaks for a symbol when several start at one address. */
enum { RANK_GLOBAL = 1, RANK_EXPORTED = 2, RANK_FUNCTION = 4, RANK_LABEL = 8 };

/* A symbol that may name an address. */
struct candidate {
    uint64_t start, end;
    uint64_t name_at; /* in the file; 0: none */
    uint64_t name_room;
    int fd;
    int rank;
};

struct candidates {
    struct candidate sized; /* covers the query by its size */
    struct candidate bare;  /* without a size; the last one that starts before */
    uint64_t nearest;       /* where any symbol starts last before the query, plus one */
};

/* Naming is linear in symbols and in queries; symbols that overlap without end may not change that.
 */
enum { OVERLAPS_MAX = 1 << 24, TIES_MAX = 1 << 14 };

struct pass {
    const struct elf_query *queries;
    struct candidates *found; /* of each query */
    size_t n;
    size_t overlaps, ties;
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

static size_t underscores(const struct candidate *c)
{
    char front[8];
    ssize_t n = pread(c->fd, front, c->name_room < 8 ? c->name_room : 8, (off_t)c->name_at);
    size_t i = 0;

    while ((ssize_t)i < n && front[i] == '_')
        i++;
    return i;
}

static bool is_better(struct pass *pass, const struct candidate *a, const struct candidate *than)
{
    if (than->name_at == 0 || a->start != than->start)
        return than->name_at == 0 || a->start > than->start;
    if ((a->rank | RANK_GLOBAL) != (than->rank | RANK_GLOBAL))
        return a->rank > than->rank;
    if (pass->ties++ < TIES_MAX) {
        size_t x = underscores(a), y = underscores(than);

        if (x != y)
            return x < y;
    }
    return a->rank > than->rank;
}

/* 0: no function. Hand-written entry points often have neither type nor size. */
static int symbol_rank(const struct elf_image *elf, const Elf64_Sym *s)
{
    unsigned type = ELF64_ST_TYPE(s->st_info), bind = ELF64_ST_BIND(s->st_info);
    int rank = bind == STB_LOCAL    ? 0
               : bind == STB_GLOBAL ? RANK_EXPORTED | RANK_GLOBAL
                                    : RANK_EXPORTED;

    if (s->st_shndx == SHN_UNDEF || s->st_name == 0)
        return 0;
    if (type == STT_FUNC || type == STT_GNU_IFUNC)
        return rank | RANK_LABEL | RANK_FUNCTION;
    return type == STT_NOTYPE && bind != STB_LOCAL && elf_image_code(elf, s->st_shndx)
               ? rank | RANK_LABEL
               : 0;
}

static void consider(struct pass *pass, const struct elf_file *file,
                     const struct elf_symbol_table *table, const Elf64_Sym *s)
{
    int rank = symbol_rank(file->elf, s);
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
        .fd = file->fd,
        .rank = rank,
    };

    if (c.start + 1 > pass->found[i].nearest)
        pass->found[i].nearest = c.start + 1;
    if (s->st_size == 0) {
        const struct elf_section *code = elf_image_code(file->elf, s->st_shndx);

        c.end = code ? code->end : 0;
        if (!file->elf->has_symtab && c.end > c.start + ELF_SYMBOL_BARE_MAX)
            c.end = c.start + ELF_SYMBOL_BARE_MAX;
        if (is_better(pass, &c, &pass->found[i].bare))
            pass->found[i].bare = c;
        return;
    }
    for (; i < pass->n && pass->queries[i].vaddr < c.end && pass->overlaps < OVERLAPS_MAX; i++) {
        pass->overlaps++;
        if (is_better(pass, &c, &pass->found[i].sized))
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

static void scan_table(const struct elf_file *file, const struct elf_symbol_table *table,
                       struct pass *pass)
{
    enum { PIECE = 2048 };
    size_t entry = file->elf->is_64_bit ? sizeof(Elf64_Sym) : sizeof(Elf32_Sym);
    _cleanup_free_ unsigned char *piece = mem_alloc(PIECE * entry);

    for (uint64_t i = 0; i < table->n_symbols; i += PIECE) {
        uint64_t n = table->n_symbols - i < PIECE ? table->n_symbols - i : PIECE;
        ssize_t got = pread(file->fd, piece, n * entry, (off_t)(table->off + i * entry));

        if (got <= 0)
            return;
        for (size_t j = 0; (j + 1) * entry <= (size_t)got; j++) {
            Elf64_Sym wide;
            Elf32_Sym narrow;

            if (file->elf->is_64_bit) {
                memcpy(&wide, piece + j * entry, sizeof(wide));
            } else {
                memcpy(&narrow, piece + j * entry, sizeof(narrow));
                wide = widen(&narrow);
            }
            consider(pass, file, table, &wide);
        }
        if ((uint64_t)got < n * entry)
            return;
    }
}

static char *read_name(const struct candidate *c, struct name_room *names)
{
    char name[ELF_SYMBOL_NAME_MAX + 1];
    size_t room = c->name_room < ELF_SYMBOL_NAME_MAX ? c->name_room : ELF_SYMBOL_NAME_MAX;
    ssize_t n = pread(c->fd, name, room, (off_t)c->name_at);

    if (n <= 0)
        return NULL;
    name[n] = '\0';
    return *name ? name_room_take(names, mem_strdup(name)) : NULL;
}

/* A function without a size may lie within one that has one, and is then the nearer; a label there
 * is not. */
static bool bare_wins(const struct candidate *bare, const struct candidate *sized)
{
    return sized->name_at == 0 || (bare->start > sized->start && bare->rank & RANK_FUNCTION);
}

void elf_symbols_find(const struct elf_file *files, size_t n_files, struct elf_query *queries,
                      size_t n_queries, struct name_room *room)
{
    _cleanup_free_ struct candidates *found = mem_array(n_queries, sizeof(*found));
    struct pass pass = { .queries = queries, .found = found, .n = n_queries };
    struct candidate bare = { 0 };
    uint64_t nearest = 0;

    for (size_t i = 0; i < n_files; i++) {
        for (size_t j = 0; j < files[i].elf->n_tables; j++)
            scan_table(&files[i], &files[i].elf->tables[j], &pass);
    }
    for (size_t i = 0; i < n_queries; i++) {
        const struct candidate *best = &found[i].sized;

        if (found[i].bare.name_at && is_better(&pass, &found[i].bare, &bare))
            bare = found[i].bare;
        if (found[i].nearest > nearest)
            nearest = found[i].nearest;
        if (bare.name_at != 0 && bare.start + 1 == nearest && queries[i].vaddr < bare.end &&
            bare_wins(&bare, best))
            best = &bare;
        if (best->name_at)
            queries[i].name = read_name(best, room);
    }
}
