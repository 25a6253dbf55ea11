/* SPDX-License-Identifier: Apache-2.0 */
/* The rules, as the reconciler and the webhook use them, on the table that the API server's schema
 * is judged by as well (e2e/corpus/judge). */
#include "lib/file.h"
#include "lib/json.h"
#include "lib/podflame/rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define TABLE "e2e/corpus/podflames.json"

enum { TABLE_MAX = 1 << 20 };

static struct json_object *make_pod(struct json_object *names)
{
    struct json_object *pod = json_object_new_object();
    struct json_object *containers = json_add_array(json_add_object(pod, "spec"), "containers");

    for (size_t i = 0; i < json_object_array_length(names); i++) {
        struct json_object *container = json_object_new_object();

        json_set(container, "name", json_object_get(json_object_array_get_idx(names, i)));
        (void)json_object_array_add(containers, container);
    }
    return pod;
}

static void judge(struct json_object *entry, struct problems *problems)
{
    struct json_object *spec = json_get(entry, "spec"), *old = json_get(entry, "old");
    struct json_object *names = json_get_array(entry, "containers");

    if (old) {
        rules_check_update(old, spec, problems);
        return;
    }
    rules_check_spec(spec, problems);
    if (names) {
        _cleanup_json_ struct json_object *pod = make_pod(names);
        struct rules_container container;

        (void)rules_check_container(spec, pod, &container, problems);
    }
}

static bool is_in(struct json_object *fields, const char *field)
{
    for (size_t i = 0; i < json_object_array_length(fields); i++)
        if (strcmp(json_object_get_string(json_object_array_get_idx(fields, i)), field) == 0)
            return true;
    return false;
}

static void the_rules_judge_as_the_table_says(void **state)
{
    _cleanup_buf_ struct buf text = BUF_INIT(TABLE_MAX);
    _cleanup_json_ struct json_object *table = NULL;
    struct err e = { 0 };

    (void)state;
    if (file_read(TABLE, &text, &e) < 0 || json_parse(text.data, text.len, 8, &table, &e) < 0)
        fail_msg("%s: %s", TABLE, e.msg);
    assert_true(json_object_array_length(table) > 60);
    for (size_t i = 0; i < json_object_array_length(table); i++) {
        struct json_object *entry = json_object_array_get_idx(table, i);
        struct json_object *fields = json_get_array(entry, "fields");
        _cleanup_problems_ struct problems problems = { 0 };
        _cleanup_buf_ struct buf told = BUF_INIT(64 << 10);

        judge(entry, &problems);
        assert_int_equal(problems_write(&problems, &told), 0);
        if (problems.n != json_object_array_length(fields))
            fail_msg("%s: %s", json_get_str(entry, "name"), buf_str(&told));
        for (size_t k = 0; k < problems.n; k++)
            if (!is_in(fields, problems.item[k].field))
                fail_msg("%s: %s", json_get_str(entry, "name"), buf_str(&told));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(the_rules_judge_as_the_table_says) };

    return cmocka_run_group_tests_name("corpus", tests, NULL, NULL);
}
