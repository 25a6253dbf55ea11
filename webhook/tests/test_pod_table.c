/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/pod_table.h"

#include "lib/buf.h"
#include "lib/json.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static int open_text(const char *text, struct pod_table **ret, struct err *e)
{
    char path[] = "/tmp/podflame-pods.XXXXXX";
    int fd = mkstemp(path);
    size_t len = strlen(text);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, len), (ssize_t)len);
    (void)close(fd);
    int code = pod_table_open(path, ret, e);
    (void)unlink(path);
    return code;
}

static void pods_are_found(void **state)
{
    struct pod_table *table = NULL;
    struct err e = { 0 };

    (void)state;
    assert_int_equal(open_text("# namespace pod container...\n\nshop web-0\tapp\n  shop cart-0 app "
                               " sidecar \r\nother web-0 main",
                               &table, &e),
                     0);
    static const struct {
        const char *ns, *name, *pod;
    } cases[] = {
        { "shop", "web-0", "{\"spec\":{\"containers\":[{\"name\":\"app\"}]}}" },
        { "shop", "cart-0",
          "{\"spec\":{\"containers\":[{\"name\":\"app\"},{\"name\":\"sidecar\"}]}}" },
        { "other", "web-0", "{\"spec\":{\"containers\":[{\"name\":\"main\"}]}}" },
        { "other", "cart-0", NULL },
        { "", "", NULL },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        _cleanup_json_ struct json_object *pod = NULL;
        _cleanup_buf_ struct buf text = BUF_INIT(1000);

        assert_int_equal(pod_table_get(table, cases[i].ns, cases[i].name, &pod, &e),
                         cases[i].pod ? 0 : -ENOENT);
        if (!cases[i].pod)
            continue;
        assert_int_equal(json_write(pod, &text), 0);
        assert_string_equal(buf_str(&text), cases[i].pod);
    }
    pod_table_close(table);
}

static void mistakes_are_named(void **state)
{
    struct pod_table *table = NULL;
    struct err e = { 0 };

    (void)state;
    assert_int_equal(open_text("a b c\n\nshop web-0 \n", &table, &e), -EINVAL);
    assert_non_null(strstr(e.msg, "line 3: must be 'namespace pod container ...'"));
    assert_int_equal(open_text("shop\n", &table, &e), -EINVAL);
    assert_int_equal(pod_table_open("/nonexistent/pods", &table, &e), -ENOENT);
    assert_null(table);
    assert_int_equal(open_text("", &table, &e), 0);
    struct json_object *pod = NULL;
    assert_int_equal(pod_table_get(table, "a", "b", &pod, &e), -ENOENT);
    pod_table_close(table);
    pod_table_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pods_are_found),
        cmocka_unit_test(mistakes_are_named),
    };

    return cmocka_run_group_tests_name("pod_table", tests, NULL, NULL);
}
