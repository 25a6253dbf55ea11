/* SPDX-License-Identifier: Apache-2.0 */
#include "certs/x509.h"

#include "lib/cleanup.h"
#include "lib/mem.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define DAY INT64_C(86400)

static const char *const names[] = { "podflame-webhook-service.podflame-system.svc",
                                     "podflame-webhook-service.podflame-system.svc.cluster.local",
                                     NULL };

static void new_ca(time_t now, int64_t life, struct cert_pair *ca)
{
    struct err e = { 0 };

    if (certs_ca_create("test CA", now, life, ca, &e) < 0)
        fail_msg("%s", e.msg);
}

static void a_ca_signs_a_leaf_for_its_names(void **state)
{
    _cleanup_cert_pair_ struct cert_pair ca = { 0 }, leaf = { 0 };
    struct cert_info info;
    struct err e = { 0 };
    time_t now = time(NULL);

    (void)state;
    new_ca(now, 365 * DAY, &ca);
    assert_int_equal(certs_ca_check(&ca, now, &e), 0);
    assert_int_equal(certs_leaf_sign(&ca, names, now, 90 * DAY, &leaf, &e), 0);
    assert_int_equal(certs_describe(leaf.cert_pem, &info, &e), 0);
    assert_int_equal(info.not_before, now - CERTS_BACKDATE_S);
    assert_int_equal(info.not_after, now + 90 * DAY);
    assert_false(info.is_ca);
    assert_non_null(strstr(info.dns_names, "podflame-webhook-service.podflame-system.svc,"));
    assert_true(certs_is_signed_by(leaf.cert_pem, ca.cert_pem));
    assert_true(certs_renew_at(&info) > now + 59 * DAY && certs_renew_at(&info) < now + 61 * DAY);
}

static void a_leaf_does_not_outlive_its_ca(void **state)
{
    _cleanup_cert_pair_ struct cert_pair ca = { 0 }, leaf = { 0 };
    struct cert_info info;
    struct err e = { 0 };
    time_t now = time(NULL);

    (void)state;
    new_ca(now, DAY, &ca);
    assert_int_equal(certs_leaf_sign(&ca, names, now, 90 * DAY, &leaf, &e), 0);
    assert_int_equal(certs_describe(leaf.cert_pem, &info, &e), 0);
    assert_int_equal(info.not_after, now + DAY);
}

/* A self-signed CA with an Ed25519 key, which does not go with SHA-256. */
static const char ed25519_cert[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBHTCB0KADAgECAgEBMAUGAytlcDANMQswCQYDVQQDDAJlZDAgFw0yNjExMjMw\n"
    "NTAwNTBaGA8yMTI2MTAzMDA1MDA1MFowDTELMAkGA1UEAwwCZWQwKjAFBgMrZXAD\n"
    "IQCEFEGfbmV2pMOjZWJNV80qW4NJ0fBMJ5U3QO/IOd7rfqNTMFEwHQYDVR0OBBYE\n"
    "FJaoXOT07mLwYoJMJHnARwst2gAuMB8GA1UdIwQYMBaAFJaoXOT07mLwYoJMJHnA\n"
    "Rwst2gAuMA8GA1UdEwEB/wQFMAMBAf8wBQYDK2VwA0EAn0ZpklnOU6zm77gdzouI\n"
    "hQI4jLYZ2RoLIpd98DJQe8hnJcH/x8LZhU/hesVfSkfNvQfIBKbREL3m96Xvjflv\n"
    "CA==\n"
    "-----END CERTIFICATE-----\n";
static const char ed25519_key[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MC4CAQAwBQYDK2VwBCIEIPcYqf82XbqAA3kC47nNIvLLm9b+JyjeZLs79Gcd+OXX\n"
    "-----END PRIVATE KEY-----\n";

/* A CA whose certificates are for clients alone: an API server refuses its leaves. */
static const char clients_cert[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBwDCCAWagAwIBAgIUaD5nmvl46U0QScZhTGeXyOHclW0wCgYIKoZIzj0EAwIw\n"
    "MTERMA8GA1UECgwIcG9kZmxhbWUxHDAaBgNVBAMME3BvZGZsYW1lLXdlYmhvb2st\n"
    "Y2EwIBcNMjYxMTIzMDY1MjUyWhgPMjEyNjEwMzAwNjUyNTJaMDExETAPBgNVBAoM\n"
    "CHBvZGZsYW1lMRwwGgYDVQQDDBNwb2RmbGFtZS13ZWJob29rLWNhMFkwEwYHKoZI\n"
    "zj0CAQYIKoZIzj0DAQcDQgAEr3/3Fr19oFyf3S1gkg3ZbGUyAg0aBaPbKPAhxKOw\n"
    "cbqFYPwiC8zt8+6SFUVdD9WoyO+uW6+koIZOVsSlbAbFUKNaMFgwEgYDVR0TAQH/\n"
    "BAgwBgEB/wIBADAOBgNVHQ8BAf8EBAMCAQYwEwYDVR0lBAwwCgYIKwYBBQUHAwIw\n"
    "HQYDVR0OBBYEFApmMU2K4wGz3wE3/H55/yNbgZgIMAoGCCqGSM49BAMCA0gAMEUC\n"
    "ICUHeo9pZDhmFOmG2GAmYyLYnx5Tj7EJAAxhIT32ynTGAiEA+eYjTOV2DCtA4gSx\n"
    "hXYKE/+Dgc2rcLTw4uzKGU5yN8o=\n"
    "-----END CERTIFICATE-----\n";
static const char clients_key[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgI5duSocYhnwWYtX+\n"
    "rLiKo+9l2c+uf+csQa+Bap0UJgmhRANCAASvf/cWvX2gXJ/dLWCSDdlsZTICDRoF\n"
    "o9so8CHEo7BxuoVg/CILzO3z7pIVRV0P1ajI765br6Sghk5WxKVsBsVQ\n"
    "-----END PRIVATE KEY-----\n";

static void an_unusable_ca_is_refused_with_the_reason(void **state)
{
    _cleanup_cert_pair_ struct cert_pair ca = { 0 }, other = { 0 }, leaf = { 0 }, got = { 0 };
    struct err e = { 0 };
    time_t now = time(NULL);

    (void)state;
    new_ca(now, DAY, &ca);
    new_ca(now, DAY, &other);
    assert_int_equal(certs_leaf_sign(&ca, names, now, DAY, &leaf, &e), 0);
    _cleanup_free_ char *broken_key = mem_strdup(ca.key_pem);
    char *private_half = strchr(broken_key, '\n') + 1 + 60; /* the public one is lines below */
    *private_half = *private_half == 'A' ? 'B' : 'A';
    const struct {
        const char *name;
        struct cert_pair pair;
        time_t now;
        const char *why;
    } cases[] = {
        { "nothing", { NULL, NULL }, now, "cannot be read" },
        { "garbage", { (char *)"garbage", (char *)"garbage" }, now, "cannot be read" },
        { "key of another CA", { ca.cert_pem, other.key_pem }, now, "not that of the CA" },
        { "key that cannot sign",
          { (char *)ed25519_cert, (char *)ed25519_key },
          now,
          "cannot sign" },
        { "key with a broken private half", { ca.cert_pem, broken_key }, now, "cannot sign" },
        { "CA of clients", { (char *)clients_cert, (char *)clients_key }, now, "not for servers" },
        { "a leaf", { leaf.cert_pem, leaf.key_pem }, now, "not a CA" },
        { "expired", { ca.cert_pem, ca.key_pem }, now + 2 * DAY, "expired" },
        { "from the future", { ca.cert_pem, ca.key_pem }, now - DAY, "not valid yet" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (certs_ca_check(&cases[i].pair, cases[i].now, &e) != -EINVAL ||
            !strstr(e.msg, cases[i].why))
            fail_msg("%s: code %d, '%s'", cases[i].name, e.code, e.msg);
    }
    assert_int_equal(certs_pair_check(&ca, &e), 0);
    assert_int_equal(certs_pair_check(&(struct cert_pair){ ca.cert_pem, broken_key }, &e), -EINVAL);
    assert_int_equal(
        certs_pair_check(&(struct cert_pair){ (char *)ed25519_cert, (char *)ed25519_key }, &e), 0);
    assert_int_equal(certs_leaf_sign(&cases[1].pair, names, now, DAY, &got, &e), -EINVAL);
    assert_null(got.cert_pem);
    assert_false(certs_is_signed_by(leaf.cert_pem, other.cert_pem));
}

static void what_is_described_can_be_printed(void **state)
{
    static const char *const hostile[] = { "a\x1b[2J.svc", "b\xff.svc", NULL };
    _cleanup_cert_pair_ struct cert_pair ca = { 0 }, leaf = { 0 };
    struct cert_info info;
    struct err e = { 0 };

    (void)state;
    new_ca(time(NULL), DAY, &ca);
    assert_int_equal(certs_leaf_sign(&ca, hostile, time(NULL), DAY, &leaf, &e), 0);
    assert_int_equal(certs_describe(leaf.cert_pem, &info, &e), 0);
    assert_string_equal(info.dns_names, "a?[2J.svc, b?.svc");
    assert_string_equal(info.subject, "/O=podflame/CN=a\\x1B[2J.svc");
}

static void too_large_a_pem_is_not_parsed(void **state)
{
    _cleanup_free_ char *pem = mem_alloc(CERTS_PEM_MAX + 2);
    struct cert_info info;
    struct err e = { 0 };

    (void)state;
    memset(pem, 'A', CERTS_PEM_MAX + 1);
    pem[CERTS_PEM_MAX + 1] = '\0';
    assert_int_equal(certs_describe(pem, &info, &e), -EINVAL);
}

static void write_file(const char *path, const char *text)
{
    _cleanup_fclose_ FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
}

/* The oracle: the openssl program verifies chain, purpose and host name. */
static void openssl_verifies(const struct cert_pair *ca, const char *how)
{
    _cleanup_cert_pair_ struct cert_pair leaf = { 0 };
    struct err e = { 0 };
    char dir[] = "/tmp/test_x509.XXXXXX";
    int status = -1;

    assert_int_equal(certs_leaf_sign(ca, names, time(NULL), 90 * DAY, &leaf, &e), 0);
    assert_non_null(mkdtemp(dir));
    _cleanup_free_ char *ca_path = mem_printf("%s/ca.pem", dir);
    _cleanup_free_ char *leaf_path = mem_printf("%s/leaf.pem", dir);
    write_file(ca_path, ca->cert_pem);
    write_file(leaf_path, leaf.cert_pem);

    pid_t child = fork();
    if (child == 0) {
        execlp("openssl", "openssl", "verify", how, "-purpose", "sslserver", "-verify_hostname",
               names[0], "-CAfile", ca_path, leaf_path, (char *)NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    (void)unlink(ca_path);
    (void)unlink(leaf_path);
    (void)rmdir(dir);
    assert_int_equal(status, 0);
}

static void openssl_verifies_the_chain(void **state)
{
    _cleanup_cert_pair_ struct cert_pair ca = { 0 };

    (void)state;
    new_ca(time(NULL), 365 * DAY, &ca);
    openssl_verifies(&ca, "-x509_strict");
}

/* A CA without a subject key identifier, as others may make one: its leaves name it otherwise. */
static const char no_identifier_cert[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBRzCB76ADAgECAhQ8CqH+Z/s2MdPuJbYvpR93lNr26zAKBggqhkjOPQQDAjAR\n"
    "MQ8wDQYDVQQDDAZuby1za2kwIBcNMjYxMTIzMDk0MDA2WhgPMjEyNjEwMzAwOTQw\n"
    "MDZaMBExDzANBgNVBAMMBm5vLXNraTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IA\n"
    "BPTcluN6wH3J3NTX8bN6I4lPAdGGhapx/a6hhrRgAezWgSPZuGEhCvr0kZRi6oFC\n"
    "anBgprbbfNmH9gmNrxOREpWjIzAhMA8GA1UdEwEB/wQFMAMBAf8wDgYDVR0PAQH/\n"
    "BAQDAgIEMAoGCCqGSM49BAMCA0cAMEQCIB8p5cznPmjdivP+KgLsZfer5y7U2+Wz\n"
    "Aawtbh4Imz6gAiAsEBc5kv0GDG5n58Tj1wZBisoWAhgM+hSrSPEMaTIkCg==\n"
    "-----END CERTIFICATE-----\n";
static const char no_identifier_key[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgFNkEEFqFM4xvQ9Px\n"
    "7VM3Lvav+jHAfN9JzkuwTgF2LPyhRANCAAT03JbjesB9ydzU1/GzeiOJTwHRhoWq\n"
    "cf2uoYa0YAHs1oEj2bhhIQr69JGUYuqBQmpwYKa223zZh/YJja8TkRKV\n"
    "-----END PRIVATE KEY-----\n";

static void a_ca_without_identifier_signs(void **state)
{
    const struct cert_pair ca = { (char *)no_identifier_cert, (char *)no_identifier_key };
    struct err e = { 0 };

    (void)state;
    assert_int_equal(certs_ca_check(&ca, time(NULL), &e), 0);
    openssl_verifies(&ca, "-policy_check"); /* not strict: that wants the identifier */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ca_signs_a_leaf_for_its_names),
        cmocka_unit_test(a_leaf_does_not_outlive_its_ca),
        cmocka_unit_test(an_unusable_ca_is_refused_with_the_reason),
        cmocka_unit_test(what_is_described_can_be_printed),
        cmocka_unit_test(too_large_a_pem_is_not_parsed),
        cmocka_unit_test(openssl_verifies_the_chain),
        cmocka_unit_test(a_ca_without_identifier_signs),
    };

    return cmocka_run_group_tests_name("x509", tests, NULL, NULL);
}
