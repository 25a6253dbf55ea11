/* SPDX-License-Identifier: Apache-2.0 */
/* layouts: who shares what, and when its slots are free for another one. */
#include "agent/layouts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MS 1000000ULL

struct fixture {
    struct images *images;
    struct unwind_tables *tables;
    struct layouts *layouts;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    f->images = images_new();
    f->tables = unwind_tables_new(f->images);
    f->layouts = layouts_new(f->tables);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    layouts_free(f->layouts);
    unwind_tables_free(f->tables);
    images_free(f->images);
    free(f);
    return 0;
}

/* Of a process whose memory lies at @base. */
static struct layout *use(struct fixture *f, uint64_t base, size_t n)
{
    struct code *items = calloc(n, sizeof(*items));

    for (size_t i = 0; i < n; i++) {
        items[i].start = base + i * 0x10000;
        items[i].end = items[i].start + 0x1000;
        items[i].image = IMAGE_NONE;
    }

    struct layout *layout = layouts_use(f->layouts, items, n);

    free(items);
    return layout;
}

/* The version that the kernel would find there. */
static uint32_t version_at(const struct fixture *f, const struct unwind_place *place)
{
    return unwind_tables_view(f->tables, place).mappings[place->first].version;
}

static void equal_ones_are_shared(void **state)
{
    struct fixture *f = *state;
    struct layout *a = use(f, 0x400000, 3), *b = use(f, 0x400000, 3), *c = use(f, 0x500000, 3);

    assert_ptr_equal(a, b);
    assert_ptr_not_equal(a, c);
    assert_int_equal(a->place.n, 3);
    assert_true(a->place.version != 0 && a->place.version != c->place.version);
    assert_int_equal(version_at(f, &a->place), a->place.version);
    layouts_drop(f->layouts, a, 1);
    layouts_sweep(f->layouts, 3600000 * MS);
    assert_int_equal(version_at(f, &b->place), b->place.version); /* one user is left */
}

static void unused_ones_are_taken_back_then_freed(void **state)
{
    struct fixture *f = *state;
    struct layout *a = use(f, 0x400000, 8);
    struct unwind_place place = a->place;

    layouts_drop(f->layouts, a, 1000 * MS);
    layouts_sweep(f->layouts, 2999 * MS);
    assert_int_equal(version_at(f, &place), place.version); /* a forked child may run by it */
    layouts_sweep(f->layouts, 3000 * MS);
    assert_int_equal(version_at(f, &place), 0);
    assert_int_not_equal(use(f, 0x600000, 8)->place.first, place.first); /* a walk may go on */
    layouts_sweep(f->layouts, 3199 * MS);
    assert_int_not_equal(use(f, 0x700000, 8)->place.first, place.first);
    layouts_sweep(f->layouts, 3200 * MS);

    const struct layout *next = use(f, 0x800000, 8);

    assert_int_equal(next->place.first, place.first);
    assert_int_not_equal(next->place.version, place.version);
}

static void one_that_is_used_again_in_time_stays(void **state)
{
    struct fixture *f = *state;
    struct layout *a = use(f, 0x400000, 8);
    struct unwind_place place = a->place;

    layouts_drop(f->layouts, a, 1000 * MS);
    layouts_sweep(f->layouts, 2000 * MS);
    assert_ptr_equal(use(f, 0x400000, 8), a);
    layouts_sweep(f->layouts, 9000 * MS);
    assert_int_equal(version_at(f, &place), place.version);
}

/* A container that starts 100 programs a second, each at addresses of its own, for ten minutes. */
static void many_that_come_and_go_never_fill_the_tables(void **state)
{
    struct fixture *f = *state;

    for (uint64_t i = 0; i < 60000; i++) {
        uint64_t now = i * 10 * MS;
        struct layout *layout = use(f, 0x400000 + i * 0x1000000, 40);

        assert_int_equal(layout->place.n, 40);
        layouts_drop(f->layouts, layout, now);
        layouts_sweep(f->layouts, now);
    }
    assert_int_equal(layouts_left_out(f->layouts), 0);
}

static void too_many_are_left_out_and_counted(void **state)
{
    struct fixture *f = *state;
    uint32_t n_placed = 0, n_known = 0, n = 0;

    for (; n < 100; n++) {
        const struct layout *layout = use(f, 0x400000 + n * 0x100000000ULL, CODE_MAX / 2);

        n_known += layout != NULL;
        n_placed += layout && layout->place.n > 0;
    }
    assert_int_equal(n_placed, UNWIND_MAPPINGS_MAX / (CODE_MAX / 2));
    assert_int_equal(n_known, LAYOUTS_CODE_MAX / (CODE_MAX / 2));
    assert_int_equal(layouts_left_out(f->layouts), n - n_placed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(equal_ones_are_shared, set_up, tear_down),
        cmocka_unit_test_setup_teardown(unused_ones_are_taken_back_then_freed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_that_is_used_again_in_time_stays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_that_come_and_go_never_fill_the_tables, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(too_many_are_left_out_and_counted, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
