/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/kube/config.h"

#include "lib/cleanup.h"
#include "lib/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define CONFIG(cluster, user)                                                                      \
    "apiVersion: v1\nkind: Config\ncurrent-context: me\n"                                          \
    "contexts:\n- name: me\n  context: {cluster: c, user: u, namespace: ns1}\n"                    \
    "- name: other\n  context: {cluster: c, user: u}\n"                                            \
    "- name: broken\n  context: {cluster: nowhere, user: u}\n"                                     \
    "clusters:\n- name: c\n  cluster: " cluster "\n"                                               \
    "users:\n- name: u\n  user: " user "\n"

static const struct {
    const char *name, *text, *context, *server;
    const char *message; /* of a refusal: part of it */
} cases[] = {
    { "token", CONFIG("{server: 'https://h:6443/'}", "{token: t}"), NULL, "https://h:6443", NULL },
    { "a named context", CONFIG("{server: 'https://h'}", "{}"), "other", "https://h", NULL },
    { "a path is kept", CONFIG("{server: 'https://h/k8s/c/1'}", "{}"), NULL, "https://h/k8s/c/1",
      NULL },
    { "JSON is YAML",
      "{\"current-context\":\"a\",\"contexts\":[{\"name\":\"a\",\"context\":"
      "{\"cluster\":\"b\"}}],\"clusters\":[{\"name\":\"b\",\"cluster\":"
      "{\"server\":\"https://j\"}}]}",
      NULL, "https://j", NULL },
    { "http on loopback", CONFIG("{server: 'http://127.0.0.1:8001'}", "{}"), NULL,
      "http://127.0.0.1:8001", NULL },
    { "http on loopback, v6", CONFIG("{server: 'http://[::1]:8001'}", "{}"), NULL,
      "http://[::1]:8001", NULL },
    { "http elsewhere", CONFIG("{server: 'http://h:8001'}", "{}"), NULL, NULL, "use https" },
    { "http on a name like loopback", CONFIG("{server: 'http://localhost.evil'}", "{}"), NULL, NULL,
      "use https" },
    { "http with a user part", CONFIG("{server: 'http://127.0.0.1:x@evil'}", "{}"), NULL, NULL,
      "not a plain URL" },
    { "another scheme", CONFIG("{server: 'ftp://h'}", "{}"), NULL, NULL, "https://" },
    { "no server", CONFIG("{}", "{}"), NULL, NULL, "no server" },
    { "exec plugin", CONFIG("{server: 'https://h'}", "{exec: {command: aws}}"), NULL, NULL,
      "kubectl create token" },
    { "auth provider", CONFIG("{server: 'https://h'}", "{auth-provider: {name: gcp}}"), NULL, NULL,
      "use 'token'" },
    { "password", CONFIG("{server: 'https://h'}", "{username: a, password: b}"), NULL, NULL,
      "use 'token'" },
    { "a certificate without its key",
      CONFIG("{server: 'https://h'}", "{client-certificate-data: YQ==}"), NULL, NULL,
      "belong together" },
    { "data that is not base64",
      CONFIG("{server: 'https://h', certificate-authority-data: '%%'}", "{}"), NULL, NULL,
      "not base64" },
    { "a CA that is not checked",
      CONFIG("{server: 'https://h', certificate-authority-data: YQ==, "
             "insecure-skip-tls-verify: true}",
             "{}"),
      NULL, NULL, "exclude" },
    { "a file that is not there",
      CONFIG("{server: 'https://h', certificate-authority: nowhere.crt}", "{}"), NULL, NULL,
      "/nonexistent/nowhere.crt" },
    { "an unknown context", CONFIG("{server: 'https://h'}", "{}"), "x", NULL, "no context 'x'" },
    { "an unknown cluster", CONFIG("{server: 'https://h'}", "{}"), "broken", NULL, "'nowhere'" },
    { "no current context", "kind: Config\n", NULL, NULL, "use-context" },
    { "empty", "", NULL, NULL, "empty" },
    { "a list", "- a\n", NULL, NULL, "current-context" },
    { "not YAML", "a: [\n", NULL, NULL, "not YAML" },
    { "an alias that holds itself", "current-context: a\ncontexts: &x\n- *x\n", NULL, NULL,
      "no context" },
};

static void accepts_and_refuses(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        _cleanup_kube_config_ struct kube_config *config = NULL;
        struct err e = { 0 };
        int code = kube_config_parse(cases[i].text, strlen(cases[i].text), "/nonexistent",
                                     cases[i].context, &config, &e);

        if (!cases[i].server) {
            if (code >= 0 || config || !strstr(e.msg, cases[i].message))
                fail_msg("%s: %d '%s', expected '%s'", cases[i].name, code, e.msg,
                         cases[i].message);
        } else if (code < 0 || strcmp(config->server, cases[i].server) != 0) {
            fail_msg("%s: %d %s", cases[i].name, code, e.msg);
        }
    }
}

static void credentials_are_read(void **state)
{
    const char *text = CONFIG("{server: 'https://h', certificate-authority-data: Q0E=, "
                              "tls-server-name: n, proxy-url: 'http://p'}",
                              "{client-certificate-data: Q0VSVA==, client-key-data: S0VZ, "
                              "tokenFile: rel/token}");
    _cleanup_kube_config_ struct kube_config *config = NULL;
    struct err e = { 0 };

    (void)state;
    assert_int_equal(kube_config_parse(text, strlen(text), "/dir", NULL, &config, &e), 0);
    assert_string_equal(config->ns, "ns1");
    assert_string_equal(config->ca_pem, "CA");
    assert_string_equal(config->cert_pem, "CERT");
    assert_string_equal(config->key_pem, "KEY");
    assert_string_equal(config->token_file, "/dir/rel/token");
    assert_string_equal(config->tls_server_name, "n");
    assert_string_equal(config->proxy, "http://p");
}

static void write_file(const char *dir, const char *name, const char *text)
{
    _cleanup_free_ char *path = mem_printf("%s/%s", dir, name);
    FILE *f = fopen(path, "we");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void a_pod_finds_its_server(void **state)
{
    static const struct {
        const char *host, *port, *server;
    } hosts[] = {
        { "10.96.0.1", "443", "https://10.96.0.1:443" },
        { "fd00::1", "6443", "https://[fd00::1]:6443" },
        { "kube.example", "443", "https://kube.example:443" },
        { "evil/x", "443", NULL },
        { "h", "443/x", NULL },
        { "h", "70000", NULL },
        { "", "443", NULL },
    };
    char dir[] = "/tmp/podflame-test-XXXXXX";

    (void)state;
    assert_non_null(mkdtemp(dir));
    write_file(dir, "token", "abc\n");
    write_file(dir, "namespace", "podflame-system\n");
    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        _cleanup_kube_config_ struct kube_config *config = NULL;
        struct err e = { 0 };
        int code = kube_config_in_cluster(hosts[i].host, hosts[i].port, dir, &config, &e);

        if (hosts[i].server) {
            assert_int_equal(code, 0);
            assert_string_equal(config->server, hosts[i].server);
            assert_string_equal(config->ns, "podflame-system");
        } else {
            assert_int_equal(code, -EINVAL);
        }
    }
    for (size_t i = 0; i < 2; i++) {
        _cleanup_free_ char *path = mem_printf("%s/%s", dir, i ? "token" : "namespace");

        assert_int_equal(unlink(path), 0);
    }
    _cleanup_kube_config_ struct kube_config *config = NULL;
    struct err e = { 0 };
    assert_int_equal(kube_config_in_cluster("h", "443", dir, &config, &e), -ENOENT);
    assert_non_null(strstr(e.msg, "automountServiceAccountToken"));
    assert_int_equal(rmdir(dir), 0);
}

static void a_list_of_files_is_refused(void **state)
{
    _cleanup_kube_config_ struct kube_config *config = NULL;
    struct err e = { 0 };

    (void)state;
    assert_int_equal(setenv("KUBECONFIG", "/a:/b", 1), 0);
    assert_int_equal(kube_config_load(NULL, NULL, &config, &e), -EINVAL);
    assert_non_null(strstr(e.msg, "--flatten"));
    assert_int_equal(setenv("KUBECONFIG", "/nonexistent/config", 1), 0);
    assert_int_equal(kube_config_load(NULL, NULL, &config, &e), -ENOENT);
    assert_non_null(strstr(e.msg, "/nonexistent/config"));
    assert_int_equal(unsetenv("KUBECONFIG"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts_and_refuses),
        cmocka_unit_test(credentials_are_read),
        cmocka_unit_test(a_pod_finds_its_server),
        cmocka_unit_test(a_list_of_files_is_refused),
    };

    return cmocka_run_group_tests_name("kube config", tests, NULL, NULL);
}
