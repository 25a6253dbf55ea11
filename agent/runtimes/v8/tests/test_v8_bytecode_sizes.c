/* SPDX-License-Identifier: Apache-2.0 */
/* v8_bytecode_sizes: the table by its name, and without one, over a made-up file. */
#include "agent/runtimes/v8/v8_bytecode_sizes.h"

#include "lib/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

enum { N = 208, FILE_SIZE = 400000, CODE_SIZE = 0x1000, PIECE = 1 << 16 };

static const uint8_t begins[V8_SCALES][11] = {
    { 1, 1, 1, 1, 1, 2, 3, 4, 5, 5, 6 },
    { 1, 1, 1, 1, 1, 3, 5, 7, 9, 7, 9 },
    { 1, 1, 1, 1, 1, 5, 9, 13, 17, 11, 15 },
};

static uint8_t bytes[FILE_SIZE];

static void put(size_t at, size_t n)
{
    for (size_t i = 0; i < V8_SCALES; i++) {
        memset(bytes + at + i * n, (int)(7 + i), n);
        memcpy(bytes + at + i * n, begins[i], sizeof(begins[i]));
    }
}

static const struct {
    const char *name;
    size_t at, n;
    unsigned n_like; /* places in front that begin like it */
    bool is_found;
} cases[] = {
    { "among constants", 5000, N, 0, true },
    { "where a piece ends", CODE_SIZE + PIECE - 1, N, 0, true },
    { "across two pieces", CODE_SIZE + PIECE - 5, N, 0, true },
    { "where the next one begins", CODE_SIZE + PIECE, N, 0, true },
    { "behind what begins like it", 300000, N, 63, true },
    { "behind too much of that", 300000, N, 64, false },
    { "as large as it may be", 5000, V8_BYTECODES_MAX, 0, true },
    { "larger", 5000, V8_BYTECODES_MAX + 1, 0, false },
    { "within code", 100, N, 0, false },
};

static void finds_it_among_constants(void **state)
{
    struct elf_section code = { .vaddr = 0x1000, .end = 0x1800 };
    struct elf_image elf = { .segments = { { 0, 0x1000, CODE_SIZE },
                                           { CODE_SIZE, 0x2000, FILE_SIZE - CODE_SIZE } },
                             .n_segments = 2,
                             .code = &code,
                             .n_code = 1 };
    const struct elf_wanted unnamed = { .found = false };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct v8_bytecode_sizes sizes = { .n = 0 };
        _cleanup_close_ int fd = memfd_create("v8", MFD_CLOEXEC);

        memset(bytes, 0, sizeof(bytes));
        for (unsigned j = 0; j < cases[i].n_like; j++)
            memcpy(bytes + CODE_SIZE + (size_t)1000 * j, begins[0], sizeof(begins[0]));
        put(cases[i].at, cases[i].n);
        assert_int_equal(write(fd, bytes, sizeof(bytes)), sizeof(bytes));
        v8_bytecode_sizes_read(fd, &elf, &unnamed, &sizes);
        if (sizes.n != (cases[i].is_found ? cases[i].n : 0) ||
            (sizes.n > 0 && (sizes.sizes[2][8] != 17 || sizes.sizes[1][sizes.n - 1] != 8)))
            fail_msg("%s: %zu bytecodes", cases[i].name, sizes.n);
    }
}

static void takes_it_by_its_name(void **state)
{
    struct elf_image elf = { .segments = { { 0, 0x1000, FILE_SIZE } }, .n_segments = 1 };
    const struct elf_wanted named = { .found = true,
                                      .vaddr = 0x1000 + 77,
                                      .size = (uint64_t)V8_SCALES * N };
    struct v8_bytecode_sizes sizes = { .n = 0 };
    _cleanup_close_ int fd = memfd_create("v8", MFD_CLOEXEC);

    (void)state;
    memset(bytes, 0, sizeof(bytes));
    put(77, N);
    assert_int_equal(write(fd, bytes, sizeof(bytes)), sizeof(bytes));
    v8_bytecode_sizes_read(fd, &elf, &named, &sizes);
    assert_int_equal(sizes.n, N);
    assert_memory_equal(sizes.sizes[1], begins[1], sizeof(begins[1]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_it_among_constants),
        cmocka_unit_test(takes_it_by_its_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
