/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/symbols/elf_find.h"

#include "lib/cleanup.h"
#include "lib/mem.h"

#include <elf.h>
#include <string.h>
#include <unistd.h>

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

static void look_for(const char *text, size_t len, uint64_t off, const struct elf_wanted *wanted,
                     size_t n, struct places *places)
{
    for (size_t i = 0; i < n; i++) {
        size_t size = strlen(wanted[i].name) + 1, from = 0;
        const char *hit;

        while (places->n[i] < HITS_MAX &&
               (hit = memmem(text + from, len - from, wanted[i].name, size))) {
            places->at[i][places->n[i]++] = off + (uint64_t)(hit - text);
            from = (size_t)(hit - text) + 1;
        }
    }
}

static void find_strings(int fd, const struct elf_symbol_table *table,
                         const struct elf_wanted *wanted, size_t n, struct places *places)
{
    _cleanup_free_ char *piece = mem_alloc(STRINGS_PIECE);

    for (uint64_t off = 0; off < table->names_size; off += STRINGS_PIECE - NAME_MAX_BYTES) {
        uint64_t room = table->names_size - off;
        ssize_t got = pread(fd, piece, room < STRINGS_PIECE ? room : STRINGS_PIECE,
                            (off_t)(table->names_off + off));

        if (got <= 0)
            return;
        look_for(piece, (size_t)got, off, wanted, n, places);
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
                           const struct places *places, struct elf_wanted *wanted, size_t n)
{
    _cleanup_free_ Elf64_Sym *piece = mem_array(PIECE, sizeof(*piece));
    size_t found = 0;

    for (uint64_t i = 0; i < table->n_symbols && found < n; i += PIECE) {
        uint64_t room = table->n_symbols - i < PIECE ? table->n_symbols - i : PIECE;
        ssize_t got =
            pread(fd, piece, room * sizeof(*piece), (off_t)(table->off + i * sizeof(*piece)));

        if (got <= 0)
            break;
        for (size_t j = 0; j < (size_t)got / sizeof(*piece); j++)
            found += take(&piece[j], places, wanted, n);
    }
    return found;
}

size_t elf_find(int fd, const struct elf_image *image, struct elf_wanted *wanted, size_t n)
{
    size_t found = 0;

    if (!image->is_64_bit || n > WANTED_MAX)
        return 0;
    for (size_t i = 0; i < image->n_tables && found < n; i++) {
        struct places places = { 0 };

        find_strings(fd, &image->tables[i], wanted, n, &places);
        found += find_symbols(fd, &image->tables[i], &places, wanted, n);
    }
    return found;
}
