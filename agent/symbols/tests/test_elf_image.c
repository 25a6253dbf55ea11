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
#include <sys/wait.h>
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
    { "bare", 0x1400, 0, ELF64_ST_INFO(STB_GLOBAL, STT_FUNC), TEXT },
    { "after_bare", 0x1440, 0x10, ELF64_ST_INFO(STB_GLOBAL, STT_FUNC), TEXT },
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
    char names[512];
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
    { "no size: up to the next", 0x143f, "bare" },
    { "the next has a size", 0x1440, "after_bare" },
    { "the bare one does not reach over it", 0x1460, NULL },
    { "variables name no code", 0x1510, NULL },
    { "nor labels in data", 0x1600, NULL },
    { "nor imports", 0x1710, NULL },
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
    elf_symbols_find(&(struct elf_file){ fd, &image }, 1, queries, CASES);
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
        elf_symbols_find(&(struct elf_file){ fd, &image }, 1, queries, 3);
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

/* The oracle: nm of this very program. */
struct oracle {
    uint64_t addr, size;
    char name[256];
};

static int compare_oracle(const void *a, const void *b)
{
    const struct oracle *x = a, *y = b;

    return x->addr < y->addr ? -1 : x->addr > y->addr;
}

static FILE *run_nm(const char *path, pid_t *ret_pid)
{
    int ends[2];

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    *ret_pid = fork();
    assert_true(*ret_pid >= 0);
    if (*ret_pid == 0) {
        (void)dup2(ends[1], STDOUT_FILENO);
        (void)execlp("nm", "nm", "-S", "--defined-only", path, (char *)NULL);
        _exit(127);
    }
    (void)close(ends[1]);
    return fdopen(ends[0], "r");
}

static size_t read_oracle(const char *path, struct oracle *all, size_t max)
{
    unsigned long long addr, size;
    char line[1024], type, name[256];
    size_t n = 0;
    pid_t pid;
    FILE *nm = run_nm(path, &pid);
    int status;

    assert_non_null(nm);
    while (n < max && fgets(line, sizeof(line), nm)) {
        if (sscanf(line, "%llx %llx %c %255s", &addr, &size, &type, name) != 4 ||
            !strchr("tTwWi", type) || size == 0)
            continue;
        all[n] = (struct oracle){ .addr = addr, .size = size };
        (void)snprintf(all[n++].name, sizeof(all->name), "%s", name);
    }
    (void)fclose(nm);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return n;
}

static void agrees_with_nm(void **state)
{
    enum { MAX = 20000 };
    _cleanup_free_ struct oracle *all = mem_array(MAX, sizeof(*all));
    _cleanup_free_ struct elf_query *queries = mem_array(MAX, sizeof(*queries));
    struct elf_image image = { 0 };
    struct err e = { 0 };
    char path[64];

    (void)state;
    (void)snprintf(path, sizeof(path), "/proc/%d/exe", getpid());
    size_t n = read_oracle(path, all, MAX);
    if (n == 0)
        skip(); /* no nm, or a stripped test */
    assert_true(n > 20);
    qsort(all, n, sizeof(*all), compare_oracle);
    for (size_t i = 0; i < n; i++)
        queries[i].vaddr = all[i].addr; /* its middle may be inside of another */

    _cleanup_close_ int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    assert_int_equal(elf_image_read(fd, &image, &e), 0);
    elf_symbols_find(&(struct elf_file){ fd, &image }, 1, queries, n);
    for (size_t i = 0; i < n; i++) {
        bool found = false;

        for (size_t j = 0; j < n && !found; j++)
            found = queries[i].name && all[j].addr == all[i].addr &&
                    strncmp(queries[i].name, all[j].name, sizeof(all->name) - 1) == 0;
        if (!found)
            fail_msg("%llx: '%s', nm says '%s'", (unsigned long long)all[i].addr,
                     queries[i].name ? queries[i].name : "(none)", all[i].name);
    }
    for (size_t i = 0; i < n; i++)
        free(queries[i].name);
    elf_image_release(&image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_the_right_symbol), cmocka_unit_test(translates_offsets),
        cmocka_unit_test(survives_broken_files),  cmocka_unit_test(refuses_what_is_no_elf),
        cmocka_unit_test(agrees_with_nm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
