/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/unwind/coroutine_rows.h"

#include "lib/cleanup.h"
#include "lib/mem.h"

#include <string.h>

/* Libraries of coroutines are small: others are not searched. */
enum { SYMBOLS_MAX = 4096, NAMES_MAX = 1 << 20 };

/* greenlet 2 and 3, src/greenlet/TUserGreenlet.cpp. */
static const char start[] = "_ZN8greenlet12UserGreenlet13g_initialstubEPv";

/* Gives [addr, end) a rule, whatever is known of it. */
static void overrule(struct eh_table *t, uint32_t addr, uint32_t end, uint32_t rule)
{
    size_t first = eh_table_before(t, addr), next = eh_table_before(t, end);
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

static const Elf64_Shdr *find_type(const struct elf_headers *h, uint32_t type)
{
    for (size_t i = 0; i < h->n_sections; i++) {
        if (h->sections[i].sh_type == type)
            return &h->sections[i];
    }
    return NULL;
}

static bool find_start(int fd, const struct elf_headers *h, Elf64_Sym *ret_symbol)
{
    const Elf64_Shdr *dynsym = h->is_64_bit ? find_type(h, SHT_DYNSYM) : NULL;
    const Elf64_Shdr *strings =
        dynsym && dynsym->sh_link < h->n_sections ? &h->sections[dynsym->sh_link] : NULL;

    if (!strings || dynsym->sh_size > SYMBOLS_MAX * sizeof(Elf64_Sym) ||
        strings->sh_size > NAMES_MAX)
        return false;

    _cleanup_free_ Elf64_Sym *symbols = mem_alloc((size_t)dynsym->sh_size);
    _cleanup_free_ char *names = mem_zalloc((size_t)strings->sh_size + sizeof(start));
    size_t n = elf_headers_read_at(fd, symbols, dynsym->sh_offset, (size_t)dynsym->sh_size) /
               sizeof(*symbols);
    size_t size = elf_headers_read_at(fd, names, strings->sh_offset, (size_t)strings->sh_size);

    for (size_t i = 0; i < n; i++) {
        if (symbols[i].st_name < size && symbols[i].st_size > 0 &&
            strcmp(names + symbols[i].st_name, start) == 0) {
            *ret_symbol = symbols[i];
            return true;
        }
    }
    return false;
}

void coroutine_rows_end(int fd, const struct elf_headers *headers, struct eh_range range,
                        size_t max_rows, struct unwind_rules *rules, struct eh_table *table)
{
    const struct unwind_rule end = { .cfa = UNWIND_CFA_END };
    Elf64_Sym symbol;

    if (!find_start(fd, headers, &symbol) || symbol.st_value < range.start ||
        symbol.st_value > range.end || symbol.st_size > range.end - symbol.st_value ||
        range.end - range.start > UINT32_MAX || table->n_rows + 2 > max_rows)
        return;

    uint32_t addr = (uint32_t)(symbol.st_value - range.start);

    overrule(table, addr, addr + (uint32_t)symbol.st_size, unwind_rules_number(rules, &end));
}
