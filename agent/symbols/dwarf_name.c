/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/symbols/dwarf_name.h"

#include "agent/hash.h"
#include "lib/buf.h"
#include "lib/mem.h"

#include <dwarf.h>
#include <stdbool.h>
#include <stdlib.h>

enum { SCOPES_MAX = 32, REFERENCES_MAX = 8, NAME_MAX_BYTES = 4096 };

struct entry {
    uint64_t address; /* of the DIE in memory */
    char *name;       /* owned */
    UT_hash_handle hh;
};

struct dwarf_names {
    struct entry *by_address;
};

struct dwarf_names *dwarf_names_new(void)
{
    return mem_zalloc(sizeof(struct dwarf_names));
}

void dwarf_names_free(struct dwarf_names *names)
{
    struct entry *entry, *next;

    if (!names)
        return;
    HASH_ITER (hh, names->by_address, entry, next) {
        HASH_DEL(names->by_address, entry);
        free(entry->name);
        free(entry);
    }
    free(names);
}

/* From a concrete function to its abstract one, and on to its declaration. */
static Dwarf_Die declaration(const Dwarf_Die *die)
{
    Dwarf_Die at = *die, next;
    Dwarf_Attribute attribute;

    for (int i = 0; i < REFERENCES_MAX; i++) {
        if (!dwarf_attr(&at, DW_AT_abstract_origin, &attribute) &&
            !dwarf_attr(&at, DW_AT_specification, &attribute))
            break;
        if (!dwarf_formref_die(&attribute, &next))
            break;
        at = next;
    }
    return at;
}

static bool has_namespaces(Dwarf_Die *unit)
{
    switch (dwarf_srclang(unit)) {
    case DW_LANG_C_plus_plus:
    case DW_LANG_C_plus_plus_03:
    case DW_LANG_C_plus_plus_11:
    case DW_LANG_C_plus_plus_14:
    case DW_LANG_Rust:
        return true;
    default:
        return false;
    }
}

static void add_scope(struct buf *out, Dwarf_Die *die)
{
    const char *name = dwarf_diename(die);

    switch (dwarf_tag(die)) {
    case DW_TAG_namespace:
        (void)buf_printf(out, "%s::", name ? name : "(anonymous namespace)");
        break;
    case DW_TAG_class_type:
    case DW_TAG_structure_type:
    case DW_TAG_union_type:
    case DW_TAG_enumeration_type:
    case DW_TAG_subprogram:
        if (name)
            (void)buf_printf(out, "%s::", name);
        break;
    default:
        break;
    }
}

/* DIEs lie in the file in the order of a walk, so the one among siblings that begins last before an
 * offset holds it. */
static bool find_holder(Dwarf_Die *parent, Dwarf_Off offset, Dwarf_Die *ret_holder)
{
    Dwarf_Die at;

    if (dwarf_child(parent, &at) != 0 || dwarf_dieoffset(&at) > offset)
        return false;
    do
        *ret_holder = at;
    while (dwarf_siblingof(&at, &at) == 0 && dwarf_dieoffset(&at) <= offset);
    return true;
}

static char *qualify(Dwarf_Die *die, const char *name)
{
    _cleanup_buf_ struct buf out = BUF_INIT(NAME_MAX_BYTES);
    Dwarf_Off offset = dwarf_dieoffset(die);
    Dwarf_Die scope, holder;

    if (!dwarf_diecu(die, &scope, NULL, NULL) || !has_namespaces(&scope))
        return mem_strdup(name);
    for (int i = 0; i < SCOPES_MAX && find_holder(&scope, offset, &holder) &&
                    dwarf_dieoffset(&holder) != offset;
         i++) {
        add_scope(&out, &holder);
        scope = holder;
    }
    (void)buf_add_str(&out, name);
    return buf_overflowed(&out) ? mem_strdup(name) : buf_take(&out, NULL);
}

const char *dwarf_name(struct dwarf_names *names, Dwarf_Die *die)
{
    Dwarf_Attribute attribute;
    struct entry *entry;

    if (dwarf_attr_integrate(die, DW_AT_linkage_name, &attribute) ||
        dwarf_attr_integrate(die, DW_AT_MIPS_linkage_name, &attribute))
        return dwarf_formstring(&attribute);

    Dwarf_Die declared = declaration(die);
    uint64_t key = (uintptr_t)declared.addr;
    const char *name = dwarf_diename(&declared);

    if (!name)
        return dwarf_diename(die);
    HASH_FIND(hh, names->by_address, &key, sizeof(key), entry);
    if (!entry) {
        entry = mem_zalloc(sizeof(*entry));
        entry->address = key;
        entry->name = qualify(&declared, name);
        HASH_ADD(hh, names->by_address, address, sizeof(entry->address), entry);
    }
    return entry->name;
}
