/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/unwind/go_locate.h"

#include "agent/symbols/elf_headers.h"

#include <string.h>

enum { HEADER_SIZE = 72, WORD = 8 };

/* Words of moduledata (runtime/symtab.go), by the releases that have them there. */
enum {
    MODULE_HEADER = 0,
    MODULE_NAMES = 1,
    MODULE_N_FUNCTIONS = 17, /* one more than there are */
    MODULE_TEXT = 22,
    MODULE_TEXT_END = 23,
    MODULE_FUNCDATA_1_18 = 38,
    MODULE_FUNCDATA_1_20 = 40, /* the table's end follows from 1.26 on; it moved in 1.27 */
    MODULE_WORDS = 52,
};

struct search {
    struct file_reader *reader;
    struct go_location *location;
    uint64_t bytes_left;
};

/* What the section table tells. */
struct signs {
    bool has_sections, is_go;
    uint64_t table;                        /* vaddr; 0: no section of its own */
    uint64_t relocations, relocations_end; /* in the file */
};

static uint64_t u64_of(const uint8_t *bytes)
{
    uint64_t value;

    memcpy(&value, bytes, sizeof(value));
    return value;
}

/* internal/abi/symtab.go: the magic numbers; then zero twice, the quantum and the pointer's size.
 */
static bool parse_magic(const uint8_t *bytes, struct go_header *header)
{
    static const uint32_t magics[GO_FORMAT_COUNT] = {
        [GO_1_16] = 0xfffffffa, [GO_1_18] = 0xfffffff0, [GO_1_20] = 0xfffffff1
    };
    uint32_t magic = (uint32_t)u64_of(bytes);

    header->quantum = bytes[6];
    if (bytes[4] != 0 || bytes[5] != 0 || bytes[7] != WORD ||
        (header->quantum != 1 && header->quantum != 2 && header->quantum != 4))
        return false;
    for (unsigned i = 0; i < GO_FORMAT_COUNT; i++) {
        header->format = i;
        if (magics[i] == magic)
            return true;
    }
    return false;
}

static bool parse_header(const uint8_t bytes[HEADER_SIZE], uint64_t size, struct go_header *ret)
{
    struct go_header h = { 0 };

    if (!parse_magic(bytes, &h))
        return false;

    const uint8_t *parts = bytes + (h.format == GO_1_16 ? 24 : 32);
    uint64_t entry_size = h.format == GO_1_16 ? 16 : 8;
    uint64_t units = u64_of(parts + 8), files = u64_of(parts + 16);

    h.n_functions = u64_of(bytes + 8);
    h.text = h.format == GO_1_16 ? 0 : u64_of(bytes + 24);
    h.names = u64_of(parts);
    h.pc_values = u64_of(parts + 24);
    h.functions = u64_of(parts + 32);
    if (h.names < 64 || h.names >= units || units > files || files > h.pc_values ||
        h.pc_values >= h.functions || h.functions >= size || h.n_functions == 0 ||
        h.n_functions > GO_FUNCTIONS_MAX || (size - h.functions) / entry_size <= h.n_functions ||
        units - h.names > INT32_MAX || h.functions - h.pc_values > UINT32_MAX)
        return false;
    h.names_size = units - h.names;
    h.pc_values_size = h.functions - h.pc_values;
    *ret = h;
    return true;
}

static const struct go_segment *segment_at(const struct go_location *location, uint64_t vaddr)
{
    for (size_t i = 0; i < location->n_segments; i++) {
        const struct go_segment *s = &location->segments[i];

        if (vaddr >= s->vaddr && vaddr - s->vaddr < s->size)
            return s;
    }
    return NULL;
}

bool go_location_off(const struct go_location *location, uint64_t vaddr, uint64_t *ret_off)
{
    const struct go_segment *s = segment_at(location, vaddr);

    if (!s)
        return false;
    *ret_off = s->off + (vaddr - s->vaddr);
    return true;
}

bool go_location_is_code(const struct go_location *location, uint64_t start, uint64_t end)
{
    const struct go_segment *s = segment_at(location, start);

    return s && s->is_code && end > start && end - s->vaddr <= s->size;
}

static bool has_table(struct search *s, const struct go_segment *segment, uint64_t off)
{
    uint64_t skip = off - segment->off;
    uint8_t bytes[HEADER_SIZE];

    if (!file_reader_read(s->reader, off, bytes, sizeof(bytes)) ||
        !parse_header(bytes, segment->size - skip, &s->location->header))
        return false;
    s->location->off = off;
    s->location->vaddr = segment->vaddr + skip;
    s->location->size = segment->size - skip;
    return true;
}

typedef bool (*word_fn)(struct search *s, const struct go_segment *segment, uint64_t off);

/* Calls @is_it where an aligned word of the segment equals @word under @mask, until it says yes. */
static bool look_through(struct search *s, const struct go_segment *segment, uint64_t word,
                         uint64_t mask, word_fn is_it)
{
    uint64_t off = (segment->off + WORD - 1) / WORD * WORD, end = segment->off + segment->size;

    while (off < end) {
        size_t len = 0;
        const uint8_t *at = file_reader_at(s->reader, off, &len);

        if (!at || len < WORD || s->bytes_left < len)
            return false;
        s->bytes_left -= len;
        for (size_t i = 0; i + WORD <= len && off + i < end; i += WORD) {
            if ((u64_of(at + i) & mask) != word)
                continue;
            if (is_it(s, segment, off + i))
                return true;
            at = file_reader_at(s->reader, off, &len);
            if (!at)
                return false;
        }
        off += len / WORD * WORD;
    }
    return false;
}

/* What all magic numbers have in common, with what follows them; but for the quantum. */
static bool find_table_by_magic(struct search *s)
{
    for (size_t i = 0; i < s->location->n_segments; i++) {
        if (look_through(s, &s->location->segments[i], UINT64_C(0x08000000fffffff0),
                         UINT64_C(0xff00fffffffffff0), has_table))
            return true;
    }
    return false;
}

/* Where functions' data is: behind all tables from 1.26 on, and then the end of it follows. */
static uint64_t find_funcdata(const struct go_location *l, const uint64_t *words)
{
    uint64_t functions = l->vaddr + l->header.functions, end = l->vaddr + l->size;

    if (l->header.format == GO_1_16)
        return 0; /* addresses, not offsets */
    if (l->header.format == GO_1_18)
        return words[MODULE_FUNCDATA_1_18];
    for (size_t i = MODULE_FUNCDATA_1_20; i + 1 < MODULE_WORDS; i++) {
        if (words[i] > functions && words[i] <= words[i + 1] && words[i + 1] <= end)
            return words[i];
    }
    return words[MODULE_FUNCDATA_1_20];
}

static bool take_module(struct go_location *l, const uint64_t *words)
{
    if (words[MODULE_HEADER] != l->vaddr || words[MODULE_NAMES] != l->vaddr + l->header.names ||
        words[MODULE_N_FUNCTIONS] != l->header.n_functions + 1 ||
        !go_location_is_code(l, words[MODULE_TEXT], words[MODULE_TEXT_END]))
        return false;
    l->text = l->header.format == GO_1_16 ? 0 : words[MODULE_TEXT];
    l->funcdata = find_funcdata(l, words);
    return true;
}

static bool has_module(struct search *s, const struct go_segment *segment, uint64_t off)
{
    uint64_t words[MODULE_WORDS];

    (void)segment;
    return file_reader_read(s->reader, off, words, sizeof(words)) &&
           take_module(s->location, words);
}

/* The next relocation that stores an address of the file itself: *@off is behind it. */
static bool next_relative(struct search *s, uint64_t *off, uint64_t end, Elf64_Rela *ret)
{
    while (end - *off >= sizeof(*ret) && s->bytes_left >= sizeof(*ret) &&
           file_reader_read(s->reader, *off, ret, sizeof(*ret))) {
        uint64_t type = ELF64_R_TYPE(ret->r_info);

        *off += sizeof(*ret);
        s->bytes_left -= sizeof(*ret);
        if (type == R_X86_64_RELATIVE || type == R_AARCH64_RELATIVE)
            return true;
    }
    return false;
}

/* moduledata at @vaddr: what is in the file, and over it what the loader stores. */
static bool has_module_at(struct search *s, uint64_t vaddr, uint64_t relocations, uint64_t end)
{
    uint64_t words[MODULE_WORDS], off;
    Elf64_Rela r;

    if (!go_location_off(s->location, vaddr, &off) ||
        !file_reader_read(s->reader, off, words, sizeof(words)))
        return false;
    while (next_relative(s, &relocations, end, &r)) {
        if (r.r_offset >= vaddr && (r.r_offset - vaddr) / WORD < MODULE_WORDS)
            words[(r.r_offset - vaddr) / WORD] = (uint64_t)r.r_addend;
    }
    return take_module(s->location, words);
}

/* In a PIE, some linkers leave all addresses to the loader. */
static bool find_module_by_relocations(struct search *s, uint64_t off, uint64_t end)
{
    uint64_t start = off;
    Elf64_Rela r;

    while (next_relative(s, &off, end, &r)) {
        if ((uint64_t)r.r_addend == s->location->vaddr && has_module_at(s, r.r_offset, start, end))
            return true;
    }
    return false;
}

/* Without it, what is missing is only the functions' data; but from 1.26 on their start, too. */
static bool find_module(struct search *s, const struct signs *signs)
{
    struct go_location *l = s->location;

    for (size_t i = 0; i < l->n_segments; i++) {
        if (l->segments[i].is_writable &&
            look_through(s, &l->segments[i], l->vaddr, UINT64_MAX, has_module))
            return true;
    }
    if (find_module_by_relocations(s, signs->relocations, signs->relocations_end))
        return true;
    l->text = l->header.text;
    l->funcdata = 0;
    return l->header.format == GO_1_16 || l->text != 0;
}

static void read_segments(const struct elf_headers *h, struct go_location *location)
{
    for (size_t i = 0; i < h->n_segments && location->n_segments < GO_SEGMENTS_MAX; i++) {
        const Elf64_Phdr *p = &h->segments[i];
        uint64_t end;

        if (p->p_type != PT_LOAD || p->p_filesz == 0 ||
            __builtin_add_overflow(p->p_vaddr, p->p_filesz, &end))
            continue;
        location->segments[location->n_segments++] =
            (struct go_segment){ p->p_offset, p->p_vaddr, p->p_filesz, p->p_flags & PF_X,
                                 p->p_flags & PF_W };
    }
}

static struct signs read_signs(const struct elf_headers *h)
{
    const Elf64_Shdr *table = elf_headers_find(h, ".gopclntab");
    const Elf64_Shdr *relocations = elf_headers_find(h, ".rela.dyn");
    struct signs signs = { .has_sections = h->n_sections > 1 };

    if (!table)
        table = elf_headers_find(h, ".data.rel.ro.gopclntab");
    if (table)
        signs.table = table->sh_addr;
    if (relocations && relocations->sh_type == SHT_RELA) {
        signs.relocations = relocations->sh_offset;
        signs.relocations_end = relocations->sh_offset + relocations->sh_size;
    }
    signs.is_go = elf_headers_find(h, ".go.buildinfo") || elf_headers_find(h, ".note.go.buildid");
    return signs;
}

static bool find_table(struct search *s, const struct signs *signs)
{
    const struct go_segment *segment = segment_at(s->location, signs->table);

    if (signs->table != 0 && segment &&
        has_table(s, segment, segment->off + (signs->table - segment->vaddr)))
        return true;
    return (signs->is_go || signs->table != 0 || !signs->has_sections) && find_table_by_magic(s);
}

bool go_locate(int fd, struct file_reader *reader, struct go_location *ret_location)
{
    _cleanup_elf_headers_ struct elf_headers h = { 0 };
    struct go_location location = { 0 };
    struct search s = { reader, &location, GO_LOCATE_BYTES_MAX };
    struct err ignored = { 0 };

    if (elf_headers_read(fd, &h, &ignored) < 0 || !h.is_64_bit)
        return false;
    read_segments(&h, &location);

    struct signs signs = read_signs(&h);

    if (!find_table(&s, &signs) || !find_module(&s, &signs))
        return false;
    *ret_location = location;
    return true;
}
