/* SPDX-License-Identifier: Apache-2.0 */
/* The listener below HTTP: handshakes, records, versions and certificates. */
#include "lib/metrics.h"
#include "webhook/tests/serving.h"

#include <netinet/tcp.h>
#include <poll.h>

/* The start of a ClientHello record that announces much more. */
static const char half_a_hello[] = { 0x16, 0x03, 0x01,       0x3f, 0x00, 0x01,
                                     0x00, 0x3e, (char)0xfc, 0x03, 0x03 };

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
    int64_t took;

    (void)state;
    took = dribble(connect_plain(), half_a_hello, sizeof(half_a_hello));
    if (took < REQUEST_MS / 2 || took > LATE_MS)
        fail_msg("cut after %lld ms", (long long)took);
}

static int64_t used_cpu_ms(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void a_handshake_that_waits_costs_no_cpu(void **state)
{
    enum { WAIT_MS = 1000, MOST_MS = 50 };
    int fd = connect_plain();

    (void)state;
    assert_int_equal(send(fd, half_a_hello, sizeof(half_a_hello), 0), sizeof(half_a_hello));
    int64_t begin = used_cpu_ms();
    sleep_ms(WAIT_MS);
    int64_t took = used_cpu_ms() - begin;
    if (took > MOST_MS)
        fail_msg("%lld ms of CPU", (long long)took);
    (void)close(fd);
}

static void count_hellos(int write, int version, int type, const void *data, size_t len, SSL *ssl,
                         void *count)
{
    (void)version;
    (void)ssl;
    if (write && type == SSL3_RT_HANDSHAKE && len > 0 &&
        *(const unsigned char *)data == SSL3_MT_CLIENT_HELLO)
        ++*(int *)count;
}

/* API servers send a key share of X25519 and offer the NIST curves without one. */
static void the_key_share_of_an_api_server_is_taken(void **state)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl = connect_tls(ctx);
    int hellos = 0;

    (void)state;
    assert_int_equal(SSL_set1_groups_list(ssl, "X25519:P-256:P-384:P-521"), 1);
    SSL_set_msg_callback(ssl, count_hellos);
    SSL_set_msg_callback_arg(ssl, &hellos);
    assert_int_equal(SSL_connect(ssl), 1);
    assert_int_equal(hellos, 1);
    close_tls(ssl);
    SSL_CTX_free(ctx);
}

static void cork(SSL *ssl, int on)
{
    assert_int_equal(setsockopt(SSL_get_fd(ssl), IPPROTO_TCP, TCP_CORK, &on, sizeof(on)), 0);
}

/* Nothing that was read ahead may wait for bytes that never come. */
static void records_that_come_together_are_read(void **state)
{
    static const char review[] = REVIEW("x");
    const struct timeval patience = { .tv_sec = 5 };
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl = connect_tls(ctx);

    (void)state;
    assert_int_equal(
        setsockopt(SSL_get_fd(ssl), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
    assert_int_equal(SSL_connect(ssl), 1);
    for (size_t first = 0; first < sizeof(review) - 1; first += 40) {
        char head[512], reply[4096];
        int len = snprintf(head, sizeof(head),
                           "POST " WEBHOOK_PATH " HTTP/1.1\r\nHost: x\r\n"
                           "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
                           sizeof(review) - 1);
        int rest = (int)(sizeof(review) - 1 - first);

        cork(ssl, 1);
        assert_int_equal(SSL_write(ssl, head, len), len);
        if (first > 0)
            assert_int_equal(SSL_write(ssl, review, (int)first), (int)first);
        assert_int_equal(SSL_write(ssl, review + first, rest), rest);
        cork(ssl, 0);
        len = 0;
        while (len == 0 || !strstr(reply, "\"uid\":\"u-1\"")) {
            int got = SSL_read(ssl, reply + len, (int)sizeof(reply) - 1 - len);

            if (got <= 0)
                fail_msg("body cut after %zu: no answer", first);
            len += got;
            reply[len] = '\0';
        }
    }
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVED(a_slow_handshake_is_cut),
        SERVED(a_handshake_that_waits_costs_no_cpu),
        SERVED(the_key_share_of_an_api_server_is_taken),
        SERVED(records_that_come_together_are_read),
        SERVED(slow_clients_do_not_keep_others_waiting),
        SERVED(old_protocols_are_refused),
        SERVED(refused_certificates_are_counted),
        SERVED(the_certificate_is_replaced_without_a_restart),
    };

    return cmocka_run_group_tests_name("server_tls", tests, set_up, tear_down);
}
