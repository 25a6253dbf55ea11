/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/kube/client.h"

#include "lib/json.h"
#include "lib/kube/config.h"
#include "lib/kube/tests/fake_api.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    const char *path;
    int status;
    const char *reason;
    int code;
} answers[] = {
    { "/ok", 200, "", 0 },
    { "/created", 201, "", 0 },
    { "/bad", 400, "BadRequest", -EINVAL },
    { "/unauthorized", 401, "Unauthorized", -EACCES },
    { "/forbidden", 403, "Forbidden", -EACCES },
    { "/missing", 404, "NotFound", -ENOENT },
    { "/exists", 409, "AlreadyExists", -EEXIST },
    { "/conflict", 409, "Conflict", -ESTALE },
    { "/gone", 410, "Expired", -ESTALE },
    { "/large", 413, "RequestEntityTooLarge", -EFBIG },
    { "/invalid", 422, "Invalid", -EINVAL },
    { "/busy", 429, "TooManyRequests", -EBUSY },
    { "/broken", 500, "InternalError", -EREMOTEIO },
    { "/moved", 302, "", -EREMOTEIO },
};

struct server {
    const char *token; /* the only one that is accepted; NULL: any */
    char body[256], auth[256], type[64], agent[64], method[8];
};

static void handle(void *ctx, const struct fake_request *request, struct fake_reply *reply)
{
    struct server *s = ctx;

    (void)snprintf(s->body, sizeof(s->body), "%s", request->body);
    (void)snprintf(s->auth, sizeof(s->auth), "%s", request->auth ? request->auth : "");
    (void)snprintf(s->type, sizeof(s->type), "%s",
                   request->content_type ? request->content_type : "");
    (void)snprintf(s->agent, sizeof(s->agent), "%s", request->user_agent);
    (void)snprintf(s->method, sizeof(s->method), "%s", request->method);
    if (s->token && strcmp(s->auth, s->token) != 0) {
        fake_refuse(reply, 401, "Unauthorized");
        return;
    }
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        if (strcmp(request->url, answers[i].path) != 0)
            continue;
        if (answers[i].status < 300)
            reply->body = mem_strdup("{\"a\":1}");
        else
            fake_refuse(reply, answers[i].status, answers[i].reason);
        reply->status = answers[i].status;
        reply->header = answers[i].status == 302 ? "Location" : "Retry-After";
        reply->value = answers[i].status == 302 ? "/ok" : "7";
        return;
    }
    if (strcmp(request->url, "/hang") == 0) {
        reply->end = FAKE_HANG;
    } else if (strcmp(request->url, "/big") == 0) {
        reply->body = mem_alloc(100001);
        memset(reply->body, 'x', 100000);
        reply->body[0] = reply->body[99999] = '"';
        reply->body[100000] = '\0';
        reply->end = FAKE_EOF;
    }
}

struct fixture {
    struct fake_api api;
    struct server server;
    struct kube_config config;
    struct kube_client *client;
};

static int setup(void **state)
{
    struct fixture *f = mem_zalloc(sizeof(*f));

    fake_api_start(&f->api, handle, &f->server);
    f->config.server = f->api.url;
    f->client = kube_client_new(&f->config);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    kube_client_free(f->client);
    fake_api_stop(&f->api);
    free(f);
    return 0;
}

static void every_answer_has_its_code(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        _cleanup_kube_response_ struct kube_response response = { 0 };
        struct err e = { 0 };
        int code = kube_client_request(
            f->client, &(struct kube_request){ .method = "GET", .path = answers[i].path },
            &response, &e);

        if (code != answers[i].code || response.status != answers[i].status ||
            strcmp(response.reason, answers[i].reason) != 0)
            fail_msg("%s: code %d status %d reason '%s': %s", answers[i].path, code,
                     response.status, response.reason, e.msg);
        if (answers[i].status == 429)
            assert_int_equal(response.retry_after_s, 7);
        if (answers[i].status == 404)
            assert_string_equal(e.msg, "GET /missing: 404 NotFound: refused: NotFound");
    }
}

static void a_body_is_sent_with_its_type(void **state)
{
    struct fixture *f = *state;
    _cleanup_kube_response_ struct kube_response response = { 0 };
    struct err e = { 0 };
    const struct kube_request request = { .method = "PATCH",
                                          .path = "/ok",
                                          .content_type = KUBE_MERGE_PATCH,
                                          .body = "{\"x\":2}",
                                          .len = 7 };

    f->config.token = (char[]){ "secret" };
    assert_int_equal(kube_client_request(f->client, &request, &response, &e), 0);
    assert_string_equal(f->server.method, "PATCH");
    assert_string_equal(f->server.body, "{\"x\":2}");
    assert_string_equal(f->server.type, KUBE_MERGE_PATCH);
    assert_string_equal(f->server.auth, "Bearer secret");
    assert_string_equal(f->server.agent, "podflame/" PODFLAME_VERSION);
    f->config.token = NULL;
}

static void bodies_are_bounded_and_trimmed(void **state)
{
    struct fixture *f = *state;
    _cleanup_kube_response_ struct kube_response response = { 0 };
    _cleanup_json_ struct json_object *value = NULL;
    struct kube_request request = { .method = "GET", .path = "/big", .response_max = 99999 };
    struct err e = { 0 };

    assert_int_equal(kube_client_request(f->client, &request, &response, &e), -EFBIG);
    request.response_max = 20000;
    request.trim = 100;
    assert_int_equal(kube_client_json(f->client, &request, &value, &e), 0);
    assert_int_equal(json_object_get_string_len(value), 100);
}

static void silence_ends_at_the_timeout(void **state)
{
    struct fixture *f = *state;
    _cleanup_kube_response_ struct kube_response response = { 0 };
    struct err e = { 0 };
    const struct kube_request request = { .method = "GET", .path = "/hang", .timeout_ms = 200 };

    assert_int_equal(kube_client_request(f->client, &request, &response, &e), -ETIMEDOUT);
}

static void nobody_listening_is_said(void **state)
{
    struct kube_config config = { .server = (char[]){ "http://127.0.0.1:1" } };
    struct kube_client *client = kube_client_new(&config);
    _cleanup_kube_response_ struct kube_response response = { 0 };
    struct err e = { 0 };
    const struct kube_request request = { .method = "GET", .path = "/ok" };

    (void)state;
    assert_int_equal(kube_client_request(client, &request, &response, &e), -ECONNREFUSED);
    assert_int_equal(response.status, 0);
    kube_client_free(client);
}

static void write_token(const char *path, const char *token)
{
    FILE *f = fopen(path, "we");

    assert_non_null(f);
    assert_true(fputs(token, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void a_rotated_token_is_read_after_a_401(void **state)
{
    struct fixture *f = *state;
    char path[] = "/tmp/podflame-token-XXXXXX";
    int fd = mkstemp(path);
    const struct kube_request request = { .method = "GET", .path = "/ok" };
    struct err e = { 0 };

    assert_true(fd >= 0);
    (void)close(fd);
    f->config.token_file = path;
    write_token(path, "old\n");
    f->server.token = "Bearer old";
    for (int i = 0; i < 3; i++) {
        _cleanup_kube_response_ struct kube_response response = { 0 };
        int before = f->api.requests;
        int code = kube_client_request(f->client, &request, &response, &e);

        assert_int_equal(code, i == 2 ? -EACCES : 0);
        assert_int_equal(f->api.requests - before, i == 1 ? 2 : 1); /* only one retry, if any */
        if (i == 0)
            write_token(path, "new");
        f->server.token = i == 0 ? "Bearer new" : "Bearer neither";
    }
    assert_int_equal(unlink(path), 0);
}

/* Self-signed for 127.0.0.1, for the name "elsewhere", and of another key; valid for a century. */
static const char tls_key[] = "-----BEGIN EC PRIVATE KEY-----\n"
                              "MHcCAQEEIKZfYRA7toVvK/jFJ8LZd7cwR0aTud4vNZMB7pfKBaVboAoGCCqGSM49\n"
                              "AwEHoUQDQgAEsqzAFaloLoE5E+bdTxXRkXiJ8pdkygMnMsHRLEPp41ozUyY8Os0b\n"
                              "IriYIZAPorfAP4U3dz5I/nr23mZ7ppoqYA==\n"
                              "-----END EC PRIVATE KEY-----\n";
static const char cert_ip[] = "-----BEGIN CERTIFICATE-----\n"
                              "MIIBhzCCASygAwIBAgIUXYD0CqBAYWMNmFRlHENCCrE1y9QwCgYIKoZIzj0EAwIw\n"
                              "DzENMAsGA1UEAwwEdGVzdDAgFw0yNjExMjMwNDAwMTBaGA8yMTI2MTAzMDA0MDAx\n"
                              "MFowDzENMAsGA1UEAwwEdGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABLKs\n"
                              "wBWpaC6BORPm3U8V0ZF4ifKXZMoDJzLB0SxD6eNaM1MmPDrNGyK4mCGQD6K3wD+F\n"
                              "N3c+SP569t5me6aaKmCjZDBiMB0GA1UdDgQWBBR86QwYh3QjF1Ny/0vGHBlsuUgA\n"
                              "nzAfBgNVHSMEGDAWgBR86QwYh3QjF1Ny/0vGHBlsuUgAnzAPBgNVHRMBAf8EBTAD\n"
                              "AQH/MA8GA1UdEQQIMAaHBH8AAAEwCgYIKoZIzj0EAwIDSQAwRgIhAPjWF1w4bIyL\n"
                              "u0juj3gpjRhUCUG7O6+ab+hZ5ECWs+R2AiEAm4H2prVmIb8KWaLkNmP/IWJ8fH7l\n"
                              "loeT8LGCfylkX38=\n"
                              "-----END CERTIFICATE-----\n";
static const char cert_name[] = "-----BEGIN CERTIFICATE-----\n"
                                "MIIBijCCATGgAwIBAgIUKqayRCaQti5+SdjWw/TCA5gbEWwwCgYIKoZIzj0EAwIw\n"
                                "DzENMAsGA1UEAwwEdGVzdDAgFw0yNjExMjMwNDAwMTBaGA8yMTI2MTAzMDA0MDAx\n"
                                "MFowDzENMAsGA1UEAwwEdGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABLKs\n"
                                "wBWpaC6BORPm3U8V0ZF4ifKXZMoDJzLB0SxD6eNaM1MmPDrNGyK4mCGQD6K3wD+F\n"
                                "N3c+SP569t5me6aaKmCjaTBnMB0GA1UdDgQWBBR86QwYh3QjF1Ny/0vGHBlsuUgA\n"
                                "nzAfBgNVHSMEGDAWgBR86QwYh3QjF1Ny/0vGHBlsuUgAnzAPBgNVHRMBAf8EBTAD\n"
                                "AQH/MBQGA1UdEQQNMAuCCWVsc2V3aGVyZTAKBggqhkjOPQQDAgNHADBEAiAal1eQ\n"
                                "iFnt04gGWFEPgKvENLwfWY/izmqaXrlUOPWj7gIgKpL1sVlcf09ofvqqwKKpV5B5\n"
                                "KVBkk3uefTXG3RWbeLQ=\n"
                                "-----END CERTIFICATE-----\n";
static const char cert_other[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBhzCCAS6gAwIBAgIUB1IDtQ+7u6zH8bDQeKPei8Lt5+UwCgYIKoZIzj0EAwIw\n"
    "EDEOMAwGA1UEAwwFb3RoZXIwIBcNMjYxMTIzMDQwMDEwWhgPMjEyNjEwMzAwNDAw\n"
    "MTBaMBAxDjAMBgNVBAMMBW90aGVyMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n"
    "x4dRvGunT7FqXNVpDwg9jCNjQdqlGHoJoxJVMcqa5KShwXVW6iieIn2GDWGV/2/o\n"
    "IZ1rkZVQxmA9rVLePymB9aNkMGIwHQYDVR0OBBYEFGjrdgNYuEb1u+bOcYqqYTuG\n"
    "KAa4MB8GA1UdIwQYMBaAFGjrdgNYuEb1u+bOcYqqYTuGKAa4MA8GA1UdEwEB/wQF\n"
    "MAMBAf8wDwYDVR0RBAgwBocEfwAAATAKBggqhkjOPQQDAgNHADBEAiAy2xHSyiOJ\n"
    "vio56Jip1/OwxpYzLvN6afxYlkqcPgMPlQIgUA3PZeBKq7qAyKDBiM7STaPiAngM\n"
    "ppKByxiwxr4bqHo=\n"
    "-----END CERTIFICATE-----\n";

static enum MHD_Result say_ok(void *cls, struct MHD_Connection *c, const char *url,
                              const char *method, const char *version, const char *data,
                              size_t *len, void **con)
{
    struct MHD_Response *r =
        MHD_create_response_from_buffer(2, (char[]){ "{}" }, MHD_RESPMEM_MUST_COPY);
    enum MHD_Result queued = MHD_queue_response(c, 200, r);

    (void)cls, (void)url, (void)method, (void)version, (void)data, (void)len, (void)con;
    MHD_destroy_response(r);
    return queued;
}

static void the_server_must_prove_who_it_is(void **state)
{
    static const struct {
        const char *name, *cert, *ca;
        bool insecure;
        int code;
        const char *server_name;
    } cases[] = {
        { "the right CA", cert_ip, cert_ip, false, 0, NULL },
        { "another CA", cert_ip, cert_other, false, -EPROTO, NULL },
        { "another name", cert_name, cert_name, false, -EPROTO, NULL },
        { "another name that the kubeconfig gives", cert_name, cert_name, false, 0, "elsewhere" },
        { "the system's CAs", cert_ip, NULL, false, -EPROTO, NULL },
        { "not checked", cert_ip, NULL, true, 0, NULL },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sockaddr_in loopback = { .sin_family = AF_INET,
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        struct MHD_Daemon *d =
            MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_TLS, 0, NULL, NULL, say_ok,
                             NULL, MHD_OPTION_SOCK_ADDR, &loopback, MHD_OPTION_HTTPS_MEM_KEY,
                             tls_key, MHD_OPTION_HTTPS_MEM_CERT, cases[i].cert, MHD_OPTION_END);
        assert_non_null(d);
        struct kube_config config = {
            .server = mem_printf("https://127.0.0.1:%u",
                                 MHD_get_daemon_info(d, MHD_DAEMON_INFO_BIND_PORT)->port),
            .ca_pem = cases[i].ca ? mem_strdup(cases[i].ca) : NULL,
            .insecure = cases[i].insecure,
            .tls_server_name = (char *)cases[i].server_name,
        };
        struct kube_client *client = kube_client_new(&config);
        _cleanup_kube_response_ struct kube_response response = { 0 };
        const struct kube_request request = { .method = "GET", .path = "/ok" };
        struct err e = { 0 };
        int code = kube_client_request(client, &request, &response, &e);

        if (code != cases[i].code)
            fail_msg("%s: %d %s", cases[i].name, code, e.msg);
        kube_client_free(client);
        MHD_stop_daemon(d);
        free(config.server);
        free(config.ca_pem);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_answer_has_its_code, setup, teardown),
        cmocka_unit_test_setup_teardown(a_body_is_sent_with_its_type, setup, teardown),
        cmocka_unit_test_setup_teardown(bodies_are_bounded_and_trimmed, setup, teardown),
        cmocka_unit_test_setup_teardown(silence_ends_at_the_timeout, setup, teardown),
        cmocka_unit_test(nobody_listening_is_said),
        cmocka_unit_test_setup_teardown(a_rotated_token_is_read_after_a_401, setup, teardown),
        cmocka_unit_test(the_server_must_prove_who_it_is),
    };

    return cmocka_run_group_tests_name("kube client", tests, NULL, NULL);
}
