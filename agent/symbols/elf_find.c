/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/symbols/elf_find.h"

#include "agent/symbols/elf_headers.h"
#include "lib/cleanup.h"
#include "lib/mem.h"

#include <assert.h>
#include <limits.h>
#include <string.h>

enum {
    PIECE = 1024,
    STRINGS_PIECE = 64 * 1024,
    NAME_MAX_BYTES = 128,
    WANTED_MAX = 64,
    HITS_MAX = 4
};

/*
 * Where in a string table the wanted names lie: one pass over the strings spares a read a symbol.
 * A name may be the tail of a longer one, where linkers merge them ("end" in "backend"), or lie
 * beside one: so there may be several places.
 */
struct places {
    uint64_t at[WANTED_MAX][HITS_MAX]; /* offsets into the string table */
    size_t n[WANTED_MAX];
};

/* What is looked for, and what is left to be looked through for it. */
struct search {
    struct elf_wanted *wanted;
    size_t n;
    size_t len[WANTED_MAX];      /* of the names */
    bool is_last[UCHAR_MAX + 1]; /* a name ends in this character */
    uint64_t bytes_left, symbols_left;
};

/* A name ends where a NUL is, wherever it begins: NULs from @from on, with what is before them. */
static void look_for(const struct search *s, const char *text, size_t from, size_t len,
                     uint64_t off, struct places *places)
{
    const char *nul = text + from;

    for (; (nul = memchr(nul, '\0', len - (size_t)(nul - text))); nul++) {
        size_t before = (size_t)(nul - text);

        if (before == 0 || !s->is_last[(unsigned char)nul[-1]])
            continue;
        for (size_t i = 0; i < s->n; i++) {
            if (s->len[i] <= before && places->n[i] < HITS_MAX &&
                memcmp(nul - s->len[i], s->wanted[i].name, s->len[i]) == 0)
                places->at[i][places->n[i]++] = off + before - s->len[i];
        }
    }
}

/* Pieces overlap by the longest name; what lies in the overlap was seen with the former one. */
static void find_strings(int fd, const struct elf_symbol_table *table, struct search *s,
                         struct places *places)
{
    _cleanup_free_ char *piece = mem_alloc(STRINGS_PIECE);
    uint64_t end = table->names_size < s->bytes_left ? table->names_size : s->bytes_left;

    s->bytes_left -= end;
    for (uint64_t off = 0; off < end; off += STRINGS_PIECE - NAME_MAX_BYTES) {
        size_t from = off == 0 ? 0 : NAME_MAX_BYTES;
        size_t got = elf_headers_read_at(fd, piece, table->names_off + off,
                                         end - off < STRINGS_PIECE ? end - off : STRINGS_PIECE);

        if (got <= from)
            return;
        look_for(s, piece, from, got, off, places);
    }
}

static bool is_at(const struct places *places, size_t i, uint64_t name)
{
    for (size_t j = 0; j < places->n[i]; j++) {
        if (places->at[i][j] == name)
            return true;
    }
    return false;
}

static size_t take(const Elf64_Sym *s, const struct places *places, struct elf_wanted *wanted,
                   size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (wanted[i].found || s->st_shndx == SHN_UNDEF || !is_at(places, i, s->st_name))
            continue;
        wanted[i].vaddr = s->st_value;
        wanted[i].size = s->st_size;
        wanted[i].found = true;
        return 1;
    }
    return 0;
}

static size_t find_symbols(int fd, const struct elf_symbol_table *table,
                           const struct places *places, struct search *s)
{
    _cleanup_free_ Elf64_Sym *piece = mem_array(PIECE, sizeof(*piece));
    uint64_t end = table->n_symbols < s->symbols_left ? table->n_symbols : s->symbols_left;
    size_t found = 0;

    s->symbols_left -= end;
    for (uint64_t i = 0; i < end && found < s->n; i += PIECE) {
        size_t got = elf_headers_read_at(fd, piece, table->off + i * sizeof(*piece),
                                         (end - i < PIECE ? end - i : PIECE) * sizeof(*piece)) /
                     sizeof(*piece);

        for (size_t j = 0; j < got; j++)
            found += take(&piece[j], places, s->wanted, s->n);
    }
    return found;
}

static bool has_any(const struct places *places, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (places->n[i] > 0)
            return true;
    }
    return false;
}

size_t elf_find(int fd, const struct elf_image *image, struct elf_wanted *wanted, size_t n)
{
    struct search s = { .wanted = wanted,
                        .n = n,
                        .bytes_left = ELF_FIND_BYTES_MAX,
                        .symbols_left = ELF_FIND_SYMBOLS_MAX };
    size_t found = 0;

    if (!image->is_64_bit || n > WANTED_MAX)
        return 0;
    for (size_t i = 0; i < n; i++) {
        s.len[i] = strlen(wanted[i].name);
        assert(s.len[i] > 0 && s.len[i] < NAME_MAX_BYTES);
        s.is_last[(unsigned char)wanted[i].name[s.len[i] - 1]] = true;
    }
    for (size_t i = 0; i < image->n_tables && found < n; i++) {
        struct places places = { 0 };

        find_strings(fd, &image->tables[i], &s, &places);
        if (has_any(&places, n))
            found += find_symbols(fd, &image->tables[i], &places, &s);
    }
    return found;
}
