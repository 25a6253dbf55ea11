/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/unwind/eh_frame.h"

#include "agent/unwind/cfi.h"
#include "agent/unwind/dwarf_cursor.h"
#include "lib/cleanup.h"
#include "lib/mem.h"

#include <stdlib.h>

/* LSB 5.0, 10.5.1: how an address is written. */
enum {
    PE_ABSPTR = 0x00,
    PE_ULEB128 = 0x01,
    PE_UDATA2 = 0x02,
    PE_UDATA4 = 0x03,
    PE_UDATA8 = 0x04,
    PE_SLEB128 = 0x09,
    PE_SDATA2 = 0x0a,
    PE_SDATA4 = 0x0b,
    PE_SDATA8 = 0x0c,
    PE_FORMAT = 0x0f,
    PE_PCREL = 0x10,
    PE_APPLICATION = 0x70,
    PE_INDIRECT = 0x80,
    PE_OMIT = 0xff,
};

struct cie {
    uint32_t off;     /* of the record, in its section */
    uint32_t section; /* which is broken when it is EH_FRAME_SECTIONS_MAX */
    uint8_t addr_encoding;
    bool has_augmentation;
    struct cfi_context context;
};

struct function {
    uint32_t addr, size; /* from the start of the range */
    uint32_t program, program_size;
    uint32_t cie;
};

struct reader {
    const struct eh_section *sections;
    struct eh_range range;
    struct cie *cies; /* in the order of sections and offsets */
    size_t n_cies;
    struct function *functions;
    size_t n_functions;
    bool is_sorted;
    size_t max_rows;
    struct unwind_rules *rules;
    struct eh_table table;
};

/* One record, the cursor behind its CIE pointer. */
struct record {
    struct dwarf_cursor at;
    uint64_t cie; /* offset of its CIE */
    bool is_cie;
};

static uint64_t place_of(const struct eh_section *section, const struct dwarf_cursor *c)
{
    return section->vaddr + (uint64_t)(c->at - section->data);
}

static uint64_t take_encoded(const struct eh_section *section, struct dwarf_cursor *c,
                             uint8_t encoding)
{
    uint64_t base = 0, value = 0;

    if ((encoding & PE_APPLICATION) == PE_PCREL)
        base = place_of(section, c);
    else if ((encoding & PE_APPLICATION) != 0)
        c->failed = true;
    if (encoding & PE_INDIRECT)
        c->failed = true;
    switch (encoding & PE_FORMAT) {
    case PE_ABSPTR:
    case PE_UDATA8:
    case PE_SDATA8:
        value = dwarf_u64(c);
        break;
    case PE_ULEB128:
        value = dwarf_uleb(c);
        break;
    case PE_SLEB128:
        value = (uint64_t)dwarf_sleb(c);
        break;
    case PE_UDATA2:
        value = dwarf_u16(c);
        break;
    case PE_SDATA2:
        value = (uint64_t)(int64_t)(int16_t)dwarf_u16(c);
        break;
    case PE_UDATA4:
        value = dwarf_u32(c);
        break;
    case PE_SDATA4:
        value = (uint64_t)(int64_t)(int32_t)dwarf_u32(c);
        break;
    default:
        c->failed = true;
    }
    return base + value;
}

/* "z" and what follows it: how the FDEs of it are written. */
static void parse_augmentation(const struct eh_section *section, struct dwarf_cursor *c,
                               const char *text, struct cie *cie)
{
    uint64_t size = dwarf_uleb(c);
    struct dwarf_cursor data = *c;

    dwarf_skip(c, size);
    if (c->failed)
        return;
    data.end = c->at;
    cie->has_augmentation = true;
    for (text++; *text; text++) {
        if (*text == 'R') {
            cie->addr_encoding = dwarf_u8(&data);
        } else if (*text == 'P') {
            uint8_t encoding = dwarf_u8(&data);

            /* The value does not matter, only its length does. */
            (void)take_encoded(section, &data, encoding & PE_FORMAT);
        } else if (*text == 'L') {
            (void)dwarf_u8(&data);
        } else if (*text == 'S') {
            cie->context.is_signal_frame = true;
        } else if (*text != 'B' && *text != 'G') { /* signed, tagged */
            break; /* what it means is not known, but its length is */
        }
    }
    if (data.failed)
        c->failed = true;
}

static bool parse_cie(const struct eh_section *section, struct dwarf_cursor c, struct cie *cie)
{
    uint8_t version = dwarf_u8(&c);
    const char *augmentation = dwarf_text(&c);

    if (!augmentation || version == 0 || version > 5)
        return false;
    if (version >= 4) {
        uint8_t addr_size = dwarf_u8(&c), segment_size = dwarf_u8(&c);

        if (addr_size != 8 || segment_size != 0)
            return false;
    }
    cie->context.code_align = dwarf_uleb(&c);
    cie->context.data_align = dwarf_sleb(&c);
    cie->context.ra_column = version == 1 ? dwarf_u8(&c) : (uint32_t)dwarf_uleb(&c);
    if (*augmentation == 'z')
        parse_augmentation(section, &c, augmentation, cie);
    else if (*augmentation)
        return false;
    return !c.failed && cfi_run_initial(c, &cie->context);
}

static void add_cie(struct reader *r, uint32_t section, uint32_t off, struct dwarf_cursor c)
{
    size_t n = r->n_cies;

    if (n == EH_FRAME_CIES_MAX) {
        r->table.is_full = true;
        return;
    }
    if ((n & (n - 1)) == 0)
        r->cies = mem_grow(r->cies, n ? n * 2 : 1, sizeof(*r->cies));
    r->cies[n] = (struct cie){ .off = off,
                               .section = section,
                               .context.registers = &unwind_registers[r->range.arch] };
    if (!parse_cie(&r->sections[section], c, &r->cies[n])) {
        r->cies[n].section = EH_FRAME_SECTIONS_MAX;
        r->table.n_broken++;
    }
    r->n_cies++;
}

/* Its number; false when there is none before, or it is broken. */
static bool find_cie(const struct reader *r, size_t first, uint64_t off, uint32_t *ret_number)
{
    size_t low = first, high = r->n_cies;

    if (high > first && r->cies[high - 1].off == off)
        low = high - 1; /* as a rule the last one */
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (r->cies[middle].off < off)
            low = middle + 1;
        else
            high = middle;
    }
    *ret_number = (uint32_t)low;
    return low < r->n_cies && r->cies[low].off == off &&
           r->cies[low].section != EH_FRAME_SECTIONS_MAX;
}

static void add_function(struct reader *r, const struct function *f)
{
    size_t n = r->n_functions;

    if (n == EH_FRAME_FUNCTIONS_MAX) {
        r->table.is_full = true;
        return;
    }
    if ((n & (n - 1)) == 0)
        r->functions = mem_grow(r->functions, n ? n * 2 : 1, sizeof(*r->functions));
    if (n > 0 && f->addr < r->functions[n - 1].addr)
        r->is_sorted = false;
    r->functions[r->n_functions++] = *f;
}

static bool parse_fde(struct reader *r, const struct eh_section *section, size_t first_cie,
                      struct record *record)
{
    struct dwarf_cursor *c = &record->at;
    struct function f = { 0 };

    if (!find_cie(r, first_cie, record->cie, &f.cie))
        return false;

    const struct cie *cie = &r->cies[f.cie];
    uint64_t start = take_encoded(section, c, cie->addr_encoding);
    uint64_t size = take_encoded(section, c, cie->addr_encoding & PE_FORMAT);

    if (cie->has_augmentation)
        dwarf_skip(c, dwarf_uleb(c));
    if (c->failed)
        return false;
    if (start < r->range.start || start >= r->range.end || size == 0)
        return true; /* of a function that the linker dropped */
    if (size > r->range.end - start)
        size = r->range.end - start;
    f.addr = (uint32_t)(start - r->range.start);
    f.size = (uint32_t)size;
    f.program = (uint32_t)(c->at - section->data);
    f.program_size = (uint32_t)dwarf_left(c);
    add_function(r, &f);
    return true;
}

/* The next record; false at the end of the section, or of what can be made out of it. */
static bool take_record(const struct eh_section *section, struct dwarf_cursor *c,
                        struct record *ret)
{
    uint64_t length = dwarf_u32(c), id;
    bool is_wide = length == UINT32_MAX;

    if (is_wide)
        length = dwarf_u64(c);
    ret->at = *c;
    dwarf_skip(c, length);
    if (c->failed || length == 0)
        return false; /* .eh_frame ends with a zero */
    ret->at.end = c->at;

    uint64_t id_off = (uint64_t)(ret->at.at - section->data);

    if (section->is_debug_frame) {
        id = is_wide ? dwarf_u64(&ret->at) : dwarf_u32(&ret->at);
        ret->is_cie = id == (is_wide ? UINT64_MAX : UINT32_MAX);
        ret->cie = id;
    } else {
        id = dwarf_u32(&ret->at);
        ret->is_cie = id == 0;
        ret->cie = id_off - id;
    }
    return true;
}

static void read_section(struct reader *r, uint32_t number)
{
    const struct eh_section *section = &r->sections[number];
    size_t size =
        section->size < EH_FRAME_SECTION_SIZE_MAX ? section->size : EH_FRAME_SECTION_SIZE_MAX;
    struct dwarf_cursor c = { section->data, section->data + size, false };
    size_t first_cie = r->n_cies;
    struct record record;

    while (dwarf_left(&c) > 0) {
        uint32_t off = (uint32_t)(c.at - section->data);

        if (!take_record(section, &c, &record)) {
            if (c.failed)
                break;
            continue; /* several ended tables in a row, as some linkers leave them */
        }
        if (!record.at.failed && record.is_cie)
            add_cie(r, number, off, record.at);
        else if (record.at.failed || !parse_fde(r, section, first_cie, &record))
            r->table.n_broken++;
    }
    if (c.failed)
        r->table.n_broken++;
}

static int compare_functions(const void *a, const void *b)
{
    const struct function *x = a, *y = b;

    if (x->addr != y->addr)
        return x->addr < y->addr ? -1 : 1;
    if (x->cie != y->cie) /* CIEs are in the order of sections */
        return x->cie < y->cie ? -1 : 1;
    return x->program < y->program ? -1 : x->program > y->program;
}

void eh_table_add(struct eh_table *t, size_t max_rows, uint32_t addr, uint32_t rule)
{
    if (t->n_rows > 0 && t->rows[t->n_rows - 1].addr == addr)
        t->n_rows--; /* nothing lies between them */
    if ((t->n_rows > 0 ? t->rows[t->n_rows - 1].rule : UNWIND_RULE_NONE) == rule)
        return;
    if (t->n_rows == max_rows) {
        t->is_full = true;
        return;
    }
    if ((t->n_rows & (t->n_rows - 1)) == 0)
        t->rows = mem_grow(t->rows, t->n_rows ? t->n_rows * 2 : 1, sizeof(*t->rows));
    t->rows[t->n_rows++] = (struct unwind_row){ addr, rule };
}

size_t eh_table_before(const struct eh_table *t, uint64_t addr)
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

uint32_t eh_table_rule(const struct eh_table *t, uint64_t addr)
{
    size_t n = eh_table_before(t, addr + 1);

    return n > 0 ? t->rows[n - 1].rule : UNWIND_RULE_NONE;
}

struct emit {
    struct reader *reader;
    uint32_t addr;
};

static void emit_row(void *arg, uint64_t offset, const struct unwind_rule *rule)
{
    const struct emit *emit = arg;

    eh_table_add(&emit->reader->table, emit->reader->max_rows, emit->addr + (uint32_t)offset,
                 unwind_rules_number(emit->reader->rules, rule));
}

static void emit_functions(struct reader *r)
{
    for (size_t i = 0; i < r->n_functions && !r->table.is_full; i++) {
        const struct function *f = &r->functions[i];
        const struct function *next = i + 1 < r->n_functions ? f + 1 : NULL;
        const struct cie *cie = &r->cies[f->cie];
        const uint8_t *program = r->sections[cie->section].data + f->program;
        struct dwarf_cursor c = { program, program + f->program_size, false };
        struct emit emit = { r, f->addr };
        uint32_t size = f->size;

        if (i > 0 && r->functions[i - 1].addr == f->addr)
            continue;
        while (next && next->addr == f->addr)
            next = ++next < r->functions + r->n_functions ? next : NULL;
        if (next && next->addr - f->addr < size)
            size = next->addr - f->addr;
        if (!cfi_run(c, &cie->context, size, emit_row, &emit))
            r->table.n_broken++;
        eh_table_add(&r->table, r->max_rows, f->addr + size, UNWIND_RULE_NONE);
        r->table.n_functions++;
    }
}

void eh_frame_read(const struct eh_section *sections, size_t n_sections, struct eh_range range,
                   size_t max_rows, struct unwind_rules *rules, struct eh_table *ret_table)
{
    struct reader r = {
        .sections = sections,
        .range = range,
        .is_sorted = true,
        .max_rows = max_rows,
        .rules = rules,
    };

    if (range.end > range.start && range.end - range.start > UINT32_MAX)
        r.range.end = range.start + UINT32_MAX;
    for (uint32_t i = 0; i < n_sections && i < EH_FRAME_SECTIONS_MAX; i++)
        read_section(&r, i);
    if (!r.is_sorted)
        qsort(r.functions, r.n_functions, sizeof(*r.functions), compare_functions);
    emit_functions(&r);
    free(r.functions);
    free(r.cies);
    *ret_table = r.table;
}

void eh_table_release(struct eh_table *table)
{
    free(table->rows);
    *table = (struct eh_table){ 0 };
}

bool eh_frame_header(const struct eh_section *header, uint64_t *ret_vaddr)
{
    struct dwarf_cursor c = { header->data, header->data + header->size, false };
    uint8_t version = dwarf_u8(&c), encoding = dwarf_u8(&c);
    uint64_t vaddr;

    (void)dwarf_u8(&c); /* of the count, and of the table, which are not needed */
    (void)dwarf_u8(&c);
    if (version != 1 || encoding == PE_OMIT)
        return false;
    vaddr = take_encoded(header, &c, encoding);
    *ret_vaddr = vaddr;
    return !c.failed;
}
