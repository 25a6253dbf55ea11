/* SPDX-License-Identifier: Apache-2.0 */
/* What the listener answers to HTTP requests, how long it waits for them, and how it ends. */
#include "lib/metrics.h"
#include "webhook/health.h"
#include "webhook/tests/serving.h"

#include <errno.h>

#include <pthread.h>

static void a_review_is_answered(void **state)
{
    struct exchange x = { .body = REVIEW("x") };
    struct err e = { 0 };

    (void)state;
    send_once(&x);
    assert_int_equal(x.code, CURLE_OK);
    assert_int_equal(x.status, 200);
    assert_non_null(strstr(buf_str(&x.headers), "Content-Type: application/json\r\n"));
    _cleanup_json_ struct json_object *answer = NULL;
    assert_int_equal(json_parse(x.reply.data, x.reply.len, 16, &answer, &e), 0);
    assert_string_equal(json_get_str(answer, "response.uid"), "u-1");
    assert_int_equal(json_get_int(answer, "response.status.code", 0), 422);
    exchange_release(&x);
}

static const struct {
    const char *name;
    struct exchange x;
    long status;
    const char *header, *reply;
} refusals[] = {
    { "wrong path", { .path = "/", .body = "{}" }, 404, "", "not found" },
    { "path with more", { .path = WEBHOOK_PATH "/", .body = "{}" }, 404, "", "not found" },
    { "path by dots", { .path = "/x%2f.." WEBHOOK_PATH, .body = "{}" }, 404, "", "not found" },
    { "GET", { .method = "GET" }, 405, "Allow: POST\r\n", "POST" },
    { "PUT", { .method = "PUT", .body = "{}" }, 405, "Allow: POST\r\n", "POST" },
    { "form", { .type = "application/x-www-form-urlencoded", .body = "a=b" }, 415, "", "json" },
    { "longer type", { .type = "application/jsonx", .body = "{}" }, 415, "", "json" },
    { "no type", { .type = "", .body = "{}" }, 415, "", "json" },
    { "type with a charset",
      { .type = "Application/JSON; charset=utf-8", .body = REVIEW("x") },
      200,
      "",
      "u-1" },
    { "empty body", { .body = "" }, 400, "", "JSON: empty" },
    { "no JSON", { .body = "hello" }, 400, "", "JSON" },
    { "another document", { .body = "{}" }, 400, "", "AdmissionReview" },
};

static void what_is_no_review_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(refusals); i++) {
        struct exchange x = refusals[i].x;

        send_once(&x);
        if (x.code != CURLE_OK || x.status != refusals[i].status ||
            !strstr(buf_str(&x.headers), refusals[i].header) ||
            !strstr(buf_str(&x.reply), refusals[i].reply))
            fail_msg("%s: %s, status %ld, %s%s", refusals[i].name, curl_easy_strerror(x.code),
                     x.status, buf_str(&x.headers), buf_str(&x.reply));
        exchange_release(&x);
    }
}

/* A review whose text is @len bytes, by blanks at its end. */
static char *padded_review(size_t len)
{
    static const char review[] = REVIEW("x");
    char *text = mem_alloc(len + 1);

    memset(text, ' ', len);
    memcpy(text, review, sizeof(review) - 1);
    text[len] = '\0';
    return text;
}

static void sizes_are_bounded(void **state)
{
    static const struct {
        size_t len;
        bool chunked;
        long status;
    } sizes[] = {
        { BODY_MAX, false, 200 },    { BODY_MAX, true, 200 },  { BODY_MAX + 1, false, 413 },
        { BODY_MAX + 1, true, 413 }, { 4L << 20, false, 413 }, { 4L << 20, true, 413 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(sizes); i++) {
        char *text = padded_review(sizes[i].len);
        struct exchange x = { .body = text, .body_len = sizes[i].len, .chunked = sizes[i].chunked };

        send_once(&x);
        /* A client that sends on after an early 413 may see the reset before it. */
        if (x.status != sizes[i].status && !(sizes[i].status == 413 && x.code != CURLE_OK))
            fail_msg("%zu bytes, chunked %d: %s, status %ld", sizes[i].len, sizes[i].chunked,
                     curl_easy_strerror(x.code), x.status);
        exchange_release(&x);
        free(text);
    }
}

static void connections_are_kept(void **state)
{
    CURL *curl = new_client();
    long connects = 0;

    (void)state;
    for (int i = 0; i < 5; i++) {
        struct exchange x = { .body = REVIEW("x") };
        long n;

        send_with(curl, &x);
        assert_int_equal(x.status, 200);
        curl_easy_getinfo(curl, CURLINFO_NUM_CONNECTS, &n);
        connects += n;
        exchange_release(&x);
        if (i == 2)
            sleep_ms(REQUEST_MS + 200); /* idle is longer than what a request may take */
    }
    assert_int_equal(connects, 1);
    curl_easy_cleanup(curl);
}

static void draining_closes_connections(void **state)
{
    struct exchange x = { .body = REVIEW("x") };

    (void)state;
    webhook_server_drain(server);
    send_once(&x);
    assert_int_equal(x.status, 200);
    assert_non_null(strstr(buf_str(&x.headers), "Connection: close\r\n"));
    exchange_release(&x);
}

static void a_slow_request_is_cut(void **state)
{
    static const char head[] = "POST " WEBHOOK_PATH " HTTP/1.1\r\nHost: x\r\n"
                               "Content-Type: application/json\r\nContent-Length: 100000\r\n\r\n";
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl = connect_tls(ctx);
    int64_t begin = now_ms();
    char byte = ' ';

    (void)state;
    assert_int_equal(SSL_connect(ssl), 1);
    assert_int_equal(SSL_write(ssl, head, sizeof(head) - 1), (int)sizeof(head) - 1);
    while (now_ms() - begin < SLOW_MS && SSL_write(ssl, &byte, 1) == 1)
        sleep_ms(50);
    int64_t took = now_ms() - begin;
    if (took < REQUEST_MS / 2 || took > LATE_MS)
        fail_msg("cut after %lld ms", (long long)took);
    close_tls(ssl);
    SSL_CTX_free(ctx);
}

static void *send_in_thread(void *arg)
{
    send_once(arg);
    return NULL;
}

static void requests_under_way_end_before_the_server(void **state)
{
    struct exchange x = { .body = REVIEW("x") };
    pthread_t thread;

    atomic_store(&lookup_ms, 300);
    atomic_store(&lookups, 0);
    assert_int_equal(pthread_create(&thread, NULL, send_in_thread, &x), 0);
    while (atomic_load(&lookups) == 0)
        sleep_ms(10);
    assert_int_equal(stop(state), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(x.code, CURLE_OK);
    assert_int_equal(x.status, 200);
    exchange_release(&x);
}

/* A thread that reads a pod takes no new connection, so that each creation here has its own. */
static void reading_pods_keeps_no_one_else_waiting(void **state)
{
    enum { CREATIONS = 4, OTHERS = 5 };
    static const char update[] =
        "{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v1\",\"request\":{\"uid\":"
        "\"u-2\",\"kind\":{\"group\":\"profilepod.io\",\"kind\":\"PodFlame\"},\"name\":\"x\","
        "\"operation\":\"UPDATE\",\"object\":{},\"oldObject\":{}}}";
    struct exchange creations[CREATIONS];
    pthread_t threads[CREATIONS];
    int answered = 0;

    (void)state;
    atomic_store(&lookups_wait, true);
    atomic_store(&lookups, 0);
    for (int i = 0; i < CREATIONS; i++) {
        creations[i] = (struct exchange){ .body = REVIEW("x") };
        assert_int_equal(pthread_create(&threads[i], NULL, send_in_thread, &creations[i]), 0);
        while (atomic_load(&lookups) <= i)
            sleep_ms(10);
    }
    for (int i = 0; i < OTHERS; i++) {
        struct exchange x = { .body = update };

        send_once(&x);
        answered += x.status == 200;
        exchange_release(&x);
    }
    atomic_store(&lookups_wait, false);
    for (int i = 0; i < CREATIONS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        exchange_release(&creations[i]);
    }
    assert_int_equal(answered, OTHERS);
}

static void wrong_configuration_is_refused(void **state)
{
    struct pair other = make_pair("other");
    const struct {
        struct webhook_server_config config;
        const char *message;
    } bad[] = {
        { { .address = "localhost", .cert_pem = pair.cert, .key_pem = pair.key },
          "'localhost' is not an IPv4 address" },
        { { .address = "127.0.0.1", .cert_pem = pair.cert, .key_pem = other.key },
          "serving certificate" },
        { { .address = "127.0.0.1",
            .cert_pem = pair.cert,
            .key_pem = pair.key,
            .port = webhook_server_port(server) },
          "listen on port" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct webhook_server *second = NULL;
        struct err e = { 0 };

        assert_true(webhook_server_start(&bad[i].config, &second, &e) < 0);
        if (!strstr(e.msg, bad[i].message))
            fail_msg("got '%s', want '%s'", e.msg, bad[i].message);
        assert_null(second);
    }
    free_pair(&other);
}

/* ---- health ---- */

static bool is_ready(void *ctx, struct buf *why)
{
    if (!*(bool *)ctx)
        (void)buf_add_str(why, "no certificate yet");
    return *(bool *)ctx;
}

static long get_plain(uint16_t port, const char *method, const char *path, struct buf *reply)
{
    CURL *curl = new_client();
    char url[128];
    long status = 0;

    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", port, path);
    buf_clear(reply);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_bytes);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, reply);
    assert_int_equal(curl_easy_perform(curl), CURLE_OK);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(curl);
    return status;
}

static void health_and_metrics_are_told(void **state)
{
    _cleanup_buf_ struct buf reply = BUF_INIT(1 << 20);
    bool ready = false;
    const struct health_config config = { .address = "127.0.0.1",
                                          .ready = is_ready,
                                          .ctx = &ready };
    struct exchange x = { .body = REVIEW("x") };
    struct health *health = NULL;
    struct err e = { 0 };

    (void)state;
    send_once(&x);
    exchange_release(&x);
    assert_int_equal(health_start(&config, &health, &e), 0);
    uint16_t port = health_port(health);
    assert_int_equal(get_plain(port, "GET", "/healthz", &reply), 200);
    assert_string_equal(buf_str(&reply), "ok\n");
    assert_int_equal(get_plain(port, "GET", "/readyz", &reply), 503);
    assert_string_equal(buf_str(&reply), "not ready: no certificate yet\n");
    ready = true;
    assert_int_equal(get_plain(port, "GET", "/readyz", &reply), 200);
    assert_int_equal(get_plain(port, "GET", "/", &reply), 404);
    assert_int_equal(get_plain(port, "POST", "/healthz", &reply), 405);
    assert_int_equal(get_plain(port, "GET", "/metrics", &reply), 200);
    assert_non_null(strstr(buf_str(&reply), "# TYPE podflame_admission_requests_total counter\n"));
    assert_non_null(
        strstr(buf_str(&reply), "podflame_build_info{version=\"" PODFLAME_VERSION "\"} 1\n"));
    assert_null(strstr(buf_str(&reply), "operation=\"CREATE\",verdict=\"denied\"} 0\n"));
    health_stop(health);
}

/* More connections than one address may have, each with a byte now and then. */
static void slow_clients_keep_no_probe_waiting(void **state)
{
    enum { SLOW = 80, ROUNDS = 6 };
    const struct health_config config = { .address = "127.0.0.1" };
    _cleanup_buf_ struct buf reply = BUF_INIT(4096);
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct health *health = NULL;
    int fds[SLOW], answered = 0;
    struct err e = { 0 };

    (void)state;
    assert_int_equal(health_start(&config, &health, &e), 0);
    to.sin_port = htons(health_port(health));
    for (int i = 0; i < SLOW; i++) {
        struct sockaddr_in from = { .sin_family = AF_INET,
                                    .sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1) };

        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(fds[i], (const void *)&from, sizeof(from)), 0);
        assert_int_equal(connect(fds[i], (const void *)&to, sizeof(to)), 0);
    }
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < SLOW; i++)
            (void)send(fds[i], "G", 1, MSG_NOSIGNAL);
        answered += get_plain(health_port(health), "GET", "/healthz", &reply) == 200;
        (void)nanosleep(&(struct timespec){ .tv_nsec = 300000000 }, NULL);
    }
    assert_int_equal(answered, ROUNDS);
    for (int i = 0; i < SLOW; i++) { /* the deadline has ended them all */
        char byte;

        assert_true(recv(fds[i], &byte, 1, MSG_DONTWAIT) <= 0 && errno != EAGAIN);
        (void)close(fds[i]);
    }
    health_stop(health);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVED(a_review_is_answered),
        SERVED(what_is_no_review_is_refused),
        SERVED(sizes_are_bounded),
        SERVED(connections_are_kept),
        SERVED(draining_closes_connections),
        SERVED(a_slow_request_is_cut),
        SERVED(requests_under_way_end_before_the_server),
        SERVED(reading_pods_keeps_no_one_else_waiting),
        SERVED(wrong_configuration_is_refused),
        SERVED(health_and_metrics_are_told),
        cmocka_unit_test(slow_clients_keep_no_probe_waiting),
    };

    return cmocka_run_group_tests_name("server", tests, set_up, tear_down);
}
