/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/unwind/coroutine_rows.h"

#include "lib/mem.h"

#include <gelf.h>
#include <string.h>

/* Libraries of coroutines are small: others are not searched. */
enum { SECTIONS_MAX = 256, SYMBOLS_MAX = 4096, NAMES_MAX = 1 << 20 };

/* greenlet 2 and 3, src/greenlet/TUserGreenlet.cpp. */
static const char start[] = "_ZN8greenlet12UserGreenlet13g_initialstubEPv";

/* How many rows begin before @addr. */
static size_t count_before(const struct eh_table *t, uint32_t addr)
{
    size_t low = 0, high = t->n_rows;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (t->rows[middle].addr < addr)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Gives [addr, end) a rule, whatever is known of it. */
static void overrule(struct eh_table *t, uint32_t addr, uint32_t end, uint32_t rule)
{
    size_t first = count_before(t, addr), next = count_before(t, end);
    uint32_t after = next > 0 ? t->rows[next - 1].rule : UNWIND_RULE_NONE;
    bool has_next = next < t->n_rows && t->rows[next].addr == end;
    size_t n_new = has_next ? 1 : 2, n_rest = t->n_rows - next;

    t->rows = mem_grow(t->rows, t->n_rows + n_new, sizeof(*t->rows));
    memmove(t->rows + first + n_new, t->rows + next, n_rest * sizeof(*t->rows));
    t->rows[first] = (struct unwind_row){ addr, rule };
    if (!has_next)
        t->rows[first + 1] = (struct unwind_row){ end, after };
    t->n_rows = first + n_new + n_rest;
}

/* Its symbols; NULL: none, or too many. */
static Elf_Scn *find_symbols(Elf *elf, GElf_Shdr *ret_header)
{
    GElf_Shdr names;

    for (size_t i = 1; i < SECTIONS_MAX; i++) {
        Elf_Scn *section = elf_getscn(elf, i);

        if (!section || !gelf_getshdr(section, ret_header))
            return NULL;
        if (ret_header->sh_type == SHT_DYNSYM)
            return ret_header->sh_size <= SYMBOLS_MAX * sizeof(Elf64_Sym) &&
                           gelf_getshdr(elf_getscn(elf, ret_header->sh_link), &names) &&
                           names.sh_size <= NAMES_MAX
                       ? section
                       : NULL;
    }
    return NULL;
}

static bool find_start(Elf *elf, GElf_Sym *ret_symbol)
{
    GElf_Shdr header;
    Elf_Scn *section = find_symbols(elf, &header);
    Elf_Data *data = section ? elf_getdata(section, NULL) : NULL;

    for (int i = 0; data && i < SYMBOLS_MAX && gelf_getsym(data, i, ret_symbol); i++) {
        const char *name = elf_strptr(elf, header.sh_link, ret_symbol->st_name);

        if (name && ret_symbol->st_size > 0 && strcmp(name, start) == 0)
            return true;
    }
    return false;
}

void coroutine_rows_end(Elf *elf, struct eh_range range, size_t max_rows,
                        struct unwind_rules *rules, struct eh_table *table)
{
    const struct unwind_rule end = { .cfa = UNWIND_CFA_END };
    GElf_Sym symbol;

    if (!find_start(elf, &symbol) || symbol.st_value < range.start || symbol.st_value > range.end ||
        symbol.st_size > range.end - symbol.st_value || range.end - range.start > UINT32_MAX ||
        table->n_rows + 2 > max_rows)
        return;

    uint32_t addr = (uint32_t)(symbol.st_value - range.start);

    overrule(table, addr, addr + (uint32_t)symbol.st_size, unwind_rules_number(rules, &end));
}
