/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/unwind/code_rows.h"

#include "agent/symbols/elf_headers.h"
#include "agent/unwind/code_frames.h"
#include "agent/unwind/x86_insn.h"
#include "lib/cleanup.h"
#include "lib/mem.h"

#include <stdlib.h>
#include <string.h>

enum {
    WORD = 8,
    GAP_MIN = 64,       /* less is what linkers put between functions */
    CODE_MAX = 4 << 20, /* is followed */
    GAPS_MIN = 1024,    /* of all together: each program has some code of its C library's start */
    FUNCTIONS_MAX = 1 << 18,
    ROWS_MAX = 1 << 18,         /* that there are already: for a moment, all are in memory twice */
    TABLES_SIZE_MAX = 32 << 20, /* of symbols and relocations that are read */
    SECTIONS_MAX = 16,
    PIECE = 4096, /* entries of a table that are read at once */
};

struct fill {
    int fd;
    size_t max_rows;
    struct unwind_rules *rules;
    const struct unwind_image *image;
    struct code_function *functions; /* owned; sorted; they count from the start of the range */
    size_t n_functions, next;        /* the first that no gap was behind so far */
    struct code_function sections[SECTIONS_MAX]; /* of code */
    size_t n_sections;
    size_t code_left;
    struct eh_table table;
};

typedef void gap_fn(void *arg, uint32_t from, uint32_t to);
typedef void row_fn(void *arg, uint32_t addr, uint32_t rule);

/* What has no rows, and the rows between. */
static void for_each(const struct unwind_image *image, gap_fn on_gap, row_fn on_row, void *arg)
{
    const struct eh_table *t = &image->table;
    struct unwind_row row = { 0, UNWIND_RULE_NONE };

    for (size_t i = 0; i <= t->n_rows; i++) {
        uint32_t end =
            i < t->n_rows ? t->rows[i].addr : (uint32_t)(image->range.end - image->range.start);

        if (row.rule == UNWIND_RULE_NONE && end - row.addr >= GAP_MIN)
            on_gap(arg, row.addr, end);
        else
            on_row(arg, row.addr, row.rule);
        if (i < t->n_rows)
            row = t->rows[i];
    }
}

static void count_gap(void *arg, uint32_t from, uint32_t to)
{
    *(uint64_t *)arg += to - from;
}

static void ignore_row(void *arg, uint32_t addr, uint32_t rule)
{
    (void)arg;
    (void)addr;
    (void)rule;
}

static int compare_functions(const void *a, const void *b)
{
    const struct code_function *x = a, *y = b;

    if (x->start != y->start)
        return x->start < y->start ? -1 : 1;
    return x->size > y->size ? -1 : x->size < y->size;
}

/* In order, and without labels: what data points to within a function. */
static void sort_functions(struct fill *fill)
{
    struct code_function *all = fill->functions;
    size_t n = 0;

    qsort(all, fill->n_functions, sizeof(*all), compare_functions);
    for (size_t i = 0; i < fill->n_functions; i++) {
        if (n == 0 || all[i].size > 0 || all[i].start - all[n - 1].start >= all[n - 1].size)
            all[n++] = all[i];
    }
    fill->n_functions = n;
}

static bool is_code(const struct fill *fill, uint64_t start)
{
    for (size_t i = 0; i < fill->n_sections; i++) {
        if (start - fill->sections[i].start < fill->sections[i].size)
            return true;
    }
    return false;
}

/* Where the function begins, from the start of the range; false: it needs no rows. */
static bool is_wanted(const struct fill *fill, uint64_t vaddr, uint64_t *ret_start)
{
    *ret_start = vaddr - fill->image->range.start;
    return is_code(fill, *ret_start) &&
           eh_table_rule(&fill->image->table, *ret_start) == UNWIND_RULE_NONE;
}

static void add_function(struct fill *fill, uint64_t start, uint64_t size)
{
    size_t n = fill->n_functions;

    if (n == FUNCTIONS_MAX)
        return;
    if ((n & (n - 1)) == 0)
        fill->functions = mem_grow(fill->functions, n ? n * 2 : 1, sizeof(*fill->functions));
    fill->functions[fill->n_functions++] = (struct code_function){ start, size };
}

/* By its name, which @name_at of the file begins: a part of a function that is jumped to is none.
 */
static bool is_entered(const struct fill *fill, uint64_t name_at)
{
    char name[256] = "";

    (void)elf_headers_read_at(fill->fd, name, name_at, sizeof(name) - 1);
    return strncmp(name, "Builtins_", 9) != 0 && !strstr(name, ".cold");
}

static void add_symbols(struct fill *fill, const Elf64_Sym *symbols, size_t n, uint64_t names_off)
{
    uint64_t start;

    for (size_t i = 0; i < n; i++) {
        unsigned type = ELF64_ST_TYPE(symbols[i].st_info);

        if (symbols[i].st_shndx != SHN_UNDEF && (type == STT_FUNC || type == STT_GNU_IFUNC) &&
            is_wanted(fill, symbols[i].st_value, &start) &&
            is_entered(fill, names_off + symbols[i].st_name))
            add_function(fill, start, symbols[i].st_size);
    }
}

/* What data points to. */
static void add_pointers(struct fill *fill, const Elf64_Rela *pointers, size_t n)
{
    uint64_t start;

    for (size_t i = 0; i < n; i++) {
        if (ELF64_R_TYPE(pointers[i].r_info) == R_X86_64_RELATIVE &&
            is_wanted(fill, (uint64_t)pointers[i].r_addend, &start))
            add_function(fill, start, 0);
    }
}

static void read_sections(struct fill *fill, const struct elf_headers *h)
{
    const struct eh_range *range = &fill->image->range;

    for (size_t i = 0; i < h->n_sections && fill->n_sections < SECTIONS_MAX; i++) {
        const Elf64_Shdr *sh = &h->sections[i];

        if (sh->sh_flags & SHF_EXECINSTR && sh->sh_addr >= range->start && sh->sh_addr < range->end)
            fill->sections[fill->n_sections++] =
                (struct code_function){ sh->sh_addr - range->start, sh->sh_size };
    }
}

/* What a table of symbols or of relocations names, in pieces. */
static void read_table(struct fill *fill, const struct elf_headers *h, const Elf64_Shdr *sh)
{
    bool is_symbols = sh->sh_type != SHT_RELA;
    size_t entry = is_symbols ? sizeof(Elf64_Sym) : sizeof(Elf64_Rela), got;
    _cleanup_free_ void *piece = mem_array(PIECE, entry);

    for (uint64_t at = 0; at < sh->sh_size; at += got) {
        uint64_t left = sh->sh_size - at;

        got = elf_headers_read_at(fill->fd, piece, sh->sh_offset + at,
                                  left < PIECE * entry ? (size_t)left : PIECE * entry);
        if (got < entry)
            break;
        if (is_symbols)
            add_symbols(fill, piece, got / entry, h->sections[sh->sh_link].sh_offset);
        else
            add_pointers(fill, piece, got / entry);
    }
}

static void read_functions(struct fill *fill, const struct elf_headers *h)
{
    size_t left = TABLES_SIZE_MAX;

    for (size_t i = 0; i < h->n_sections; i++) {
        const Elf64_Shdr *sh = &h->sections[i];
        bool is_symbols = sh->sh_type == SHT_SYMTAB || sh->sh_type == SHT_DYNSYM;

        if (sh->sh_size > left || (!is_symbols && sh->sh_type != SHT_RELA) ||
            (is_symbols && sh->sh_link >= h->n_sections))
            continue;
        left -= sh->sh_size;
        read_table(fill, h, sh);
    }
    if (fill->n_functions > 0)
        sort_functions(fill);
}

/* The bytes at @addr of the range, at most @size of them; how many. */
static size_t read_code(const struct fill *fill, uint32_t addr, uint8_t *code, size_t size)
{
    uint64_t vaddr = fill->image->range.start + addr;

    for (size_t i = 0; i < fill->image->n_segments; i++) {
        const struct unwind_segment *s = &fill->image->segments[i];

        if (vaddr < s->vaddr || vaddr - s->vaddr >= s->file_size)
            continue;
        if (size > s->file_size - (vaddr - s->vaddr))
            size = s->file_size - (vaddr - s->vaddr);
        return elf_headers_read_at(fill->fd, code, s->off + vaddr - s->vaddr, size);
    }
    return 0;
}

static struct unwind_rule rule_of(struct code_frame frame)
{
    const struct unwind_registers *registers = &unwind_registers[UNWIND_X86_64];

    if (frame.size == 0 && frame.bp == 0)
        return (struct unwind_rule){ .cfa = UNWIND_CFA_NONE };
    return (struct unwind_rule){
        .cfa = UNWIND_CFA_REG,
        .reg = frame.size ? registers->sp : registers->bp,
        .cfa_off = WORD * (int32_t)(frame.size ? frame.size : frame.bp),
        .ra_off = -WORD,
        .bp = frame.saved ? UNWIND_BP_AT_CFA : UNWIND_BP_SAME,
        .bp_off = -WORD * (int32_t)frame.saved,
    };
}

static void add_row(void *arg, uint32_t addr, uint32_t rule)
{
    struct fill *fill = arg;

    eh_table_add(&fill->table, fill->max_rows, addr, rule);
}

/* How long the code is that signal handlers return to; 0: this is other code. musl, restore.s:
 * mov $15, %rax or %eax; syscall. */
static size_t trampoline_len(const uint8_t *code, size_t size)
{
    static const uint8_t wide[] = { 0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05 };
    static const uint8_t narrow[] = { 0xb8, 0x0f, 0, 0, 0, 0x0f, 0x05 };

    if (size >= sizeof(wide) && memcmp(code, wide, sizeof(wide)) == 0)
        return sizeof(wide);
    return size >= sizeof(narrow) && memcmp(code, narrow, sizeof(narrow)) == 0 ? sizeof(narrow) : 0;
}

static void add_rows(struct fill *fill, uint32_t addr, const uint8_t *code, size_t size,
                     const struct code_frame *frames)
{
    static const struct unwind_rule signal = { .cfa = UNWIND_CFA_SIGNAL };
    struct x86_insn insn;

    for (size_t at = 0, len; at < size; at += len) {
        uint32_t number = UNWIND_RULE_NONE;

        len = trampoline_len(code + at, size - at);
        if (len > 0) { /* it is not called: the byte before is looked up */
            add_row(fill, addr + (uint32_t)(at > 0 ? at - 1 : at),
                    unwind_rules_number(fill->rules, &signal));
            continue;
        }
        len = 1;
        if (frames[at].is_seen && x86_insn_decode(code + at, size - at, &insn)) {
            struct unwind_rule rule = rule_of(frames[at]);

            number = unwind_rules_number(fill->rules, &rule);
            len = insn.len;
        }
        add_row(fill, addr + (uint32_t)at, number);
    }
}

/* Those in [from, to), which count from there afterwards; how many. Each call begins where the one
 * before ended. */
static size_t take_functions(struct fill *fill, uint32_t from, uint32_t to,
                             struct code_function **ret_first)
{
    size_t n = 0;

    while (fill->next < fill->n_functions && fill->functions[fill->next].start < from)
        fill->next++;
    *ret_first = fill->functions + fill->next;
    for (; fill->next < fill->n_functions && fill->functions[fill->next].start < to; n++)
        fill->functions[fill->next++].start -= from;
    return n;
}

static void fill_gap(void *arg, uint32_t from, uint32_t to)
{
    struct fill *fill = arg;
    struct code_function *functions;
    size_t n = take_functions(fill, from, to, &functions);
    size_t size = n == 0 ? 0 : to - from < fill->code_left ? to - from : fill->code_left;
    _cleanup_free_ uint8_t *code = mem_alloc(size);
    _cleanup_free_ struct code_frame *frames = mem_array(size, sizeof(*frames));

    size = read_code(fill, from, code, size);
    fill->code_left -= size;
    code_frames_find(code, size, functions, n, frames);
    add_row(fill, from, UNWIND_RULE_NONE);
    add_rows(fill, from, code, size, frames);
    add_row(fill, from + (uint32_t)size, UNWIND_RULE_NONE);
}

void code_rows_add(int fd, const struct elf_headers *headers, size_t max_rows,
                   struct unwind_rules *rules, struct unwind_image *image)
{
    struct fill fill = {
        .fd = fd, .max_rows = max_rows, .rules = rules, .image = image, .code_left = CODE_MAX
    };
    uint64_t gaps = 0;

    if (image->range.end - image->range.start > UINT32_MAX || image->table.n_rows > ROWS_MAX)
        return;
    for_each(image, count_gap, ignore_row, &gaps);
    if (gaps < GAPS_MIN)
        return;
    read_sections(&fill, headers);
    read_functions(&fill, headers);
    if (fill.n_functions > 0) {
        fill.table = image->table;
        fill.table.rows = NULL;
        fill.table.n_rows = 0;
        for_each(image, fill_gap, add_row, &fill);
        free(image->table.rows);
        image->table = fill.table;
    }
    free(fill.functions);
}
