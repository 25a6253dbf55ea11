/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/symbols/inline_walk.h"

#include "agent/symbols/dwarf_name.h"
#include "lib/mem.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { DEPTH_MAX = 128, PAGE = 4096 };

/* What was found at one address so far. */
struct chain {
    const char *names[NAME_CHAIN_MAX];
    size_t n;
};

struct walk {
    const struct inline_query *queries;
    struct chain *chains; /* of each query */
    struct dwarf_names *names;
};

/* Queries by index, sorted by vaddr: those that a DIE covers. */
struct set {
    uint32_t *indices; /* owned */
    size_t n;
};

static size_t lower_bound(const struct walk *w, const struct set *set, uint64_t vaddr)
{
    size_t low = 0, high = set->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (w->queries[set->indices[middle]].vaddr < vaddr)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

/* Those of @all that the DIE's ranges cover, which may be in any order. */
static struct set covered(const struct walk *w, const struct set *all, Dwarf_Die *die)
{
    struct set set = { 0 };
    Dwarf_Addr base, start, end;
    ptrdiff_t at = 0;
    bool is_sorted = true;

    while ((at = dwarf_ranges(die, at, &base, &start, &end)) > 0) {
        for (size_t i = lower_bound(w, all, start);
             i < all->n && w->queries[all->indices[i]].vaddr < end && set.n < all->n; i++) {
            if (!set.indices)
                set.indices = mem_array(all->n, sizeof(*set.indices));
            is_sorted &= set.n == 0 || set.indices[set.n - 1] < all->indices[i];
            set.indices[set.n++] = all->indices[i];
        }
    }
    if (!is_sorted)
        qsort(set.indices, set.n, sizeof(*set.indices), compare);
    return set;
}

static void add_name(struct walk *w, const struct set *set, Dwarf_Die *die, bool starts)
{
    const char *name = dwarf_name(w->names, die);

    for (size_t i = 0; i < set->n; i++) {
        struct chain *chain = &w->chains[set->indices[i]];

        if (starts)
            chain->n = 0;
        if (chain->n < NAME_CHAIN_MAX)
            chain->names[chain->n++] = name ? name : "[inlined]";
    }
}

static void visit_children(struct walk *w, const struct set *unit, const struct set *set,
                           Dwarf_Die *parent, int depth);

static void visit(struct walk *w, const struct set *unit, const struct set *set, Dwarf_Die *die,
                  int depth)
{
    int tag = dwarf_tag(die);
    struct set inside;

    switch (tag) {
    case DW_TAG_namespace:
    case DW_TAG_module:
    case DW_TAG_class_type:
    case DW_TAG_structure_type:
    case DW_TAG_union_type:
    case DW_TAG_enumeration_type: /* Rust's have functions */
        visit_children(w, unit, set, die, depth);
        return;
    case DW_TAG_subprogram: /* perhaps within another, whose code it is not part of */
        inside = covered(w, unit, die);
        break;
    case DW_TAG_inlined_subroutine:
    case DW_TAG_lexical_block:
    case DW_TAG_try_block:
    case DW_TAG_catch_block:
    case DW_TAG_with_stmt:
        inside = covered(w, set, die);
        break;
    default:
        return;
    }
    if (inside.n > 0) {
        if (tag == DW_TAG_subprogram || tag == DW_TAG_inlined_subroutine)
            add_name(w, &inside, die, tag == DW_TAG_subprogram);
        visit_children(w, unit, &inside, die, depth);
    }
    free(inside.indices);
}

static void visit_children(struct walk *w, const struct set *unit, const struct set *set,
                           Dwarf_Die *parent, int depth)
{
    Dwarf_Die die;

    if (depth == DEPTH_MAX || dwarf_child(parent, &die) != 0)
        return;
    do
        visit(w, unit, set, &die, depth + 1);
    while (dwarf_siblingof(&die, &die) == 0);
}

/* False: no query is in it. */
static bool visit_unit(struct walk *w, const struct set *all, Dwarf_Die *unit,
                       inline_found_fn found, void *arg)
{
    struct set set = covered(w, all, unit);

    if (set.n > 0)
        visit_children(w, &set, &set, unit, 0);
    for (size_t i = 0; i < set.n; i++) {
        struct chain *chain = &w->chains[set.indices[i]];

        if (chain->n > 1)
            found(arg, w->queries[set.indices[i]].number, chain->names, chain->n);
        chain->n = 0;
    }
    free(set.indices);
    return set.n > 0;
}

/* What was read of the mapped file need not stay in memory. */
static void let_go(Dwarf *dwarf)
{
    size_t size = 0;
    char *file = elf_rawfile(dwarf_getelf(dwarf), &size);

    if (file && (uintptr_t)file % PAGE == 0) /* it was mapped, then */
        (void)madvise(file, size, MADV_DONTNEED);
}

void inline_walk(int fd, int alt_fd, const struct inline_query *queries, size_t n_queries,
                 inline_found_fn found, void *arg)
{
    struct walk w = { queries, mem_array(n_queries, sizeof(*w.chains)), dwarf_names_new() };
    struct set all = { mem_array(n_queries, sizeof(*all.indices)), n_queries };
    Dwarf *dwarf = dwarf_begin(fd, DWARF_C_READ);
    Dwarf *alt = alt_fd < 0 ? NULL : dwarf_begin(alt_fd, DWARF_C_READ);
    Dwarf_CU *unit = NULL;
    uint8_t kind;
    Dwarf_Die die;

    for (size_t i = 0; i < n_queries; i++)
        all.indices[i] = (uint32_t)i;
    if (alt)
        dwarf_setalt(dwarf, alt);
    while (dwarf && dwarf_get_units(dwarf, unit, &unit, NULL, &kind, &die, NULL) == 0) {
        if (kind == DW_UT_compile && visit_unit(&w, &all, &die, found, arg))
            let_go(dwarf);
    }
    (void)dwarf_end(dwarf);
    (void)dwarf_end(alt);
    free(all.indices);
    dwarf_names_free(w.names);
    free(w.chains);
}
