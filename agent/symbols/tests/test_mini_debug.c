/* SPDX-License-Identifier: Apache-2.0 */
/* mini_debug: what liblzma's encoder wrote comes out again, and what nobody would write does not.
 */
#include "agent/symbols/mini_debug.h"

#include "lib/cleanup.h"
#include "lib/mem.h"

#include <errno.h>
#include <lzma.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

enum { SKIPPED = 100 }; /* bytes of the file before the section */

struct packed {
    uint8_t *bytes; /* owned */
    size_t n;
};

static struct packed pack(const uint8_t *plain, size_t size, uint32_t preset)
{
    size_t room = lzma_stream_buffer_bound(size);
    struct packed p = { mem_alloc(room), 0 };

    assert_int_equal(
        lzma_easy_buffer_encode(preset, LZMA_CHECK_CRC64, NULL, plain, size, p.bytes, &p.n, room),
        LZMA_OK);
    return p;
}

/* The result of opening a file whose section is @p, @claimed bytes long. */
static int open_packed(const struct packed *p, size_t claimed, struct err *e)
{
    struct elf_image elf = { .mini_debug_off = SKIPPED, .mini_debug_size = claimed };
    _cleanup_close_ int fd = memfd_create("packed", MFD_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, p->bytes, p->n, SKIPPED), p->n);
    return mini_debug_open(fd, &elf, e);
}

static uint8_t *make_text(size_t n)
{
    uint8_t *text = mem_alloc(n);

    for (size_t i = 0; i < n; i++)
        text[i] = (uint8_t)(i * i >> 7);
    return text;
}

static void unpacks(void **state)
{
    static const uint32_t presets[] = { 0, 6, 9 };
    enum { SIZE = 100000 };
    _cleanup_free_ uint8_t *text = make_text(SIZE);
    uint8_t got[SIZE + 1];

    (void)state;
    for (size_t i = 0; i < sizeof(presets) / sizeof(presets[0]); i++) {
        struct packed p = pack(text, SIZE, presets[i]);
        struct err e = { 0 };
        _cleanup_close_ int fd = open_packed(&p, p.n, &e);

        assert_true(fd >= 0);
        assert_int_equal(pread(fd, got, sizeof(got), 0), SIZE);
        assert_memory_equal(got, text, SIZE);
        free(p.bytes);
    }
}

static void refuses_what_is_cut_or_spoilt(void **state)
{
    enum { SIZE = 3000 };
    _cleanup_free_ uint8_t *text = make_text(SIZE);
    struct packed p = pack(text, SIZE, 6);

    (void)state;
    for (size_t n = 1; n < p.n; n++) {
        struct packed cut = { p.bytes, n };
        struct err e = { 0 };

        assert_int_equal(open_packed(&cut, n, &e), -EBADMSG);
        assert_int_equal(open_packed(&cut, p.n, &e), -EBADMSG);
    }
    for (size_t i = 0; i < p.n; i++) {
        struct err e = { 0 };

        p.bytes[i] ^= 0x10;
        assert_true(open_packed(&p, p.n, &e) < 0);
        p.bytes[i] ^= 0x10;
    }
    free(p.bytes);
}

static void bounds_what_comes_out(void **state)
{
    _cleanup_free_ uint8_t *zeros = mem_array(MINI_DEBUG_MAX + 1, 1);
    struct packed most = pack(zeros, MINI_DEBUG_MAX, 0), more = pack(zeros, MINI_DEBUG_MAX + 1, 0);
    struct err e = { 0 };

    (void)state;
    _cleanup_close_ int fd = open_packed(&most, most.n, &e);
    assert_true(fd >= 0);
    assert_int_equal(open_packed(&more, more.n, &e), -EFBIG);
    assert_string_equal(e.msg, ".gnu_debugdata: it unpacks to more than 32 MiB");
    assert_int_equal(open_packed(&most, (size_t)MINI_DEBUG_PACKED_MAX + 1, &e), -EFBIG);
    free(most.bytes);
    free(more.bytes);
}

/* A stream may claim any dictionary: 1.5 GiB here. */
static void bounds_the_decoder(void **state)
{
    lzma_options_lzma options;
    lzma_filter filters[] = { { LZMA_FILTER_LZMA2, &options }, { LZMA_VLI_UNKNOWN, NULL } };
    uint8_t text[4] = "abc", bytes[256];
    struct packed p = { bytes, 0 };
    struct err e = { 0 };

    (void)state;
    assert_false(lzma_lzma_preset(&options, 0));
    assert_int_equal(lzma_stream_buffer_encode(filters, LZMA_CHECK_NONE, NULL, text, sizeof(text),
                                               bytes, &p.n, sizeof(bytes)),
                     LZMA_OK);
    /* The size of the dictionary is the one property of the filter, in the block header, which ends
     * in a CRC-32. */
    uint8_t *header = bytes + LZMA_STREAM_HEADER_SIZE;
    size_t size = ((size_t)header[0] + 1) * 4;
    uint8_t *filter = memmem(header, size, "\x21\x01", 2);
    uint32_t crc;

    assert_non_null(filter);
    filter[2] = 37;
    crc = lzma_crc32(header, size - 4, 0);
    memcpy(header + size - 4, &crc, sizeof(crc));
    assert_int_equal(open_packed(&p, p.n, &e), -EFBIG);
    assert_string_equal(e.msg, ".gnu_debugdata: its dictionary needs more than 80 MiB");
}

static void says_when_there_is_none(void **state)
{
    const struct elf_image elf = { 0 };
    struct err e = { 0 };

    (void)state;
    assert_int_equal(mini_debug_open(-1, &elf, &e), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unpacks),
        cmocka_unit_test(refuses_what_is_cut_or_spoilt),
        cmocka_unit_test(bounds_what_comes_out),
        cmocka_unit_test(bounds_the_decoder),
        cmocka_unit_test(says_when_there_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
