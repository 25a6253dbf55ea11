/* SPDX-License-Identifier: Apache-2.0 */
/*
 * serving: a webhook server over real TLS on the loopback address, with a certificate by OpenSSL
 * and a client by libcurl.
 */
#pragma once

#include "webhook/server.h"

#include "lib/buf.h"
#include "lib/json.h"
#include "lib/mem.h"

#include <curl/curl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <arpa/inet.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
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

static inline char *take_bio(BIO *bio)
{
    char *data;
    long n = BIO_get_mem_data(bio, &data);
    char *text = mem_strndup(data, (size_t)n);

    BIO_free(bio);
    return text;
}

static inline struct pair make_pair(const char *common_name)
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

static inline void free_pair(struct pair *pair)
{
    free(pair->cert);
    free(pair->key);
}

/* ---- the server under test ---- */

static atomic_int lookup_ms, lookups;
static atomic_bool lookups_wait;

static inline void sleep_ms(long ms)
{
    const struct timespec ts = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

    (void)nanosleep(&ts, NULL);
}

static inline int get_pod(void *ctx, const char *ns, const char *name, struct json_object **ret_pod,
                          struct err *e)
{
    static const char pod[] =
        "{\"spec\":{\"containers\":[{\"name\":\"app\"},{\"name\":\"sidecar\"}]}}";

    (void)ctx;
    (void)ns;
    (void)name;
    atomic_fetch_add(&lookups, 1);
    sleep_ms(atomic_load(&lookup_ms));
    while (atomic_load(&lookups_wait))
        sleep_ms(10);
    return json_parse(pod, sizeof(pod) - 1, 8, ret_pod, e);
}

static const struct pod_lookup lookup = { get_pod, NULL };
static struct pair pair;
static struct webhook_server *server;

static inline int start(void **state)
{
    struct err e = { 0 };
    const struct webhook_server_config config = {
        .address = "127.0.0.1",
        .cert_pem = pair.cert,
        .key_pem = pair.key,
        .lookup = &lookup,
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

static inline int stop(void **state)
{
    (void)state;
    webhook_server_stop(server);
    server = NULL;
    return 0;
}

/* ---- clients ---- */

static inline size_t take_bytes(char *data, size_t size, size_t n, void *to)
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

static inline void exchange_release(struct exchange *x)
{
    buf_release(&x->reply);
    buf_release(&x->headers);
}

static inline CURL *new_client(void)
{
    CURL *curl = curl_easy_init();

    assert_non_null(curl);
    return curl;
}

static inline void send_with(CURL *curl, struct exchange *x)
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

static inline void send_once(struct exchange *x)
{
    CURL *curl = new_client();

    send_with(curl, x);
    curl_easy_cleanup(curl);
}

static inline int connect_plain(void)
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

static inline SSL *connect_tls(SSL_CTX *ctx)
{
    SSL *ssl = SSL_new(ctx);

    SSL_set_fd(ssl, connect_plain());
    return ssl;
}

static inline void close_tls(SSL *ssl)
{
    (void)close(SSL_get_fd(ssl));
    SSL_free(ssl);
}

static inline int set_up(void **state)
{
    (void)state;
    (void)signal(SIGPIPE, SIG_IGN);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    pair = make_pair("first");
    return 0;
}

static inline int tear_down(void **state)
{
    (void)state;
    free_pair(&pair);
    curl_global_cleanup();
    return 0;
}

#define SERVED(test) cmocka_unit_test_setup_teardown(test, start, stop)
