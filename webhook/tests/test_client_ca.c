/* SPDX-License-Identifier: Apache-2.0 */
/* Which clients a server with a client CA answers, over real TLS. */
#include "webhook/server.h"

#include "lib/mem.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <arpa/inet.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static EVP_PKEY *new_key(void)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");

    assert_non_null(key);
    return key;
}

/* @ca NULL: self-signed. */
static X509 *new_cert(EVP_PKEY *key, int extension, const char *value, X509 *ca, EVP_PKEY *ca_key)
{
    X509 *x = X509_new();
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, extension, value);
    const char *name = ca ? "apiserver" : "CA";

    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 2);
    X509_gmtime_adj(X509_getm_notBefore(x), -60);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_set_pubkey(x, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
                               (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(ca ? ca : x));
    X509_add_ext(x, e, -1);
    assert_true(X509_sign(x, ca_key, EVP_sha256()) > 0);
    X509_EXTENSION_free(e);
    return x;
}

static char *take_text(BIO *bio)
{
    char *data;
    long n = BIO_get_mem_data(bio, &data);
    char *text = mem_strndup(data, (size_t)n);

    BIO_free(bio);
    return text;
}

static char *cert_pem(X509 *x)
{
    BIO *bio = BIO_new(BIO_s_mem());

    assert_int_equal(PEM_write_bio_X509(bio, x), 1);
    return take_text(bio);
}

static char *key_pem(EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_mem());

    assert_int_equal(PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL), 1);
    return take_text(bio);
}

/* TLS 1.3 tells a client that it is refused only when it reads. */
static bool is_served(const struct webhook_server *server, X509 *cert, EVP_PKEY *key)
{
    static const char head[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons(webhook_server_port(server)) };
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char reply[64];

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)(void *)&to, sizeof(to)), 0);
    if (cert) {
        SSL_CTX_use_certificate(ctx, cert);
        SSL_CTX_use_PrivateKey(ctx, key);
    }
    SSL *ssl = SSL_new(ctx);
    SSL_set_fd(ssl, fd);
    bool served = SSL_connect(ssl) == 1 && SSL_write(ssl, head, sizeof(head) - 1) > 0 &&
                  SSL_read(ssl, reply, sizeof(reply)) > 0;
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    (void)close(fd);
    return served;
}

static void only_its_clients_are_served(void **state)
{
    EVP_PKEY *ca_key = new_key(), *key = new_key();
    X509 *ca = new_cert(ca_key, NID_basic_constraints, "CA:TRUE", NULL, ca_key);
    X509 *good = new_cert(key, NID_ext_key_usage, "clientAuth", ca, ca_key);
    X509 *other_use = new_cert(key, NID_ext_key_usage, "serverAuth", ca, ca_key);
    X509 *stranger = new_cert(key, NID_ext_key_usage, "clientAuth", NULL, key);
    char *ca_text = cert_pem(ca), *cert_text = cert_pem(other_use), *key_text = key_pem(key);
    struct webhook_server *server = NULL;
    struct err e = { 0 };
    const struct webhook_server_config config = {
        .address = "127.0.0.1", .cert_pem = cert_text, .key_pem = key_text, .client_ca_pem = ca_text
    };

    (void)state;
    assert_int_equal(webhook_server_start(&config, &server, &e), 0);
    for (int i = 0; i < 2; i++) {
        assert_true(is_served(server, good, key));
        assert_false(is_served(server, other_use, key));
        assert_false(is_served(server, stranger, key));
        assert_false(is_served(server, NULL, NULL));
        /* The certificate that is swapped in asks as well. */
        assert_int_equal(webhook_server_set_certificate(server, cert_text, key_text, &e), 0);
    }
    webhook_server_stop(server);

    struct webhook_server_config open = config;
    open.client_ca_pem = NULL;
    assert_int_equal(webhook_server_start(&open, &server, &e), 0);
    assert_true(is_served(server, NULL, NULL));
    webhook_server_stop(server);
    open.client_ca_pem = "garbage";
    assert_true(webhook_server_start(&open, &server, &e) < 0);
    assert_non_null(strstr(e.msg, "client CA"));

    X509_free(ca);
    X509_free(good);
    X509_free(other_use);
    X509_free(stranger);
    EVP_PKEY_free(ca_key);
    EVP_PKEY_free(key);
    free(ca_text);
    free(cert_text);
    free(key_text);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(only_its_clients_are_served) };

    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests_name("client_ca", tests, NULL, NULL);
}
