/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/unwind/unwind_image.h"

#include "agent/symbols/elf_headers.h"
#include "agent/unwind/code_rows.h"
#include "agent/unwind/coroutine_rows.h"
#include "agent/unwind/go_rows.h"
#include "lib/cleanup.h"
#include "lib/mem.h"

#include <errno.h>
#include <libelf.h>
#include <string.h>

static void elf_close(Elf *elf)
{
    (void)elf_end(elf);
}
DEFINE_CLEANUP(Elf *, elf_close)
#define _cleanup_elf_ __attribute__((cleanup(elf_closep)))

enum { PAGE = 4096, HEADER_SIZE = 64, ENTRY_SIZE = 32, PLT_HEADER = 32 };

/* What is read of a file, owned here while it is parsed. */
struct input {
    int fd;
    struct eh_section sections[EH_FRAME_SECTIONS_MAX];
    unsigned char *owned[EH_FRAME_SECTIONS_MAX];
    size_t n;
};

static void input_release(struct input *in)
{
    for (size_t i = 0; i < in->n; i++)
        free(in->owned[i]);
}
#define _cleanup_input_ __attribute__((cleanup(input_release)))

static void add_bytes(struct input *in, unsigned char *data, size_t size, uint64_t vaddr,
                      bool is_debug_frame)
{
    in->owned[in->n] = data;
    in->sections[in->n++] = (struct eh_section){ data, size, vaddr, is_debug_frame };
}

static void add_part(struct input *in, uint64_t off, uint64_t size, uint64_t vaddr,
                     bool is_debug_frame)
{
    if (in->n == EH_FRAME_SECTIONS_MAX || size == 0)
        return;
    if (size > EH_FRAME_SECTION_SIZE_MAX)
        size = EH_FRAME_SECTION_SIZE_MAX;

    unsigned char *data = mem_alloc(size);

    add_bytes(in, data, elf_headers_read_at(in->fd, data, off, size), vaddr, is_debug_frame);
}

/*
 * libelf inflates it, out of a file in memory that holds nothing else: so it meets no size but
 * those that were checked, and no byte that changes meanwhile.
 */
static void add_compressed(struct input *in, const Elf64_Shdr *section, bool is_debug_frame)
{
    struct {
        Elf64_Ehdr header;
        Elf64_Shdr sections[2];
        Elf64_Chdr compression;
    } front = {
        .header = { .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
                                 EV_CURRENT },
                    .e_version = EV_CURRENT,
                    .e_shoff = offsetof(typeof(front), sections),
                    .e_ehsize = sizeof(Elf64_Ehdr),
                    .e_shentsize = sizeof(Elf64_Shdr),
                    .e_shnum = 2 },
        .sections[1] = { .sh_type = SHT_PROGBITS,
                         .sh_flags = SHF_COMPRESSED,
                         .sh_offset = offsetof(typeof(front), compression),
                         .sh_size = section->sh_size,
                         .sh_addralign = 8 },
    };
    size_t before = offsetof(typeof(front), compression), size = section->sh_size;

    if (in->n == EH_FRAME_SECTIONS_MAX || size < sizeof(front.compression) ||
        size > EH_FRAME_SECTION_SIZE_MAX)
        return;

    _cleanup_free_ unsigned char *file = mem_alloc(before + size);

    memcpy(file, &front, before);
    if (elf_headers_read_at(in->fd, file + before, section->sh_offset, size) < size)
        return;
    memcpy(&front.compression, file + before, sizeof(front.compression));
    if (front.compression.ch_size > EH_FRAME_SECTION_SIZE_MAX)
        return;

    (void)elf_version(EV_CURRENT);
    _cleanup_elf_ Elf *elf = elf_memory((char *)file, before + size);
    Elf_Scn *plain = elf ? elf_getscn(elf, 1) : NULL;
    const Elf_Data *data =
        plain && elf_compress(plain, 0, 0) >= 0 ? elf_getdata(plain, NULL) : NULL;

    if (!data || !data->d_buf || data->d_size == 0)
        return;

    unsigned char *copy = mem_alloc(data->d_size);

    memcpy(copy, data->d_buf, data->d_size);
    add_bytes(in, copy, data->d_size, 0, is_debug_frame);
}

/* .eh_frame goes first: where both describe a function, what the loader uses is better kept. Of Go
 * code .debug_frame knows less than Go's own table, and may be large. */
static void read_sections(const struct elf_headers *h, bool is_go, struct input *in)
{
    static const struct {
        const char *name;
        bool is_debug_frame;
    } wanted[] = { { ".eh_frame", false }, { ".debug_frame", true } };

    for (size_t w = 0; w < sizeof(wanted) / sizeof(wanted[0]); w++) {
        bool is_debug_frame = wanted[w].is_debug_frame;
        const Elf64_Shdr *s = is_go && is_debug_frame ? NULL : elf_headers_find(h, wanted[w].name);

        if (s && s->sh_flags & SHF_COMPRESSED)
            add_compressed(in, s, is_debug_frame);
        else if (s)
            add_part(in, s->sh_offset, s->sh_size, s->sh_addr, is_debug_frame);
    }
}

/* Without sections: PT_GNU_EH_FRAME leads to .eh_frame, which ends by itself. */
static void read_by_header(const struct elf_headers *h, struct input *in)
{
    unsigned char bytes[HEADER_SIZE];
    struct eh_section header = { .data = bytes };
    uint64_t vaddr = 0;

    for (size_t i = 0; i < h->n_segments; i++) {
        const Elf64_Phdr *p = &h->segments[i];

        if (p->p_type != PT_GNU_EH_FRAME)
            continue;
        header.vaddr = p->p_vaddr;
        header.size = elf_headers_read_at(in->fd, bytes, p->p_offset,
                                          p->p_filesz < HEADER_SIZE ? p->p_filesz : HEADER_SIZE);
    }
    if (!eh_frame_header(&header, &vaddr))
        return;
    for (size_t i = 0; i < h->n_segments; i++) {
        const Elf64_Phdr *p = &h->segments[i];

        if (p->p_type == PT_LOAD && vaddr >= p->p_vaddr && vaddr - p->p_vaddr < p->p_filesz) {
            uint64_t skip = vaddr - p->p_vaddr;

            add_part(in, p->p_offset + skip, p->p_filesz - skip, vaddr, false);
            return;
        }
    }
}

static void read_segments(const struct elf_headers *h, struct unwind_image *image)
{
    for (size_t i = 0; i < h->n_segments && image->n_segments < UNWIND_IMAGE_SEGMENTS_MAX; i++) {
        const Elf64_Phdr *p = &h->segments[i];
        uint64_t end;

        if (p->p_type != PT_LOAD || !(p->p_flags & PF_X) || p->p_filesz == 0 ||
            __builtin_add_overflow(p->p_vaddr, p->p_filesz, &end))
            continue;
        if (image->n_segments == 0 || p->p_vaddr < image->range.start)
            image->range.start = p->p_vaddr;
        if (end > image->range.end)
            image->range.end = end;
        image->segments[image->n_segments++] =
            (struct unwind_segment){ p->p_offset, p->p_vaddr, p->p_filesz };
    }
}

/* Gives @len bytes of code from @vaddr on a rule, if nothing is known of their start; they end
 * where something is. */
static void describe(struct unwind_image *image, struct unwind_rules *rules, uint64_t vaddr,
                     uint64_t len, const struct unwind_rule *rule)
{
    struct eh_table *t = &image->table;
    uint64_t size = image->range.end - image->range.start, off = vaddr - image->range.start;
    uint32_t addr = (uint32_t)off;
    size_t at = 0;

    if (size > UINT32_MAX || size < len || off > size - len || len == 0 ||
        t->n_rows + 2 > UNWIND_ROWS_PER_IMAGE_MAX)
        return;
    while (at < t->n_rows && t->rows[at].addr <= addr)
        at++;
    if (at > 0 && t->rows[at - 1].rule != UNWIND_RULE_NONE)
        return;

    size_t first = at > 0 && t->rows[at - 1].addr == addr ? at - 1 : at;
    bool touches_next = at < t->n_rows && t->rows[at].addr <= addr + len;
    size_t n_new = first + (touches_next ? 1 : 2) - at;

    t->rows = mem_grow(t->rows, t->n_rows + n_new, sizeof(*t->rows));
    memmove(t->rows + at + n_new, t->rows + at, (t->n_rows - at) * sizeof(*t->rows));
    t->rows[first] = (struct unwind_row){ addr, unwind_rules_number(rules, rule) };
    if (!touches_next)
        t->rows[first + 1] = (struct unwind_row){ (uint32_t)(addr + len), UNWIND_RULE_NONE };
    t->n_rows += n_new;
}

/* What the kernel starts is called by nobody. libc's code for it does not always say so. */
static void end_at_entry(uint64_t entry, struct unwind_rules *rules, struct unwind_image *image)
{
    const struct unwind_rule end = { .cfa = UNWIND_CFA_END };

    describe(image, rules, entry, ENTRY_SIZE, &end);
}

/*
 * Linkers of arm64 describe no PLT. Its entries leave the stack and the link register alone; before
 * them is the code that calls the dynamic linker, which pushes the two registers x16 and x30 with
 * its first instruction, or with the second one behind a landing pad.
 */
static void add_plt(const struct elf_headers *h, int fd, struct unwind_rules *rules,
                    struct unwind_image *image)
{
    static const uint32_t push = 0xa9bf7bf0, landing_pad = 0xd503245f;
    struct unwind_rule rule = {
        .cfa = UNWIND_CFA_REG,
        .reg = unwind_registers[UNWIND_ARM64].sp,
        .ra = UNWIND_RA_IN_REG,
        .ra_off = unwind_registers[UNWIND_ARM64].link,
    };
    const Elf64_Shdr *plt = elf_headers_find(h, ".plt");
    uint32_t code[2] = { 0 };

    if (!plt || plt->sh_size < PLT_HEADER ||
        elf_headers_read_at(fd, code, plt->sh_offset, sizeof(code)) < sizeof(code))
        return;

    uint64_t pushed = plt->sh_addr + (code[0] == landing_pad ? 8 : 4);

    describe(image, rules, plt->sh_addr + PLT_HEADER, plt->sh_size - PLT_HEADER, &rule);
    if (code[0] != push && (code[0] != landing_pad || code[1] != push))
        return;
    describe(image, rules, plt->sh_addr, pushed - plt->sh_addr, &rule);
    rule.cfa_off = 16;
    describe(image, rules, pushed, plt->sh_addr + PLT_HEADER - pushed, &rule);
}

static bool arch_of(const struct elf_headers *h, enum unwind_arch *ret_arch)
{
    if (!h->is_64_bit || (h->machine != EM_X86_64 && h->machine != EM_AARCH64))
        return false;
    *ret_arch = h->machine == EM_AARCH64 ? UNWIND_ARM64 : UNWIND_X86_64;
    return true;
}

int unwind_image_read(int fd, struct unwind_rules *rules, struct unwind_image *ret_image,
                      struct err *e)
{
    _cleanup_elf_headers_ struct elf_headers h = { 0 };
    _cleanup_input_ struct input in = { .fd = fd };
    struct go_table go = { 0 };
    struct unwind_image image = { 0 };

    if (elf_headers_read(fd, &h, e) < 0)
        return e->code;
    if (!arch_of(&h, &image.range.arch))
        return err_set(e, -EINVAL, "not code of x86-64 or arm64");
    read_segments(&h, &image);
    if (image.n_segments == 0)
        return err_set(e, -EINVAL, "no code");
    image.is_go = go_table_open(fd, &go);
    read_sections(&h, image.is_go, &in);
    if (in.n == 0)
        read_by_header(&h, &in);
    eh_frame_read(in.sections, in.n, image.range, UNWIND_ROWS_PER_IMAGE_MAX, rules, &image.table);
    if (image.is_go)
        go_rows_add(&go, image.range, UNWIND_ROWS_PER_IMAGE_MAX, rules, &image.table);
    go_table_release(&go);
    end_at_entry(h.entry, rules, &image);
    coroutine_rows_end(fd, &h, image.range, UNWIND_ROWS_PER_IMAGE_MAX, rules, &image.table);
    if (image.range.arch == UNWIND_ARM64)
        add_plt(&h, fd, rules, &image);
    else if (!image.is_go)
        code_rows_add(fd, &h, UNWIND_ROWS_PER_IMAGE_MAX, rules, &image);
    *ret_image = image;
    return 0;
}

void unwind_image_release(struct unwind_image *image)
{
    eh_table_release(&image->table);
    *image = (struct unwind_image){ 0 };
}

bool unwind_segments_vaddr(const struct unwind_segment *segments, size_t n, uint64_t off,
                           uint64_t *ret_vaddr)
{
    for (size_t i = 0; i < n; i++) {
        const struct unwind_segment *s = &segments[i];

        if (off >= s->off - s->off % PAGE && off < s->off + s->file_size) {
            *ret_vaddr = s->vaddr + off - s->off;
            return true;
        }
    }
    return false;
}

bool unwind_image_vaddr(const struct unwind_image *image, uint64_t off, uint64_t *ret_vaddr)
{
    return unwind_segments_vaddr(image->segments, image->n_segments, off, ret_vaddr);
}
