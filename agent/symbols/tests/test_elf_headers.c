/* SPDX-License-Identifier: Apache-2.0 */
/* elf_headers: files that claim much and hold little, as a sparse file can, and what reading them
 * costs each reader of ELF files. */
#include "agent/symbols/elf_headers.h"

#include "agent/symbols/elf_find.h"
#include "agent/symbols/elf_image.h"
#include "agent/unwind/unwind_image.h"
#include "lib/cleanup.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

#define MIB (UINT64_C(1) << 20)
#define TIB (MIB << 20)

enum { TEXT = 1, SYMTAB, STRTAB, SHSTRTAB, FRAME, BSS, SECTIONS };
static const char names[] = "\0.text\0.symtab\0.strtab\0.shstrtab\0.eh_frame\0.debug_frame\0.bss";

/* What lies where the tables of some files do; the rest of a file is a hole. */
struct hollow {
    Elf64_Ehdr header;
    Elf64_Phdr segment;
    Elf64_Shdr sections[SECTIONS];
    char names[128];
    Elf64_Chdr compression; /* what is compressed follows */
};

static uint32_t name_of(const char *name)
{
    return (uint32_t)((char *)memmem(names, sizeof(names), name, strlen(name) + 1) - names);
}

static Elf64_Shdr section(const char *name, uint32_t type, uint64_t off, uint64_t size)
{
    return (Elf64_Shdr){ .sh_name = name_of(name),
                         .sh_type = type,
                         .sh_offset = off,
                         .sh_size = size,
                         .sh_link = type == SHT_SYMTAB ? STRTAB : 0 };
}

static struct hollow make_hollow(void)
{
    const uint64_t at = offsetof(struct hollow, names), rest = sizeof(struct hollow);
    struct hollow h = {
        .header = { .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
                                 EV_CURRENT },
                    .e_type = ET_DYN,
                    .e_machine = EM_X86_64,
                    .e_version = EV_CURRENT,
                    .e_phoff = offsetof(struct hollow, segment),
                    .e_shoff = offsetof(struct hollow, sections),
                    .e_ehsize = sizeof(Elf64_Ehdr),
                    .e_phentsize = sizeof(Elf64_Phdr),
                    .e_phnum = 1,
                    .e_shentsize = sizeof(Elf64_Shdr),
                    .e_shnum = SECTIONS,
                    .e_shstrndx = SHSTRTAB },
        .segment = { .p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_filesz = 4096 },
        .sections = {
            [TEXT] = section(".text", SHT_PROGBITS, 0, 64),
            [SYMTAB] = section(".symtab", SHT_SYMTAB, rest, 48),
            [STRTAB] = section(".strtab", SHT_STRTAB, rest, 64),
            [SHSTRTAB] = section(".shstrtab", SHT_STRTAB, at, sizeof(names)),
            [FRAME] = section(".eh_frame", SHT_PROGBITS, rest, 64),
            [BSS] = section(".bss", SHT_NOBITS, 0, 64 * MIB),
        },
        .compression = { ELFCOMPRESS_ZLIB, 0, 4096, 1 },
    };

    memcpy(h.names, names, sizeof(names));
    return h;
}

static int hollow_file(const struct hollow *h, uint64_t size)
{
    int fd = memfd_create("hollow", MFD_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, h, sizeof(*h)), sizeof(*h));
    assert_int_equal(ftruncate(fd, (off_t)size), 0);
    return fd;
}

static void names_of_any_size(struct hollow *h)
{
    h->sections[SHSTRTAB].sh_size = UINT64_MAX / 2;
}

static void symbols_of_any_size(struct hollow *h)
{
    h->sections[SYMTAB].sh_size = UINT64_MAX / 2;
}

static void strings_of_any_size(struct hollow *h)
{
    h->sections[STRTAB].sh_size = UINT64_MAX / 2;
}

static void frames_of_any_size(struct hollow *h)
{
    h->sections[FRAME].sh_size = UINT64_MAX / 2;
}

static void compressed_of_any_size(struct hollow *h)
{
    h->sections[FRAME] =
        section(".debug_frame", SHT_PROGBITS, offsetof(struct hollow, compression), UINT64_MAX / 2);
    h->sections[FRAME].sh_flags = SHF_COMPRESSED;
}

static void compressed_to_any_size(struct hollow *h)
{
    compressed_of_any_size(h);
    h->sections[FRAME].sh_size = 4096;
    h->compression.ch_size = UINT64_MAX / 2;
}

static void as_many_sections_as_there_can_be(struct hollow *h)
{
    h->header.e_shoff = sizeof(*h);
    h->header.e_shnum = UINT16_MAX;
}

/* The number of sections is then in the first section's header. */
static void more_sections_than_that(struct hollow *h)
{
    h->header.e_shnum = 0;
    h->sections[0].sh_size = UINT64_MAX / 512;
}

static void as_many_segments_as_there_can_be(struct hollow *h)
{
    h->header.e_phoff = sizeof(*h);
    h->header.e_phnum = UINT16_MAX;
}

static const struct {
    const char *what;
    void (*spoil)(struct hollow *h);
} hollows[] = {
    { "names of sections", names_of_any_size },
    { "symbols", symbols_of_any_size },
    { "names of symbols", strings_of_any_size },
    { "frames", frames_of_any_size },
    { "compressed frames", compressed_of_any_size },
    { "frames when they are inflated", compressed_to_any_size },
    { "sections", as_many_sections_as_there_can_be },
    { "more sections", more_sections_than_that },
    { "segments", as_many_segments_as_there_can_be },
};

/* In a child of its own: what every reader of ELF files makes of it. */
static void read_all(int fd)
{
    static struct unwind_rule all[UNWIND_RULES_MAX];
    struct unwind_rules rules;
    struct unwind_image unwound = { 0 };
    struct elf_image image = { 0 };
    struct elf_wanted wanted = { .name = "main" };
    struct err e = { 0 };

    (void)setrlimit(RLIMIT_CPU, &(struct rlimit){ 20, 20 });
    unwind_rules_init(&rules, all);
    if (elf_image_read(fd, &image, &e) == 0)
        (void)elf_find(fd, &image, &wanted, 1);
    if (unwind_image_read(fd, &rules, &unwound, &e) == 0)
        unwind_image_release(&unwound);
    _exit(0);
}

/* 64 MiB of frames are read; none of the rest is to be seen beside that. */
static void what_is_claimed_costs_nothing(void **state)
{
    const long memory_max = 192 << 10, cpu_max_s = 5;

    (void)state;
    for (size_t i = 0; i < sizeof(hollows) / sizeof(hollows[0]); i++) {
        struct hollow h = make_hollow();
        struct rusage before, usage;
        int status;

        hollows[i].spoil(&h);
        _cleanup_close_ int fd = hollow_file(&h, TIB);
        assert_int_equal(getrusage(RUSAGE_SELF, &before), 0);

        pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid == 0)
            read_all(fd);
        assert_int_equal(wait4(pid, &status, 0, &usage), pid);
        if (status != 0 || usage.ru_maxrss - before.ru_maxrss > memory_max ||
            usage.ru_utime.tv_sec + usage.ru_stime.tv_sec > cpu_max_s)
            fail_msg("%s: status %x, %ld KiB, %ld s", hollows[i].what, (unsigned)status,
                     usage.ru_maxrss - before.ru_maxrss,
                     usage.ru_utime.tv_sec + usage.ru_stime.tv_sec);
    }
}

/* The functions of a file whose .debug_frame holds these bytes; @plain_size is what its header
 * says. */
static size_t count_functions(const void *bytes, size_t size, bool is_compressed, size_t plain_size)
{
    static struct unwind_rule all[UNWIND_RULES_MAX];
    struct unwind_rules rules;
    struct hollow h = make_hollow();
    struct unwind_image image = { 0 };
    struct err e = { 0 };
    uint64_t off = is_compressed ? offsetof(struct hollow, compression) : sizeof(h);

    h.sections[FRAME] = section(".debug_frame", SHT_PROGBITS, off, sizeof(h) - off + size);
    h.sections[FRAME].sh_flags = is_compressed ? SHF_COMPRESSED : 0;
    h.compression.ch_size = plain_size;
    _cleanup_close_ int fd = hollow_file(&h, MIB);
    assert_int_equal(pwrite(fd, bytes, size, sizeof(h)), size);
    unwind_rules_init(&rules, all);
    assert_int_equal(unwind_image_read(fd, &rules, &image, &e), 0);

    size_t n = image.table.n_functions;

    unwind_image_release(&image);
    return n;
}

/* DWARF 5, 6.4.1: a CIE, and an FDE for 16 bytes at 256. */
static void compressed_frames_are_read(void **state)
{
    static const unsigned char frames[] = {
        16, 0, 0, 0, 255, 255, 255, 255, 1, 0, 1, 0x78, 16, 0x0c, 7, 8, 0x90, 1, 0, 0, /* CIE */
        20, 0, 0, 0, 0,   0,   0,   0,   0, 1, 0, 0,    0,  0,    0, 0, 16,   0, 0, 0,
        0,  0, 0, 0, /* FDE */
    };
    unsigned char packed[256];
    uLongf size = sizeof(packed);

    (void)state;
    assert_int_equal(compress(packed, &size, frames, sizeof(frames)), Z_OK);
    assert_int_equal(count_functions(frames, sizeof(frames), false, 0), 1);
    assert_int_equal(count_functions(packed, size, true, sizeof(frames)), 1);
    assert_int_equal(count_functions(packed, size - 8, true, sizeof(frames)), 0); /* cut off */
    assert_int_equal(count_functions(packed, size, true, sizeof(frames) + 1), 0);
    assert_int_equal(count_functions(packed, size, true, 65 * MIB), 0);
    assert_int_equal(count_functions(frames, sizeof(frames), true, sizeof(frames)), 0);
}

static struct elf_headers read_headers(const struct hollow *h, uint64_t size)
{
    _cleanup_close_ int fd = hollow_file(h, size);
    struct elf_headers headers;
    struct err e = { 0 };

    if (elf_headers_read(fd, &headers, &e) < 0)
        fail_msg("%s", e.msg);
    return headers;
}

static void nothing_reaches_past_the_end(void **state)
{
    struct hollow h = make_hollow();

    (void)state;
    h.segment.p_offset = 100;
    h.sections[STRTAB].sh_size = UINT64_MAX;
    h.sections[FRAME].sh_offset = UINT64_MAX - 8;

    _cleanup_elf_headers_ struct elf_headers headers = read_headers(&h, 4000);

    assert_int_equal(headers.segments[0].p_filesz, 3900);
    assert_int_equal(headers.sections[STRTAB].sh_size, 4000 - sizeof(h));
    assert_int_equal(headers.sections[FRAME].sh_size, 0);
    assert_int_equal(headers.sections[BSS].sh_size, 64 * MIB);
    assert_null(elf_headers_find(&headers, ".eh_frame"));
    assert_null(elf_headers_find(&headers, ".bss"));
    assert_ptr_equal(elf_headers_find(&headers, ".strtab"), &headers.sections[STRTAB]);
}

static void names_end_within_their_bound(void **state)
{
    struct hollow h = make_hollow();

    (void)state;
    h.sections[SHSTRTAB].sh_size = 8 * MIB;
    h.sections[TEXT].sh_name = ELF_HEADERS_NAMES_MAX;

    _cleanup_elf_headers_ struct elf_headers headers = read_headers(&h, 16 * MIB);

    assert_int_equal(headers.names_size, ELF_HEADERS_NAMES_MAX);
    assert_int_equal(headers.names[ELF_HEADERS_NAMES_MAX], 0);
    assert_null(elf_headers_find(&headers, ".text"));
    assert_non_null(elf_headers_find(&headers, ".symtab"));
}

static void headers_of_another_size_are_none(void **state)
{
    struct hollow h = make_hollow();

    (void)state;
    h.header.e_shentsize++;
    h.header.e_phentsize--;

    _cleanup_elf_headers_ struct elf_headers headers = read_headers(&h, 4096);

    assert_int_equal(headers.n_sections + headers.n_segments, 0);
    assert_null(elf_headers_find(&headers, ".text"));
}

/* The numbers of a file for a machine of 32 bits. */
static void narrow_headers_are_widened(void **state)
{
    struct {
        Elf32_Ehdr header;
        Elf32_Phdr segment;
        Elf32_Shdr sections[3];
        char names[16];
    } narrow = {
        .header = { .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS32, ELFDATA2LSB },
                    .e_machine = EM_386,
                    .e_entry = 0x8048000,
                    .e_phoff = offsetof(typeof(narrow), segment),
                    .e_shoff = offsetof(typeof(narrow), sections),
                    .e_phentsize = sizeof(Elf32_Phdr),
                    .e_phnum = 1,
                    .e_shentsize = sizeof(Elf32_Shdr),
                    .e_shnum = 3,
                    .e_shstrndx = 2 },
        .segment = { .p_type = PT_LOAD, .p_vaddr = 0x8048000, .p_filesz = 64, .p_flags = PF_X },
        .sections[1] = { 1, SHT_PROGBITS, SHF_EXECINSTR, 0x8048010, 16, 32, 0, 0, 0, 0 },
        .sections[2] = { 0, SHT_STRTAB, 0, 0, offsetof(typeof(narrow), names), 16, 0, 0, 0, 0 },
        .names = "\0.text",
    };
    _cleanup_elf_headers_ struct elf_headers h = { 0 };
    struct err e = { 0 };

    (void)state;
    _cleanup_close_ int fd = memfd_create("narrow", MFD_CLOEXEC);
    assert_int_equal(write(fd, &narrow, sizeof(narrow)), sizeof(narrow));
    assert_int_equal(elf_headers_read(fd, &h, &e), 0);
    assert_false(h.is_64_bit);
    assert_int_equal(h.machine, EM_386);
    assert_int_equal(h.entry, 0x8048000);
    assert_int_equal(h.segments[0].p_vaddr, 0x8048000);
    assert_int_equal(h.segments[0].p_flags, PF_X);

    const Elf64_Shdr *text = elf_headers_find(&h, ".text");

    assert_ptr_equal(text, &h.sections[1]);
    assert_int_equal(text->sh_addr, 0x8048010);
    assert_int_equal(text->sh_size, 32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_claimed_costs_nothing),
        cmocka_unit_test(compressed_frames_are_read),
        cmocka_unit_test(nothing_reaches_past_the_end),
        cmocka_unit_test(names_end_within_their_bound),
        cmocka_unit_test(headers_of_another_size_are_none),
        cmocka_unit_test(narrow_headers_are_widened),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
