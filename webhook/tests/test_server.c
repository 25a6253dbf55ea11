/* SPDX-License-Identifier: Apache-2.0 */
/* The listener over real TLS on the loopback address: a certificate by OpenSSL, a client by
 * libcurl. */
#include "webhook/server.h"

#include "lib/buf.h"
#include "lib/json.h"
#include "lib/mem.h"
#include "lib/metrics.h"
#include "webhook/connections.h"
#include "webhook/health.h"

#include <curl/curl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum {
    REQUEST_MS = 1500,
    LATE_MS = 4000,
    SLOW_MS = 9000,
    IDLE_MS = 3000,
    BODY_MAX = 256 * 1024,
};

#define REVIEW(name)                                                                               \
    "{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v1\",\"request\":{\"uid\":"   \
    "\"u-1\",\"kind\":{\"group\":\"profilepod.io\",\"kind\":\"PodFlame\"},\"name\":\"" name        \
    "\",\"namespace\":\"shop\",\"operation\":\"CREATE\",\"object\":{\"spec\":{\"targetPod\":"      \
    "\"two\"}}}}"

/* ---- certificates ---- */

struct pair {
    char *cert, *key;
};

static char *take_bio(BIO *bio)
{
    char *data;
    long n = BIO_get_mem_data(bio, &data);
    char *text = mem_strndup(data, (size_t)n);

    BIO_free(bio);
    return text;
}

static struct pair make_pair(const char *common_name)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = X509_new();
    BIO *cert_bio = BIO_new(BIO_s_mem()), *key_bio = BIO_new(BIO_s_mem());
    X509_EXTENSION *san =
        X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "IP:127.0.0.1,DNS:localhost");

    assert_non_null(key);
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), -60);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_set_pubkey(x, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
                               (const unsigned char *)common_name, -1, -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(x));
    X509_add_ext(x, san, -1);
    assert_true(X509_sign(x, key, EVP_sha256()) > 0);
    assert_int_equal(PEM_write_bio_X509(cert_bio, x), 1);
    assert_int_equal(PEM_write_bio_PrivateKey(key_bio, key, NULL, NULL, 0, NULL, NULL), 1);
    X509_EXTENSION_free(san);
    X509_free(x);
    EVP_PKEY_free(key);
    return (struct pair){ take_bio(cert_bio), take_bio(key_bio) };
}

static void free_pair(struct pair *pair)
{
    free(pair->cert);
    free(pair->key);
}

/* ---- the server under test ---- */

static atomic_int lookup_ms, lookups;

static void sleep_ms(long ms)
{
    const struct timespec ts = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

    (void)nanosleep(&ts, NULL);
}

static int get_pod(void *ctx, const char *ns, const char *name, struct json_object **ret_pod,
                   struct err *e)
{
    static const char pod[] =
        "{\"spec\":{\"containers\":[{\"name\":\"app\"},{\"name\":\"sidecar\"}]}}";

    (void)ctx;
    (void)ns;
    (void)name;
    atomic_fetch_add(&lookups, 1);
    sleep_ms(atomic_load(&lookup_ms));
    return json_parse(pod, sizeof(pod) - 1, 8, ret_pod, e);
}

static const struct pod_lookup lookup = { get_pod, NULL };
static struct pair pair;
static struct webhook_server *server;

static int start(void **state)
{
    struct err e = { 0 };
    const struct webhook_server_config config = {
        .address = "127.0.0.1",
        .cert_pem = pair.cert,
        .key_pem = pair.key,
        .lookup = &lookup,
        .n_threads = 2,
        .request_ms = REQUEST_MS,
        .idle_ms = IDLE_MS,
        .body_max = BODY_MAX,
    };

    (void)state;
    atomic_store(&lookup_ms, 0);
    if (webhook_server_start(&config, &server, &e) < 0)
        fail_msg("%s", e.msg);
    assert_true(webhook_server_port(server) > 0);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    webhook_server_stop(server);
    server = NULL;
    return 0;
}

/* ---- clients ---- */

static size_t take_bytes(char *data, size_t size, size_t n, void *to)
{
    return buf_add(to, data, size * n) == 0 ? size * n : 0;
}

struct exchange {
    const char *method, *path, *type, *body;
    size_t body_len;
    bool chunked;
    long status;
    struct buf reply, headers;
    CURLcode code;
};

static void exchange_release(struct exchange *x)
{
    buf_release(&x->reply);
    buf_release(&x->headers);
}

static CURL *new_client(void)
{
    CURL *curl = curl_easy_init();

    assert_non_null(curl);
    return curl;
}

static void send_with(CURL *curl, struct exchange *x)
{
    char url[256], type[128];
    struct curl_slist *headers = NULL;
    struct curl_blob ca = { pair.cert, strlen(pair.cert), CURL_BLOB_COPY };

    (void)snprintf(url, sizeof(url), "https://127.0.0.1:%u%s", webhook_server_port(server),
                   x->path ? x->path : WEBHOOK_PATH "?timeout=3s");
    (void)snprintf(type, sizeof(type), "Content-Type:%s%s", x->type && !*x->type ? "" : " ",
                   x->type ? x->type : "application/json");
    headers = curl_slist_append(headers, type);
    if (x->chunked)
        headers = curl_slist_append(headers, "Transfer-Encoding: chunked");
    buf_init(&x->reply, 1 << 20);
    buf_init(&x->headers, 1 << 16);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_CAINFO_BLOB, &ca);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_bytes);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &x->reply);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_bytes);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, &x->headers);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 10000L);
    if (x->body) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, x->body);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE,
                         (long)(x->body_len ? x->body_len : strlen(x->body)));
    }
    if (x->method)
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, x->method);
    x->code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &x->status);
    curl_slist_free_all(headers);
}

static void send_once(struct exchange *x)
{
    CURL *curl = new_client();

    send_with(curl, x);
    curl_easy_cleanup(curl);
}

static int connect_plain(void)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons(webhook_server_port(server)) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)(void *)&to, sizeof(to)), 0);
    return fd;
}

static int64_t now_ms(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* ---- cases ---- */

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

/* How long the server keeps a connection to which one byte comes each 50 ms. */
static int64_t dribble(int fd, const char *bytes, size_t len)
{
    int64_t begin = now_ms();

    for (size_t i = 0; now_ms() - begin < SLOW_MS; i++) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        char end[64];

        if (send(fd, bytes + i % len, 1, MSG_NOSIGNAL) != 1)
            break;
        if (poll(&p, 1, 50) == 1 && recv(fd, end, sizeof(end), 0) <= 0)
            break;
    }
    (void)close(fd);
    return now_ms() - begin;
}

static void a_slow_handshake_is_cut(void **state)
{
    /* The start of a ClientHello record that announces much more. */
    static const char hello[] = { 0x16, 0x03, 0x01,       0x3f, 0x00, 0x01,
                                  0x00, 0x3e, (char)0xfc, 0x03, 0x03 };
    int64_t took;

    (void)state;
    took = dribble(connect_plain(), hello, sizeof(hello));
    if (took < REQUEST_MS / 2 || took > LATE_MS)
        fail_msg("cut after %lld ms", (long long)took);
}

static SSL *connect_tls(SSL_CTX *ctx)
{
    SSL *ssl = SSL_new(ctx);

    SSL_set_fd(ssl, connect_plain());
    return ssl;
}

static void close_tls(SSL *ssl)
{
    (void)close(SSL_get_fd(ssl));
    SSL_free(ssl);
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

static void slow_clients_do_not_keep_others_waiting(void **state)
{
    enum { SLOW = 100 };
    int fds[SLOW];

    (void)state;
    for (int i = 0; i < SLOW; i++)
        fds[i] = connect_plain();
    int64_t begin = now_ms();
    for (int i = 0; i < 5; i++) {
        struct exchange x = { .body = REVIEW("x") };

        send_once(&x);
        assert_int_equal(x.status, 200);
        exchange_release(&x);
    }
    assert_true(now_ms() - begin < 2000);
    for (int i = 0; i < SLOW; i++)
        (void)close(fds[i]);
}

static void old_protocols_are_refused(void **state)
{
    static const struct {
        int version;
        const char *ciphers;
        int connected;
    } tries[] = {
        { TLS1_3_VERSION, NULL, 1 },
        { TLS1_2_VERSION, NULL, 1 },
        { TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256:@SECLEVEL=0", 1 },
        { TLS1_2_VERSION, "ECDHE-ECDSA-AES128-SHA256:ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0", -1 },
        { TLS1_1_VERSION, "ALL:@SECLEVEL=0", -1 },
        { TLS1_VERSION, "ALL:@SECLEVEL=0", -1 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(tries); i++) {
        SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

        SSL_CTX_set_min_proto_version(ctx, tries[i].version);
        SSL_CTX_set_max_proto_version(ctx, tries[i].version);
        if (tries[i].ciphers)
            assert_int_equal(SSL_CTX_set_cipher_list(ctx, tries[i].ciphers), 1);
        SSL *ssl = connect_tls(ctx);
        int connected = SSL_connect(ssl);
        if ((connected == 1) != (tries[i].connected == 1))
            fail_msg("version %x, ciphers %s: %d", tries[i].version,
                     tries[i].ciphers ? tries[i].ciphers : "default", connected);
        close_tls(ssl);
        SSL_CTX_free(ctx);
    }
}

static void peer_name(SSL *ssl, char *name, size_t size)
{
    X509 *x = SSL_get1_peer_certificate(ssl);

    assert_non_null(x);
    (void)X509_NAME_get_text_by_NID(X509_get_subject_name(x), NID_commonName, name, (int)size);
    X509_free(x);
}

static int64_t refused_certificates(void)
{
    static const char name[] = "\npodflame_tls_certificate_refusals_total ";
    _cleanup_buf_ struct buf text = BUF_INIT(1 << 20);

    assert_int_equal(metrics_write(&text), 0);
    const char *at = strstr(buf_str(&text), name);
    assert_non_null(at);
    return strtoll(at + strlen(name), NULL, 10);
}

/* Whoever does not trust the certificate is counted; whoever only knocks is not. */
static void refused_certificates_are_counted(void **state)
{
    static const int versions[] = { TLS1_2_VERSION };

    (void)state;
    for (size_t i = 0; i < COUNT(versions); i++) {
        SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
        int64_t before = refused_certificates();

        SSL_CTX_set_max_proto_version(ctx, versions[i]);
        SSL *knocks = connect_tls(ctx);
        close_tls(knocks);
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
        SSL_CTX_set_read_ahead(ctx, 1); /* what is left unread resets, and the alert is lost */
        SSL *ssl = connect_tls(ctx);
        assert_true(SSL_connect(ssl) != 1);
        close_tls(ssl);
        SSL_CTX_free(ctx);
        for (int k = 0; k < 200 && refused_certificates() == before; k++)
            sleep_ms(10);
        assert_int_equal(refused_certificates(), before + 1);
    }
}

static void the_certificate_is_replaced_without_a_restart(void **state)
{
    struct pair second = make_pair("second");
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *before = connect_tls(ctx), *after = connect_tls(ctx), *later;
    struct err e = { 0 };
    char name[64];

    (void)state;
    assert_int_equal(SSL_connect(before), 1);
    peer_name(before, name, sizeof(name));
    assert_string_equal(name, "first");
    sleep_ms(50); /* the second connection is accepted, its handshake has not begun */

    assert_int_equal(webhook_server_set_certificate(server, second.cert, second.key, &e), 0);
    assert_int_equal(SSL_connect(after), 1); /* begun with the first, which is still alive */
    later = connect_tls(ctx);
    assert_int_equal(SSL_connect(later), 1);
    peer_name(later, name, sizeof(name));
    assert_string_equal(name, "second");

    assert_true(webhook_server_set_certificate(server, second.cert, pair.key, &e) < 0);
    assert_true(webhook_server_set_certificate(server, "garbage", second.key, &e) < 0);
    assert_true(webhook_server_set_certificate(server, "", "", &e) < 0);
    assert_non_null(strstr(e.msg, "serving certificate"));
    SSL *again = connect_tls(ctx);
    assert_int_equal(SSL_connect(again), 1);
    peer_name(again, name, sizeof(name));
    assert_string_equal(name, "second");

    close_tls(before);
    close_tls(after);
    close_tls(later);
    close_tls(again);
    SSL_CTX_free(ctx);
    free_pair(&second);
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

static int set_up(void **state)
{
    (void)state;
    (void)signal(SIGPIPE, SIG_IGN);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    pair = make_pair("first");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free_pair(&pair);
    curl_global_cleanup();
    return 0;
}

#define SERVED(test) cmocka_unit_test_setup_teardown(test, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVED(a_review_is_answered),
        SERVED(what_is_no_review_is_refused),
        SERVED(sizes_are_bounded),
        SERVED(connections_are_kept),
        SERVED(draining_closes_connections),
        SERVED(a_slow_handshake_is_cut),
        SERVED(a_slow_request_is_cut),
        SERVED(slow_clients_do_not_keep_others_waiting),
        SERVED(old_protocols_are_refused),
        SERVED(refused_certificates_are_counted),
        SERVED(the_certificate_is_replaced_without_a_restart),
        SERVED(requests_under_way_end_before_the_server),
        SERVED(wrong_configuration_is_refused),
        SERVED(health_and_metrics_are_told),
    };

    return cmocka_run_group_tests_name("server", tests, set_up, tear_down);
}
