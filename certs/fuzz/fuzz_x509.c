/* SPDX-License-Identifier: Apache-2.0 */
#include "certs/x509.h"
#include "lib/digest.h"
#include "lib/fuzz/fuzz.h"

#define CERT_BEGIN "-----BEGIN CERTIFICATE-----\n"
#define CERT_END   "-----END CERTIFICATE-----\n"

static void check_printable(const char *text)
{
    for (; *text; text++)
        assert((unsigned char)*text >= ' ' && (unsigned char)*text < 0x7f);
}

/* What was split off is one certificate, alone and whole. */
static void check_split(const char *pem)
{
    char *parts[3], *again[2];
    size_t n = certs_split(pem, parts, 3);

    assert(n <= 3);
    for (size_t i = 0; i < n; i++) {
        assert(certs_split(parts[i], again, 2) == 1 && strcmp(again[0], parts[i]) == 0);
        free(again[0]);
        free(parts[i]);
    }
}

static char *pem_of(const uint8_t *der, size_t size)
{
    enum { LINE = 48 };
    struct buf pem = BUF_INIT(2 * size + 256);

    (void)buf_add_str(&pem, CERT_BEGIN);
    for (size_t at = 0; at < size; at += LINE) {
        assert(base64_encode(der + at, size - at < LINE ? size - at : LINE, &pem) == 0);
        (void)buf_add_str(&pem, "\n");
    }
    (void)buf_add_str(&pem, CERT_END);
    return buf_take(&pem, NULL);
}

/* What a Secret may hold. After a first byte, the input is an even one's certificate and, after a
 * NUL, its key, both as PEM; or an odd one's certificate as DER. What is described can be printed;
 * what passes as a CA can sign. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = { "webhook.podflame-system.svc", NULL };
    enum { NOW = 1800000000 };
    bool is_der = fuzz_take_number(&data, &size, 1);
    _cleanup_cert_pair_ struct cert_pair ca = { 0 }, leaf = { 0 };
    struct cert_info info = { 0 };
    struct err e = { 0 };

    ca.cert_pem = is_der ? pem_of(data, size) : fuzz_text(data, size);
    size_t key_at = is_der ? size : strlen(ca.cert_pem);
    ca.key_pem = fuzz_text(data + key_at + (key_at < size), size - key_at - (key_at < size));
    if (certs_describe(ca.cert_pem, &info, &e) == 0) {
        check_printable(info.subject);
        check_printable(info.dns_names);
        (void)certs_renew_at(&info);
    }
    (void)certs_is_signed_by(ca.cert_pem, ca.cert_pem);
    int pair = certs_pair_check(&ca, &e);
    check_split(ca.cert_pem);
    if (certs_ca_check(&ca, NOW, &e) == 0) {
        assert(pair == 0 && info.is_ca);
        assert(certs_leaf_sign(&ca, names, NOW, 60, &leaf, &e) == 0);
        assert(certs_is_signed_by(leaf.cert_pem, ca.cert_pem));
    }
    return 0;
}
