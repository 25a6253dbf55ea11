/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/unwind/unwind_image.h"

#include "agent/unwind/coroutine_rows.h"
#include "agent/unwind/go_rows.h"
#include "lib/cleanup.h"
#include "lib/mem.h"

#include <errno.h>
#include <gelf.h>
#include <string.h>
#include <unistd.h>

static void elf_close(Elf *elf)
{
    (void)elf_end(elf);
}
DEFINE_CLEANUP(Elf *, elf_close)
#define _cleanup_elf_ __attribute__((cleanup(elf_closep)))

enum { PAGE = 4096, SECTIONS_MAX = 65536, HEADER_SIZE = 64, ENTRY_SIZE = 32, PLT_HEADER = 32 };

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

/* As much as there is of [off, off + size). */
static size_t read_at(int fd, unsigned char *to, uint64_t off, size_t size)
{
    size_t len = 0;

    while (len < size) {
        ssize_t n = pread(fd, to + len, size - len, (off_t)(off + len));

        if (n <= 0)
            break;
        len += (size_t)n;
    }
    return len;
}

static void add_bytes(struct input *in, unsigned char *data, size_t size, uint64_t vaddr,
                      bool is_debug_frame)
{
    in->owned[in->n] = data;
    in->sections[in->n++] = (struct eh_section){ data, size, vaddr, is_debug_frame };
}

static void add_part(struct input *in, uint64_t off, uint64_t size, uint64_t vaddr,
                     bool is_debug_frame)
{
    if (in->n == EH_FRAME_SECTIONS_MAX || size == 0 || off > INT64_MAX)
        return;
    if (size > EH_FRAME_SECTION_SIZE_MAX)
        size = EH_FRAME_SECTION_SIZE_MAX;

    unsigned char *data = mem_alloc(size);

    add_bytes(in, data, read_at(in->fd, data, off, size), vaddr, is_debug_frame);
}

/* libelf inflates it; the size is what the section claims, and bounded. */
static void add_compressed(struct input *in, Elf_Scn *section)
{
    GElf_Chdr header;

    if (in->n == EH_FRAME_SECTIONS_MAX || !gelf_getchdr(section, &header) ||
        header.ch_size > EH_FRAME_SECTION_SIZE_MAX || elf_compress(section, 0, 0) < 0)
        return;

    const Elf_Data *data = elf_getdata(section, NULL);

    if (!data || !data->d_buf || data->d_size == 0)
        return;

    unsigned char *copy = mem_alloc(data->d_size);

    memcpy(copy, data->d_buf, data->d_size);
    add_bytes(in, copy, data->d_size, 0, true);
}

/* The first one of that name that has contents. */
static Elf_Scn *find_section(Elf *elf, const char *wanted, GElf_Shdr *ret_header)
{
    size_t n = 0, names = 0;

    if (elf_getshdrnum(elf, &n) < 0 || n > SECTIONS_MAX || elf_getshdrstrndx(elf, &names) < 0)
        return NULL;
    for (size_t i = 1; i < n; i++) {
        Elf_Scn *section = elf_getscn(elf, i);

        if (!section || !gelf_getshdr(section, ret_header) || ret_header->sh_type == SHT_NOBITS)
            continue;

        const char *name = elf_strptr(elf, names, ret_header->sh_name);

        if (name && strcmp(name, wanted) == 0)
            return section;
    }
    return NULL;
}

/* .eh_frame goes first: where both describe a function, what the loader uses is better kept. Of Go
 * code .debug_frame knows less than Go's own table, and may be large. */
static void read_sections(Elf *elf, bool is_go, struct input *in)
{
    static const struct {
        const char *name;
        bool is_debug_frame;
    } wanted[] = { { ".eh_frame", false }, { ".debug_frame", true } };
    GElf_Shdr sh;

    for (size_t w = 0; w < sizeof(wanted) / sizeof(wanted[0]); w++) {
        if (is_go && wanted[w].is_debug_frame)
            continue;

        Elf_Scn *section = find_section(elf, wanted[w].name, &sh);

        if (!section)
            continue;
        if (sh.sh_flags & SHF_COMPRESSED)
            add_compressed(in, section);
        else
            add_part(in, sh.sh_offset, sh.sh_size, sh.sh_addr, wanted[w].is_debug_frame);
    }
}

/* Without sections: PT_GNU_EH_FRAME leads to .eh_frame, which ends by itself. */
static void read_by_header(Elf *elf, size_t n_headers, struct input *in)
{
    unsigned char bytes[HEADER_SIZE];
    struct eh_section header = { .data = bytes };
    uint64_t vaddr = 0;
    GElf_Phdr ph;

    for (size_t i = 0; i < n_headers; i++) {
        if (!gelf_getphdr(elf, (int)i, &ph) || ph.p_type != PT_GNU_EH_FRAME)
            continue;
        header.vaddr = ph.p_vaddr;
        header.size = read_at(in->fd, bytes, ph.p_offset,
                              ph.p_filesz < HEADER_SIZE ? ph.p_filesz : HEADER_SIZE);
    }
    if (!eh_frame_header(&header, &vaddr))
        return;
    for (size_t i = 0; i < n_headers; i++) {
        if (gelf_getphdr(elf, (int)i, &ph) && ph.p_type == PT_LOAD && vaddr >= ph.p_vaddr &&
            vaddr - ph.p_vaddr < ph.p_filesz) {
            uint64_t skip = vaddr - ph.p_vaddr;

            add_part(in, ph.p_offset + skip, ph.p_filesz - skip, vaddr, false);
            return;
        }
    }
}

static void read_segments(Elf *elf, size_t n_headers, struct unwind_image *image)
{
    GElf_Phdr ph;

    for (size_t i = 0; i < n_headers && image->n_segments < UNWIND_IMAGE_SEGMENTS_MAX; i++) {
        uint64_t end;

        if (!gelf_getphdr(elf, (int)i, &ph) || ph.p_type != PT_LOAD || !(ph.p_flags & PF_X) ||
            ph.p_filesz == 0 || __builtin_add_overflow(ph.p_vaddr, ph.p_filesz, &end))
            continue;
        if (image->n_segments == 0 || ph.p_vaddr < image->range.start)
            image->range.start = ph.p_vaddr;
        if (end > image->range.end)
            image->range.end = end;
        image->segments[image->n_segments++] =
            (struct unwind_segment){ ph.p_offset, ph.p_vaddr, ph.p_filesz };
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
static void add_plt(Elf *elf, int fd, struct unwind_rules *rules, struct unwind_image *image)
{
    static const uint32_t push = 0xa9bf7bf0, landing_pad = 0xd503245f;
    struct unwind_rule rule = {
        .cfa = UNWIND_CFA_REG,
        .reg = unwind_registers[UNWIND_ARM64].sp,
        .ra = UNWIND_RA_IN_REG,
        .ra_off = unwind_registers[UNWIND_ARM64].link,
    };
    GElf_Shdr sh;
    uint32_t code[2] = { 0 };

    if (!find_section(elf, ".plt", &sh) || sh.sh_size < PLT_HEADER ||
        read_at(fd, (unsigned char *)code, sh.sh_offset, sizeof(code)) < sizeof(code))
        return;

    uint64_t pushed = sh.sh_addr + (code[0] == landing_pad ? 8 : 4);

    describe(image, rules, sh.sh_addr + PLT_HEADER, sh.sh_size - PLT_HEADER, &rule);
    if (code[0] != push && (code[0] != landing_pad || code[1] != push))
        return;
    describe(image, rules, sh.sh_addr, pushed - sh.sh_addr, &rule);
    rule.cfa_off = 16;
    describe(image, rules, pushed, sh.sh_addr + PLT_HEADER - pushed, &rule);
}

static bool arch_of(const GElf_Ehdr *header, enum unwind_arch *ret_arch)
{
    if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB ||
        (header->e_machine != EM_X86_64 && header->e_machine != EM_AARCH64))
        return false;
    *ret_arch = header->e_machine == EM_AARCH64 ? UNWIND_ARM64 : UNWIND_X86_64;
    return true;
}

int unwind_image_read(int fd, struct unwind_rules *rules, struct unwind_image *ret_image,
                      struct err *e)
{
    _cleanup_input_ struct input in = { .fd = fd };
    struct go_table go = { 0 };
    struct unwind_image image = { 0 };
    size_t n_headers = 0;
    GElf_Ehdr header;

    (void)elf_version(EV_CURRENT);
    _cleanup_elf_ Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
    if (!elf || elf_kind(elf) != ELF_K_ELF || !gelf_getehdr(elf, &header) ||
        !arch_of(&header, &image.range.arch))
        return err_set(e, -EINVAL, "not an ELF file of x86-64 or arm64 code");
    if (elf_getphdrnum(elf, &n_headers) < 0 || n_headers > UINT16_MAX)
        return err_set(e, -EINVAL, "no program headers");
    read_segments(elf, n_headers, &image);
    if (image.n_segments == 0)
        return err_set(e, -EINVAL, "no code");
    image.is_go = go_table_open(fd, &go);
    read_sections(elf, image.is_go, &in);
    if (in.n == 0)
        read_by_header(elf, n_headers, &in);
    eh_frame_read(in.sections, in.n, image.range, UNWIND_ROWS_PER_IMAGE_MAX, rules, &image.table);
    if (image.is_go)
        go_rows_add(&go, image.range, UNWIND_ROWS_PER_IMAGE_MAX, rules, &image.table);
    go_table_release(&go);
    end_at_entry(header.e_entry, rules, &image);
    coroutine_rows_end(elf, image.range, UNWIND_ROWS_PER_IMAGE_MAX, rules, &image.table);
    if (image.range.arch == UNWIND_ARM64)
        add_plt(elf, fd, rules, &image);
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
