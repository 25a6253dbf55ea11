/* SPDX-License-Identifier: Apache-2.0 */
#include "certs/folder.h"

#include "lib/cleanup.h"
#include "lib/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { NOW = 1800000000, LIFE = 1000, LONG_LIFE = 2000 };

struct world {
    char dir[32];
    struct cert_pair ca, first, second;
    struct certs_folder *folder;
};

static void put(const struct world *w, const char *name, const char *text)
{
    _cleanup_free_ char *path = mem_printf("%s/%s", w->dir, name);
    _cleanup_fclose_ FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
}

static int setup(void **state)
{
    static const char *const names[] = { "a.b.svc", NULL };
    struct world *w = mem_zalloc(sizeof(*w));
    struct err e = { 0 };

    (void)snprintf(w->dir, sizeof(w->dir), "/tmp/test_folder.XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    assert_int_equal(certs_ca_create("ca", NOW, LONG_LIFE, &w->ca, &e), 0);
    assert_int_equal(certs_leaf_sign(&w->ca, names, NOW, LIFE, &w->first, &e), 0);
    assert_int_equal(certs_leaf_sign(&w->ca, names, NOW, LONG_LIFE, &w->second, &e), 0);
    w->folder = certs_folder_new(w->dir);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    _cleanup_free_ char *cert = mem_printf("%s/tls.crt", w->dir);
    _cleanup_free_ char *key = mem_printf("%s/tls.key", w->dir);

    (void)unlink(cert);
    (void)unlink(key);
    (void)rmdir(w->dir);
    certs_folder_free(w->folder);
    cert_pair_release(&w->ca);
    cert_pair_release(&w->first);
    cert_pair_release(&w->second);
    free(w);
    return 0;
}

/* Checks, and that it is @leaf that is served then. */
static void expect(struct world *w, time_t now, int code_sign, bool changed, const char *leaf)
{
    struct err e = { 0 };
    bool is_changed = false;
    int code = certs_folder_check(w->folder, now, &is_changed, &e);

    assert_int_equal(code < 0 ? -1 : 0, code_sign);
    assert_int_equal(is_changed, changed);
    if (leaf)
        assert_string_equal(certs_folder_leaf(w->folder)->cert_pem, leaf);
    else
        assert_null(certs_folder_leaf(w->folder));
}

static void files_are_read_again_when_they_change(void **state)
{
    struct world *w = *state;
    const char *first = w->first.cert_pem, *second = w->second.cert_pem;

    expect(w, NOW, -1, false, NULL);
    put(w, "tls.crt", first);
    expect(w, NOW, -1, false, NULL);
    put(w, "tls.key", w->first.key_pem);
    expect(w, NOW, 0, true, first);
    expect(w, NOW, 0, false, first);
    put(w, "tls.crt", second); /* half of it is replaced */
    expect(w, NOW, -1, false, first);
    put(w, "tls.key", w->second.key_pem);
    expect(w, NOW, 0, true, second);
    put(w, "tls.crt", "garbage");
    expect(w, NOW, -1, false, second);
    put(w, "tls.crt", second);
    expect(w, NOW, 0, false, second);
}

static void an_expired_one_is_told_and_served(void **state)
{
    struct world *w = *state;

    assert_true(certs_folder_is_expired(w->folder, NOW));
    put(w, "tls.crt", w->first.cert_pem);
    put(w, "tls.key", w->first.key_pem);
    expect(w, NOW, 0, true, w->first.cert_pem);
    assert_false(certs_folder_is_expired(w->folder, NOW + LIFE - 1));
    assert_true(certs_folder_is_expired(w->folder, NOW + LIFE));
    expect(w, NOW + LIFE, -1, false, w->first.cert_pem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(files_are_read_again_when_they_change, setup, teardown),
        cmocka_unit_test_setup_teardown(an_expired_one_is_told_and_served, setup, teardown),
    };

    return cmocka_run_group_tests_name("folder", tests, NULL, NULL);
}
