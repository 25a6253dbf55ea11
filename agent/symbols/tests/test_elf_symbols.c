/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/symbols/elf_symbols.h"

#include "lib/cleanup.h"
#include "lib/mem.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

static int memory_file(const void *data, size_t len)
{
    int fd = memfd_create("elf", MFD_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, len), len);
    return fd;
}

/* A small image: two code sections, one of data, and a table of symbols that is hard to judge. */
enum { TEXT = 1, PLT, DATA, SYMTAB, STRTAB, SHSTRTAB, SECTIONS };

static const struct {
    const char *name;
    uint64_t value, size;
    unsigned char info;
    uint16_t section;
} symbols[] = {
    { "", 0, 0, 0, 0 },
    { "sized", 0x1000, 0x100, ELF64_ST_INFO(STB_GLOBAL, STT_FUNC), TEXT },
    { "outer", 0x1200, 0x100, ELF64_ST_INFO(STB_GLOBAL, STT_FUNC), TEXT },
    { "inner", 0x1240, 0x10, ELF64_ST_INFO(STB_LOCAL, STT_FUNC), TEXT },
    { "local_alias", 0x1300, 0x40, ELF64_ST_INFO(STB_LOCAL, STT_FUNC), TEXT },
    { "weak_alias", 0x1300, 0x40, ELF64_ST_INFO(STB_WEAK, STT_FUNC), TEXT },
    { "global_alias", 0x1300, 0x40, ELF64_ST_INFO(STB_GLOBAL, STT_FUNC), TEXT },
    { "__hidden", 0x1380, 0x40, ELF64_ST_INFO(STB_GLOBAL, STT_FUNC), TEXT },
    { "known", 0x1380, 0x40, ELF64_ST_INFO(STB_WEAK, STT_FUNC), TEXT },
    { "_local", 0x1380, 0x40, ELF64_ST_INFO(STB_LOCAL, STT_FUNC), TEXT },
    { "bare", 0x1400, 0, ELF64_ST_INFO(STB_GLOBAL, STT_FUNC), TEXT },
    { "after_bare", 0x1440, 0x10, ELF64_ST_INFO(STB_GLOBAL, STT_FUNC), TEXT },
    { "around", 0x1800, 0x100, ELF64_ST_INFO(STB_GLOBAL, STT_FUNC), TEXT },
    { "entry_within", 0x1840, 0, ELF64_ST_INFO(STB_LOCAL, STT_FUNC), TEXT },
    { "label_within", 0x1880, 0, ELF64_ST_INFO(STB_GLOBAL, STT_NOTYPE), TEXT },
    { "last_bare", 0x1f00, 0, ELF64_ST_INFO(STB_GLOBAL, STT_NOTYPE), TEXT },
    { "a_variable", 0x1500, 0x100, ELF64_ST_INFO(STB_GLOBAL, STT_OBJECT), DATA },
    { "data_label", 0x1600, 0, ELF64_ST_INFO(STB_GLOBAL, STT_NOTYPE), DATA },
    { "imported", 0x1700, 0x100, ELF64_ST_INFO(STB_GLOBAL, STT_FUNC), SHN_UNDEF },
};
enum { SYMBOLS = sizeof(symbols) / sizeof(symbols[0]) };

struct small {
    Elf64_Ehdr header;
    Elf64_Phdr segments[2];
    Elf64_Shdr sections[SECTIONS];
    Elf64_Sym table[SYMBOLS];
    char names[1024];
    char section_names[64];
};

static void make_small(struct small *s)
{
    size_t used = 1;

    memset(s, 0, sizeof(*s));
    memcpy(s->header.e_ident, ELFMAG, SELFMAG);
    s->header.e_ident[EI_CLASS] = ELFCLASS64;
    s->header.e_ident[EI_DATA] = ELFDATA2LSB;
    s->header.e_ident[EI_VERSION] = EV_CURRENT;
    s->header.e_type = ET_DYN;
    s->header.e_machine = EM_X86_64;
    s->header.e_version = EV_CURRENT;
    s->header.e_ehsize = sizeof(s->header);
    s->header.e_phoff = offsetof(struct small, segments);
    s->header.e_phentsize = sizeof(Elf64_Phdr);
    s->header.e_phnum = 2;
    s->header.e_shoff = offsetof(struct small, sections);
    s->header.e_shentsize = sizeof(Elf64_Shdr);
    s->header.e_shnum = SECTIONS;
    s->header.e_shstrndx = SHSTRTAB;
    s->segments[0] = (Elf64_Phdr){ .p_type = PT_LOAD, .p_filesz = 0x800, .p_memsz = 0x800 };
    s->segments[1] = (Elf64_Phdr){
        .p_type = PT_LOAD, .p_offset = 0x800, .p_vaddr = 0x1800, .p_filesz = 0x100, .p_memsz = 64
    };
    s->sections[TEXT] = (Elf64_Shdr){
        .sh_type = SHT_NOBITS, .sh_flags = SHF_EXECINSTR, .sh_addr = 0x1000, .sh_size = 0x1000
    };
    s->sections[PLT] = (Elf64_Shdr){
        .sh_type = SHT_NOBITS, .sh_flags = SHF_EXECINSTR, .sh_addr = 0x2000, .sh_size = 0x100
    };
    s->sections[DATA] = (Elf64_Shdr){ .sh_type = SHT_NOBITS, .sh_addr = 0x3000, .sh_size = 0x1000 };
    s->sections[SYMTAB] = (Elf64_Shdr){ .sh_type = SHT_SYMTAB,
                                        .sh_offset = offsetof(struct small, table),
                                        .sh_size = sizeof(s->table),
                                        .sh_link = STRTAB,
                                        .sh_entsize = sizeof(Elf64_Sym) };
    s->sections[STRTAB] = (Elf64_Shdr){ .sh_type = SHT_STRTAB,
                                        .sh_offset = offsetof(struct small, names),
                                        .sh_size = sizeof(s->names) };
    s->sections[SHSTRTAB] = (Elf64_Shdr){ .sh_type = SHT_STRTAB,
                                          .sh_name = 1,
                                          .sh_offset = offsetof(struct small, section_names),
                                          .sh_size = sizeof(s->section_names) };
    memcpy(s->section_names + 1, ".shstrtab", 10);
    for (size_t i = 1; i < SYMBOLS; i++) {
        s->table[i] = (Elf64_Sym){ .st_name = (uint32_t)used,
                                   .st_info = symbols[i].info,
                                   .st_shndx = symbols[i].section,
                                   .st_value = symbols[i].value,
                                   .st_size = symbols[i].size };
        memcpy(s->names + used, symbols[i].name, strlen(symbols[i].name) + 1);
        used += strlen(symbols[i].name) + 1;
    }
}

static const struct {
    const char *what;
    uint64_t vaddr;
    const char *name; /* NULL: none */
} cases[] = {
    { "before every symbol", 0xfff, NULL },
    { "first byte", 0x1000, "sized" },
    { "last byte", 0x10ff, "sized" },
    { "one past a size", 0x1100, NULL },
    { "of two that cover, the later start", 0x1248, "inner" },
    { "behind the inner one", 0x1250, "outer" },
    { "global before weak before local", 0x1310, "global_alias" },
    { "fewer underscores before global", 0x1390, "known" },
    { "no size: up to the next", 0x143f, "bare" },
    { "the next has a size", 0x1440, "after_bare" },
    { "the bare one does not reach over it", 0x1460, NULL },
    { "variables name no code", 0x1510, NULL },
    { "nor labels in data", 0x1600, NULL },
    { "nor imports", 0x1710, NULL },
    { "before a function within", 0x1830, "around" },
    { "a function within, without a size", 0x1850, "entry_within" },
    { "a label within is no function", 0x1890, "around" },
    { "an assembly label", 0x1fff, "last_bare" },
    { "which ends with its section", 0x2000, NULL },
    { "the last address", UINT64_MAX, NULL },
};
enum { CASES = sizeof(cases) / sizeof(cases[0]) };

static void names_the_right_symbol(void **state)
{
    struct elf_query queries[CASES] = { 0 };
    struct elf_image image = { 0 };
    struct err e = { 0 };
    struct small small;

    (void)state;
    make_small(&small);
    _cleanup_close_ int fd = memory_file(&small, sizeof(small));
    assert_int_equal(elf_image_read(fd, &image, &e), 0);
    for (size_t i = 0; i < CASES; i++)
        queries[i].vaddr = cases[i].vaddr;
    elf_symbols_find(&(struct elf_file){ fd, &image }, 1, queries, CASES,
                     &(struct name_room){ NAME_ROOM_BYTES, 0 });
    for (size_t i = 0; i < CASES; i++) {
        const char *got = queries[i].name;

        if ((got == NULL) != (cases[i].name == NULL) || (got && strcmp(got, cases[i].name) != 0))
            fail_msg("%s (%llx): '%s'", cases[i].what, (unsigned long long)cases[i].vaddr,
                     got ? got : "(none)");
        free(queries[i].name);
    }
    assert_false(image.has_go);
    elf_image_release(&image);
}

static void a_symbol_without_a_size_ends_early_in_a_stripped_file(void **state)
{
    struct elf_query queries[] = { { 0x1fff, NULL }, { 0x2000, NULL } };
    struct name_room room = { 64, 0 };
    struct elf_image image = { 0 };
    struct err e = { 0 };
    struct small small;

    (void)state;
    make_small(&small);
    small.sections[TEXT].sh_size = 0x4000;
    small.sections[SYMTAB].sh_type = SHT_DYNSYM;
    _cleanup_close_ int fd = memory_file(&small, sizeof(small));
    assert_int_equal(elf_image_read(fd, &image, &e), 0);
    elf_symbols_find(&(struct elf_file){ fd, &image }, 1, queries, 2, &room);
    assert_string_equal(queries[0].name, "last_bare");
    assert_null(queries[1].name);
    name_room_give_back(&room, queries[0].name);
    elf_image_release(&image);
}

static void names_without_room_are_counted(void **state)
{
    struct elf_query queries[] = { { .vaddr = 0x1000 }, { .vaddr = 0x1200 }, { .vaddr = 0x1400 } };
    struct name_room room = { sizeof("sized") + sizeof("bare"), 0 };
    struct elf_image image = { 0 };
    struct err e = { 0 };
    struct small small;

    (void)state;
    make_small(&small);
    _cleanup_close_ int fd = memory_file(&small, sizeof(small));
    assert_int_equal(elf_image_read(fd, &image, &e), 0);
    elf_symbols_find(&(struct elf_file){ fd, &image }, 1, queries, 3, &room);
    assert_string_equal(queries[0].name, "sized");
    assert_null(queries[1].name);
    assert_string_equal(queries[2].name, "bare");
    assert_int_equal(room.n_refused, 1);
    assert_int_equal(room.bytes, 0);
    name_room_give_back(&room, queries[0].name);
    name_room_give_back(&room, queries[2].name);
    assert_int_equal(room.bytes, sizeof("sized") + sizeof("bare"));
    elf_image_release(&image);
}

static void translates_offsets(void **state)
{
    struct elf_image image = { 0 };
    struct err e = { 0 };
    struct small small;
    uint64_t vaddr = 7;

    (void)state;
    make_small(&small);
    _cleanup_close_ int fd = memory_file(&small, sizeof(small));
    assert_int_equal(elf_image_read(fd, &image, &e), 0);
    assert_true(elf_image_vaddr(&image, 0x10, &vaddr));
    assert_int_equal(vaddr, 0x10);
    assert_true(elf_image_vaddr(&image, 0x810, &vaddr));
    assert_int_equal(vaddr, 0x1810);
    assert_false(elf_image_vaddr(&image, 0x900, &vaddr));
    assert_int_equal(vaddr, 0x1810);
    elf_image_release(&image);
}

/* Reads and names whatever it is; the sanitizers judge. */
static void read_anything(const void *data, size_t len)
{
    struct elf_query queries[] = { { 0, NULL }, { 0x1248, NULL }, { UINT64_MAX, NULL } };
    _cleanup_close_ int fd = memory_file(data, len);
    struct elf_image image = { 0 };
    struct err e = { 0 };

    if (elf_image_read(fd, &image, &e) == 0)
        elf_symbols_find(&(struct elf_file){ fd, &image }, 1, queries, 3,
                         &(struct name_room){ NAME_ROOM_BYTES, 0 });
    for (size_t i = 0; i < 3; i++)
        free(queries[i].name);
    elf_image_release(&image);
}

static void survives_broken_files(void **state)
{
    struct small small;
    unsigned seed = 1;

    (void)state;
    make_small(&small);
    for (size_t len = 0; len < sizeof(small); len += 7)
        read_anything(&small, len);
    for (int i = 0; i < 3000; i++) {
        make_small(&small);
        for (int j = 0; j < 4; j++) {
            seed = seed * 1103515245 + 12345;
            ((unsigned char *)&small)[(seed >> 8) % offsetof(struct small, names)] =
                (unsigned char)(seed >> 20);
        }
        read_anything(&small, sizeof(small));
    }
}

static void refuses_what_is_no_elf(void **state)
{
    struct elf_image image = { .n_tables = 9 };
    struct err e = { 0 };

    (void)state;
    _cleanup_close_ int fd = memory_file("#!/bin/sh\nexit 0\n", 17);
    assert_int_equal(elf_image_read(fd, &image, &e), -EINVAL);
    assert_int_equal(image.n_tables, 9);
}

/* The oracles: nm for what there is, addr2line for what to choose. */
struct symbol {
    uint64_t addr, size;
    char name[400];
};

struct symbols {
    struct symbol *all; /* sorted by addr */
    size_t n;
};

static int compare_symbols(const void *a, const void *b)
{
    const struct symbol *x = a, *y = b;

    return x->addr < y->addr ? -1 : x->addr > y->addr;
}

/* Versions are not for people. */
static void cut_version(char *name)
{
    name[1 + strcspn(name + 1, "@")] = '\0';
}

static FILE *run_command(const char *command)
{
    FILE *out = popen(command, "r"); /* NOLINT(cert-env33-c) */

    assert_non_null(out);
    return out;
}

static struct symbols read_nm(const char *path)
{
    enum { MAX = 40000 };
    _cleanup_free_ char *command = mem_printf("nm -S --defined-only '%s'", path);
    struct symbols s = { mem_array(MAX, sizeof(*s.all)), 0 };
    FILE *nm = run_command(command);
    unsigned long long addr, size;
    char line[8192], type, name[400];

    while (s.n < MAX && fgets(line, sizeof(line), nm)) {
        size = 0;
        if (sscanf(line, "%llx %llx %c %399s", &addr, &size, &type, name) != 4 &&
            sscanf(line, "%llx %c %399s", &addr, &type, name) != 3)
            continue;
        if (!strchr("tTwWi", type))
            continue;
        cut_version(name);
        s.all[s.n] = (struct symbol){ .addr = addr, .size = size };
        (void)snprintf(s.all[s.n++].name, sizeof(s.all->name), "%s", name);
    }
    assert_int_equal(pclose(nm), 0);
    qsort(s.all, s.n, sizeof(*s.all), compare_symbols);
    return s;
}

/* The symbol of that name that starts last at or before an address. */
static const struct symbol *find_symbol(const struct symbols *s, const char *name, uint64_t addr)
{
    const struct symbol *found = NULL;

    for (size_t i = 0; i < s->n && s->all[i].addr <= addr; i++) {
        if (strncmp(s->all[i].name, name, sizeof(s->all->name) - 1) == 0)
            found = &s->all[i];
    }
    return found;
}

static FILE *run_addr2line(const char *path, const struct elf_query *queries, size_t n)
{
    char list[] = "/tmp/podflame-addresses-XXXXXX";
    int fd = mkstemp(list);
    FILE *out = fd < 0 ? NULL : fdopen(fd, "w");

    assert_non_null(out);
    for (size_t i = 0; i < n; i++)
        (void)fprintf(out, "%llx\n", (unsigned long long)queries[i].vaddr);
    assert_int_equal(fclose(out), 0);

    _cleanup_free_ char *command = mem_printf("addr2line -f -e '%s' <%s; rm %s", path, list, list);
    return run_command(command);
}

/*
 * We differ in two ways: of aliases another may be chosen; and behind the end of a function that
 * has a size there is no name, where addr2line goes on with it.
 */
static bool is_as_good(const struct symbols *s, const struct elf_query *query, const char *theirs)
{
    const struct symbol *x = find_symbol(s, theirs, query->vaddr);

    if (!x)
        return false;
    if (!query->name)
        return x->size > 0 && query->vaddr - x->addr >= x->size;
    cut_version(query->name);

    const struct symbol *y = find_symbol(s, query->name, query->vaddr);
    return y && y->addr == x->addr;
}

static bool is_code(const struct elf_image *image, uint64_t vaddr)
{
    for (size_t i = 0; i < image->n_code; i++) {
        if (vaddr >= image->code[i].vaddr && vaddr < image->code[i].end)
            return true;
    }
    return false;
}

/* Every start of a function, and what lies between. */
static struct elf_query *spread(const struct symbols *s, const struct elf_image *image,
                                size_t *ret_n)
{
    struct elf_query *queries = mem_array(2 * s->n, sizeof(*queries));
    size_t n = 0;

    for (size_t i = 0; i < s->n; i++) {
        uint64_t addr = s->all[i].addr, next = i + 1 < s->n ? s->all[i + 1].addr : addr;
        uint64_t between = addr + (next - addr) * (i % 8) / 8;

        if (is_code(image, addr))
            queries[n++].vaddr = addr;
        if (is_code(image, between))
            queries[n++].vaddr = between;
    }
    *ret_n = n;
    return queries;
}

static void compare_with_addr2line(const char *path)
{
    struct symbols s = read_nm(path);
    struct elf_image image = { 0 };
    struct err e = { 0 };
    char theirs[8192], where[8192];
    size_t n, same = 0;
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

    assert_int_equal(elf_image_read(fd, &image, &e), 0);
    _cleanup_free_ struct elf_query *queries = spread(&s, &image, &n);
    assert_true(n > 10);
    elf_symbols_find(&(struct elf_file){ fd, &image }, 1, queries, n,
                     &(struct name_room){ NAME_ROOM_BYTES, 0 });

    FILE *out = run_addr2line(path, queries, n);

    for (size_t i = 0; i < n; i++) {
        assert_non_null(fgets(theirs, sizeof(theirs), out));
        assert_non_null(fgets(where, sizeof(where), out));
        theirs[strcspn(theirs, "\n")] = '\0';
        cut_version(theirs);
        bool is_same = strcmp(queries[i].name ? queries[i].name : "??", theirs) == 0;

        same += is_same;
        if (!is_same && !is_as_good(&s, &queries[i], theirs))
            fail_msg("%s: %llx: '%s', addr2line says '%s'", path,
                     (unsigned long long)queries[i].vaddr,
                     queries[i].name ? queries[i].name : "(none)", theirs);
        free(queries[i].name);
    }
    assert_int_equal(pclose(out), 0);
    assert_true(same > n / 2);
    elf_image_release(&image);
    free(s.all);
}

/* Without debug information, which addr2line would use first. */
static void agrees_with_addr2line(void **state)
{
    static const char *const makers[] = {
        "objcopy --strip-debug /proc/$PPID/exe",
        "gcc -O2 -static agent/tests/known_shares.c -o",
        "g++ -O2 agent/symbols/tests/inlined.cc -o",
        "rustc -O -C link-arg=-Wl,-S agent/symbols/tests/inlined.rs -o",
    };
    char path[] = "/tmp/podflame-symbols-XXXXXX";
    int fd = mkstemp(path);
    size_t made = 0;

    (void)state;
    assert_true(fd >= 0);
    (void)close(fd);
    for (size_t i = 0; i < sizeof(makers) / sizeof(makers[0]); i++) {
        _cleanup_free_ char *command = mem_printf("exec 2>&-; exec %s %s", makers[i], path);

        if (system(command) != 0) /* NOLINT(cert-env33-c) */
            continue;
        compare_with_addr2line(path);
        made++;
    }
    assert_int_equal(unlink(path), 0);
    if (made == 0)
        skip();
}

/* A name and a table that are larger than anything sensible: the time and memory are those of the
 * queries. */
static void bounds_what_is_read(void **state)
{
    enum { NAME = 1 << 20, MORE = 1000000 };
    struct elf_query queries[] = { { 0x1010, NULL }, { 0x1f80, NULL } };
    struct elf_image image = { 0 };
    struct err e = { 0 };
    struct small small;

    (void)state;
    make_small(&small);
    _cleanup_free_ char *name = mem_array(NAME + 1, 1);
    _cleanup_free_ Elf64_Sym *table = mem_array(MORE, sizeof(*table));
    memset(name, 'n', NAME);
    for (size_t i = 0; i < MORE; i++)
        table[i] = (Elf64_Sym){ .st_name = (uint32_t)(i % 100),
                                .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
                                .st_shndx = TEXT,
                                .st_value = 0x1000,
                                .st_size = i % 2 ? 0x1000 : 0 };
    small.sections[STRTAB].sh_offset = sizeof(small);
    small.sections[STRTAB].sh_size = NAME + 1;
    small.sections[SYMTAB].sh_offset = sizeof(small) + NAME + 1;
    small.sections[SYMTAB].sh_size = MORE * sizeof(*table);
    _cleanup_close_ int fd = memory_file(&small, sizeof(small));
    assert_int_equal(write(fd, name, NAME + 1), NAME + 1);
    assert_int_equal(write(fd, table, MORE * sizeof(*table)), MORE * sizeof(*table));
    assert_int_equal(elf_image_read(fd, &image, &e), 0);
    elf_symbols_find(&(struct elf_file){ fd, &image }, 1, queries, 2,
                     &(struct name_room){ NAME_ROOM_BYTES, 0 });
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(strlen(queries[i].name), ELF_SYMBOL_NAME_MAX);
        free(queries[i].name);
    }
    elf_image_release(&image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_the_right_symbol),
        cmocka_unit_test(a_symbol_without_a_size_ends_early_in_a_stripped_file),
        cmocka_unit_test(names_without_room_are_counted),
        cmocka_unit_test(translates_offsets),
        cmocka_unit_test(survives_broken_files),
        cmocka_unit_test(refuses_what_is_no_elf),
        cmocka_unit_test(agrees_with_addr2line),
        cmocka_unit_test(bounds_what_is_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
