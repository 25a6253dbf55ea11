/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/symbols/elf_headers.h"

#include "lib/cleanup.h"
#include "lib/mem.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

size_t elf_headers_read_at(int fd, void *to, uint64_t off, size_t size)
{
    size_t len = 0;

    while (len < size && off + len <= INT64_MAX) {
        ssize_t n = pread(fd, (char *)to + len, size - len, (off_t)(off + len));

        if (n <= 0)
            break;
        len += (size_t)n;
    }
    return len;
}

static Elf64_Ehdr widen_header(const Elf32_Ehdr *h)
{
    return (Elf64_Ehdr){ .e_machine = h->e_machine,
                         .e_entry = h->e_entry,
                         .e_phoff = h->e_phoff,
                         .e_phentsize = h->e_phentsize,
                         .e_phnum = h->e_phnum,
                         .e_shoff = h->e_shoff,
                         .e_shentsize = h->e_shentsize,
                         .e_shnum = h->e_shnum,
                         .e_shstrndx = h->e_shstrndx };
}

static Elf64_Phdr widen_segment(const Elf32_Phdr *p)
{
    return (Elf64_Phdr){ .p_type = p->p_type,
                         .p_flags = p->p_flags,
                         .p_offset = p->p_offset,
                         .p_vaddr = p->p_vaddr,
                         .p_filesz = p->p_filesz,
                         .p_memsz = p->p_memsz };
}

static Elf64_Shdr widen_section(const Elf32_Shdr *s)
{
    return (Elf64_Shdr){ .sh_name = s->sh_name,
                         .sh_type = s->sh_type,
                         .sh_flags = s->sh_flags,
                         .sh_addr = s->sh_addr,
                         .sh_offset = s->sh_offset,
                         .sh_size = s->sh_size,
                         .sh_link = s->sh_link,
                         .sh_entsize = s->sh_entsize };
}

static bool read_header(int fd, Elf64_Ehdr *ret_header, bool *ret_is_64_bit)
{
    const unsigned char native =
        __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB;
    union {
        unsigned char ident[EI_NIDENT];
        Elf32_Ehdr narrow;
        Elf64_Ehdr wide;
    } h = { 0 };
    size_t n = elf_headers_read_at(fd, &h, 0, sizeof(h));

    if (n < sizeof(h.narrow) || memcmp(h.ident, ELFMAG, SELFMAG) != 0 || h.ident[EI_DATA] != native)
        return false;
    *ret_is_64_bit = h.ident[EI_CLASS] == ELFCLASS64;
    if (*ret_is_64_bit ? n < sizeof(h.wide) : h.ident[EI_CLASS] != ELFCLASS32)
        return false;
    *ret_header = *ret_is_64_bit ? h.wide : widen_header(&h.narrow);
    return true;
}

/* A part of a file that ends where the file does, at the latest. */
static uint64_t cut(uint64_t off, uint64_t size, uint64_t file_size)
{
    uint64_t room = off < file_size ? file_size - off : 0;

    return size < room ? size : room;
}

/* @n entries of a table in the form of the file, or fewer where it ends. */
static void *read_table(int fd, uint64_t off, size_t entry, size_t size, size_t *n)
{
    void *table = entry == size ? mem_array(*n, size) : NULL;

    *n = table ? elf_headers_read_at(fd, table, off, *n * size) / size : 0;
    return table;
}

static void read_segments(int fd, const Elf64_Ehdr *header, uint64_t file_size,
                          struct elf_headers *h)
{
    size_t size = h->is_64_bit ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
    size_t n =
        header->e_phnum < ELF_HEADERS_SEGMENTS_MAX ? header->e_phnum : ELF_HEADERS_SEGMENTS_MAX;
    _cleanup_free_ void *table = read_table(fd, header->e_phoff, header->e_phentsize, size, &n);

    h->segments = mem_array(n, sizeof(*h->segments));
    h->n_segments = n;
    for (size_t i = 0; i < n; i++) {
        Elf64_Phdr *p = &h->segments[i];

        *p = h->is_64_bit ? ((Elf64_Phdr *)table)[i] : widen_segment(&((Elf32_Phdr *)table)[i]);
        p->p_filesz = cut(p->p_offset, p->p_filesz, file_size);
    }
}

static void read_sections(int fd, const Elf64_Ehdr *header, uint64_t file_size,
                          struct elf_headers *h)
{
    size_t size = h->is_64_bit ? sizeof(Elf64_Shdr) : sizeof(Elf32_Shdr), n = header->e_shnum;
    _cleanup_free_ void *table = read_table(fd, header->e_shoff, header->e_shentsize, size, &n);

    h->sections = mem_array(n, sizeof(*h->sections));
    h->n_sections = n;
    for (size_t i = 0; i < n; i++) {
        Elf64_Shdr *s = &h->sections[i];

        *s = h->is_64_bit ? ((Elf64_Shdr *)table)[i] : widen_section(&((Elf32_Shdr *)table)[i]);
        if (s->sh_type != SHT_NOBITS)
            s->sh_size = cut(s->sh_offset, s->sh_size, file_size);
    }
}

static void read_names(int fd, size_t index, struct elf_headers *h)
{
    if (index >= h->n_sections || h->sections[index].sh_type != SHT_STRTAB)
        return;

    const Elf64_Shdr *s = &h->sections[index];
    size_t size = s->sh_size < ELF_HEADERS_NAMES_MAX ? s->sh_size : ELF_HEADERS_NAMES_MAX;

    h->names = mem_alloc(size + 1);
    h->names_size = elf_headers_read_at(fd, h->names, s->sh_offset, size);
    h->names[h->names_size] = '\0';
}

int elf_headers_read(int fd, struct elf_headers *ret_headers, struct err *e)
{
    struct elf_headers h = { 0 };
    Elf64_Ehdr header;
    struct stat st;

    if (fstat(fd, &st) < 0 || !read_header(fd, &header, &h.is_64_bit))
        return err_set(e, -EINVAL, "not an ELF file of this machine's byte order");
    h.machine = header.e_machine;
    h.entry = header.e_entry;
    read_segments(fd, &header, (uint64_t)st.st_size, &h);
    read_sections(fd, &header, (uint64_t)st.st_size, &h);
    read_names(fd, header.e_shstrndx, &h);
    *ret_headers = h;
    return 0;
}

void elf_headers_release(struct elf_headers *h)
{
    free(h->segments);
    free(h->sections);
    free(h->names);
    *h = (struct elf_headers){ 0 };
}

const Elf64_Shdr *elf_headers_find(const struct elf_headers *h, const char *name)
{
    for (size_t i = 1; i < h->n_sections; i++) {
        const Elf64_Shdr *s = &h->sections[i];

        if (s->sh_name < h->names_size && s->sh_type != SHT_NOBITS && s->sh_size > 0 &&
            strcmp(h->names + s->sh_name, name) == 0)
            return s;
    }
    return NULL;
}
