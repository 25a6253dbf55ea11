/* SPDX-License-Identifier: Apache-2.0 */
/* elf_find: names at every place that a string table may have them in. */
#include "agent/symbols/elf_find.h"

#include "lib/cleanup.h"

#include <elf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

enum { VADDR = 0x1000, PIECE = 64 * 1024 };

static const struct {
    const char *what;
    const char *before; /* the longer name that it is the tail of */
    uint32_t at;        /* where it begins in the table */
    bool found;
} cases[] = {
    { "the first name", "", 1, true },
    { "the tail of another", "not_", 100, true },
    { "the name of a function that is imported alone", "", 0, false },
    { "over the end of a piece", "", PIECE - 4, true },
    { "its NUL is the first of a piece", "", PIECE - 6, true },
    { "its NUL is the last of a piece", "", PIECE - 7, true },
    { "over the end of the second piece", "", 2 * PIECE - 128 - 3, true },
    { "at the end of what is looked through", "", ELF_FIND_BYTES_MAX - 7, true },
    { "just beyond it", "", ELF_FIND_BYTES_MAX - 6, false },
};

static bool finds(const char *before, uint32_t at)
{
    static const char name[] = "wanted";
    const Elf64_Sym symbols[] = {
        { 0 },
        { .st_name = 0x7fff, .st_shndx = 1, .st_value = 1 },
        { .st_name = at ? at : 20,
          .st_shndx = at ? 1 : SHN_UNDEF,
          .st_value = VADDR,
          .st_size = 4 },
    };
    struct elf_image image = { .is_64_bit = true, .n_tables = 1 };
    struct elf_wanted wanted[] = { { .name = "never" }, { .name = name } };
    uint32_t from = (at ? at : 20) - (uint32_t)strlen(before);
    _cleanup_close_ int fd = memfd_create("elf", MFD_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, symbols, sizeof(symbols)), sizeof(symbols));
    image.tables[0] = (struct elf_symbol_table){ .n_symbols = 3,
                                                 .names_off = 4096,
                                                 .names_size = from + strlen(before) + 7 };
    assert_int_equal(pwrite(fd, before, strlen(before), 4096 + from), strlen(before));
    assert_int_equal(pwrite(fd, name, sizeof(name), 4096 + from + strlen(before)), sizeof(name));

    size_t n = elf_find(fd, &image, wanted, 2);

    assert_int_equal(n, wanted[1].found);
    assert_false(wanted[0].found);
    assert_true(!wanted[1].found || (wanted[1].vaddr == VADDR && wanted[1].size == 4));
    return n == 1;
}

static void finds_a_name_wherever_it_lies(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (finds(cases[i].before, cases[i].at) != cases[i].found)
            fail_msg("%s", cases[i].what);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_a_name_wherever_it_lies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
