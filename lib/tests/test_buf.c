/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/buf.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void starts_empty_and_reads_as_text(void **state)
{
    struct buf b = BUF_INIT(10);

    (void)state;
    assert_string_equal(buf_str(&b), "");
    assert_int_equal(buf_add(&b, "", 0), 0);
    assert_string_equal(b.data, "");
    assert_int_equal(buf_add_str(&b, "abc"), 0);
    assert_int_equal(buf_printf(&b, "%d", 42), 0);
    assert_string_equal(buf_str(&b), "abc42");
    assert_int_equal(b.len, 5);
    buf_clear(&b);
    assert_string_equal(buf_str(&b), "");
    buf_release(&b);
    buf_release(&b);
    assert_int_equal(b.max, 10);
}

static void the_cap_holds_and_the_overflow_stays(void **state)
{
    struct buf b = BUF_INIT(5);

    (void)state;
    assert_int_equal(buf_add_str(&b, "12345"), 0);
    assert_false(buf_overflowed(&b));
    assert_int_equal(buf_add(&b, "", 0), 0);
    assert_int_equal(buf_add_str(&b, "6"), -ENOSPC);
    assert_true(buf_overflowed(&b));
    assert_string_equal(buf_str(&b), "12345");
    buf_consume(&b, 5);
    assert_int_equal(buf_add_str(&b, "6"), -ENOSPC);
    buf_clear(&b);
    assert_int_equal(buf_printf(&b, "%s", "123456"), -ENOSPC);
    assert_int_equal(b.len, 0);
    buf_clear(&b);
    assert_null(buf_reserve(&b, SIZE_MAX));
    buf_clear(&b);
    assert_int_equal(buf_add_str(&b, "12"), 0);
    assert_null(buf_reserve(&b, 4));
    buf_release(&b);
}

static void bytes_are_kept_and_consumed(void **state)
{
    struct buf b = BUF_INIT(1000);

    (void)state;
    assert_int_equal(buf_add(&b, "a\0b", 3), 0);
    assert_memory_equal(b.data, "a\0b", 4);
    buf_consume(&b, 0);
    buf_consume(&b, 2);
    assert_string_equal(buf_str(&b), "b");
    for (int i = 0; i < 999; i++)
        assert_int_equal(buf_add_str(&b, "x"), 0);
    assert_int_equal(b.len, 1000);
    assert_int_equal(b.data[1000], '\0');
    buf_release(&b);
}

static void reserve_gives_room_and_take_moves_out(void **state)
{
    struct buf b = BUF_INIT(1000);
    size_t len = 7;
    char *room = buf_reserve(&b, 600);

    (void)state;
    assert_non_null(room);
    memset(room, 'r', 600);
    b.len += 600;
    char *data = buf_take(&b, &len);
    assert_int_equal(len, 600);
    assert_int_equal(b.len, 0);
    assert_null(b.data);
    free(data);
    data = buf_take(&b, NULL);
    assert_string_equal(data, "");
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(starts_empty_and_reads_as_text),
        cmocka_unit_test(the_cap_holds_and_the_overflow_stays),
        cmocka_unit_test(bytes_are_kept_and_consumed),
        cmocka_unit_test(reserve_gives_room_and_take_moves_out),
    };

    return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
