/* SPDX-License-Identifier: Apache-2.0 */
#include "certs/x509.h"

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/digest.h"
#include "lib/mem.h"

#include <errno.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

DEFINE_CLEANUP(X509 *, X509_free)
DEFINE_CLEANUP(EVP_PKEY *, EVP_PKEY_free)
DEFINE_CLEANUP(BIO *, BIO_free_all)
DEFINE_CLEANUP(BIGNUM *, BN_free)
DEFINE_CLEANUP(EVP_MD_CTX *, EVP_MD_CTX_free)

#define _cleanup_x509_ __attribute__((cleanup(X509_freep)))
#define _cleanup_key_  __attribute__((cleanup(EVP_PKEY_freep)))
#define _cleanup_bio_  __attribute__((cleanup(BIO_free_allp)))
#define _cleanup_bn_   __attribute__((cleanup(BN_freep)))
#define _cleanup_md_   __attribute__((cleanup(EVP_MD_CTX_freep)))

enum { SERIAL_BITS = 159 };

void cert_pair_release(struct cert_pair *pair)
{
    free(pair->cert_pem);
    if (pair->key_pem)
        explicit_bzero(pair->key_pem, strlen(pair->key_pem));
    free(pair->key_pem);
    *pair = (struct cert_pair){ 0 };
}

static int openssl_failed(const char *what, struct err *e)
{
    char why[160] = "unknown error";
    unsigned long code = ERR_peek_last_error();

    if (code)
        ERR_error_string_n(code, why, sizeof(why));
    ERR_clear_error();
    return err_set(e, -EINVAL, "%s: %s", what, why);
}

int64_t certs_backdate(int64_t life_s)
{
    return life_s / 10 < CERTS_BACKDATE_S ? life_s / 10 : CERTS_BACKDATE_S;
}

static char *bio_text(BIO *bio)
{
    char *data = NULL;
    long len = BIO_get_mem_data(bio, &data);

    return mem_strndup(data, (size_t)len);
}

static int pair_to_pem(X509 *cert, EVP_PKEY *key, struct cert_pair *ret, struct err *e)
{
    _cleanup_bio_ BIO *cert_bio = BIO_new(BIO_s_mem());
    _cleanup_bio_ BIO *key_bio = BIO_new(BIO_s_mem());

    if (!cert_bio || !key_bio || !PEM_write_bio_X509(cert_bio, cert) ||
        !PEM_write_bio_PKCS8PrivateKey(key_bio, key, NULL, NULL, 0, NULL, NULL))
        return openssl_failed("write PEM", e);
    *ret = (struct cert_pair){ .cert_pem = bio_text(cert_bio), .key_pem = bio_text(key_bio) };
    return 0;
}

static X509 *read_cert(const char *pem)
{
    size_t len = strnlen(pem, CERTS_PEM_MAX + 1);
    _cleanup_bio_ BIO *bio = len <= CERTS_PEM_MAX ? BIO_new_mem_buf(pem, (int)len) : NULL;

    return bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
}

static int refuse_passphrase(char *text, int size, int writing, void *ctx)
{
    (void)text, (void)size, (void)writing, (void)ctx;
    return -1;
}

static EVP_PKEY *read_key(const char *pem)
{
    size_t len = strnlen(pem, CERTS_PEM_MAX + 1);
    _cleanup_bio_ BIO *bio = len <= CERTS_PEM_MAX ? BIO_new_mem_buf(pem, (int)len) : NULL;

    return bio ? PEM_read_bio_PrivateKey(bio, NULL, refuse_passphrase, NULL) : NULL;
}

static bool add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;

    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    bool ok = ext && X509_add_ext(cert, ext, -1);
    X509_EXTENSION_free(ext);
    return ok;
}

struct extension {
    int nid;
    const char *value;
};

/* Fills what CA and leaf have in common and signs; @issuer == @cert makes it self-signed. */
static bool fill_and_sign(X509 *cert, EVP_PKEY *key, const char *common_name, time_t from,
                          time_t to, X509 *issuer, EVP_PKEY *issuer_key,
                          const struct extension *extensions)
{
    _cleanup_bn_ BIGNUM *serial = BN_new();
    X509_NAME *name = X509_get_subject_name(cert);

    if (!serial || !BN_rand(serial, SERIAL_BITS, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) ||
        !BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(cert)) || !X509_set_version(cert, 2) ||
        !X509_time_adj_ex(X509_getm_notBefore(cert), 0, 0, &from) ||
        !X509_time_adj_ex(X509_getm_notAfter(cert), 0, 0, &to) || !X509_set_pubkey(cert, key) ||
        !X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8, (const unsigned char *)"podflame", -1,
                                    -1, 0) ||
        !X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)common_name,
                                    -1, -1, 0) ||
        !X509_set_issuer_name(cert, X509_get_subject_name(issuer)))
        return false;
    for (const struct extension *x = extensions; x->nid; x++)
        if (!add_extension(cert, issuer, x->nid, x->value))
            return false;
    return X509_sign(cert, issuer_key, EVP_sha256()) > 0;
}

int certs_ca_create(const char *common_name, time_t now, int64_t life_s, struct cert_pair *ret,
                    struct err *e)
{
    static const struct extension extensions[] = {
        { NID_basic_constraints, "critical,CA:TRUE,pathlen:0" },
        { NID_key_usage, "critical,keyCertSign,cRLSign" },
        { NID_subject_key_identifier, "hash" },
        { 0, NULL },
    };
    _cleanup_key_ EVP_PKEY *key = EVP_EC_gen("P-256");
    _cleanup_x509_ X509 *cert = X509_new();

    if (!key || !cert ||
        !fill_and_sign(cert, key, common_name, now - certs_backdate(life_s), now + life_s, cert,
                       key, extensions))
        return openssl_failed("make a CA", e);
    return pair_to_pem(cert, key, ret, e);
}

static int time_of(const ASN1_TIME *asn1, time_t *ret)
{
    struct tm tm;

    if (!ASN1_TIME_to_tm(asn1, &tm))
        return -EINVAL;
    *ret = timegm(&tm);
    return 0;
}

/* A key may not go with the digest (Ed25519 with SHA-256; NULL: its own one), not sign at all
 * (X25519), or hold a public half that is not its own, which is all that X509_check_private_key()
 * compares. */
static bool signs_for(EVP_PKEY *key, X509 *cert, const EVP_MD *digest)
{
    _cleanup_md_ EVP_MD_CTX *sign = EVP_MD_CTX_new(), *verify = EVP_MD_CTX_new();
    unsigned char signature[2048];
    const unsigned char *text = (const unsigned char *)"podflame";
    size_t n = sizeof(signature), len = strlen("podflame");

    return sign && verify && EVP_DigestSignInit(sign, NULL, digest, NULL, key) > 0 &&
           EVP_DigestSign(sign, signature, &n, text, len) > 0 &&
           EVP_DigestVerifyInit(verify, NULL, digest, NULL, X509_get0_pubkey(cert)) > 0 &&
           EVP_DigestVerify(verify, signature, n, text, len) > 0;
}

static int ca_load(const struct cert_pair *ca, X509 **ret_cert, EVP_PKEY **ret_key, struct err *e)
{
    _cleanup_x509_ X509 *cert = ca->cert_pem ? read_cert(ca->cert_pem) : NULL;
    _cleanup_key_ EVP_PKEY *key = ca->key_pem ? read_key(ca->key_pem) : NULL;

    if (!cert)
        return openssl_failed("the CA certificate cannot be read", e);
    if (!key)
        return openssl_failed("the key of the CA cannot be read", e);
    if (X509_check_ca(cert) != 1)
        return err_set(e, -EINVAL, "the certificate is not a CA");
    if (!(X509_get_extended_key_usage(cert) & (XKU_SSL_SERVER | XKU_ANYEKU))) /* all: not limited */
        return err_set(e, -EINVAL, "the CA is not for servers, says its extended key usage");
    if (X509_check_private_key(cert, key) != 1)
        return openssl_failed("the key is not that of the CA certificate", e);
    if (!signs_for(key, cert, EVP_sha256()))
        return openssl_failed("the key cannot sign for the CA certificate", e);
    *ret_cert = take_ptr(cert);
    *ret_key = take_ptr(key);
    return 0;
}

int certs_leaf_sign(const struct cert_pair *ca, const char *const *dns_names, time_t now,
                    int64_t life_s, struct cert_pair *ret, struct err *e)
{
    _cleanup_x509_ X509 *ca_cert = NULL;
    _cleanup_key_ EVP_PKEY *ca_key = NULL;
    _cleanup_buf_ struct buf names = BUF_INIT(4096);
    time_t ca_end;

    if (ca_load(ca, &ca_cert, &ca_key, e) < 0)
        return e->code;
    if (time_of(X509_get0_notAfter(ca_cert), &ca_end) < 0)
        return err_set(e, -EINVAL, "the CA certificate has no readable end");
    for (size_t i = 0; dns_names[i]; i++)
        (void)buf_printf(&names, "%sDNS:%s", i ? "," : "", dns_names[i]);
    if (names.len == 0 || buf_overflowed(&names))
        return err_set(e, -EINVAL, "a leaf needs from one name to 4096 bytes of names");

    const struct extension extensions[] = {
        { NID_basic_constraints, "critical,CA:FALSE" },
        { NID_key_usage, "critical,digitalSignature" },
        { NID_ext_key_usage, "serverAuth" },
        { NID_subject_alt_name, buf_str(&names) },
        { NID_subject_key_identifier, "hash" },
        { NID_authority_key_identifier, "keyid,issuer" },
        { 0, NULL },
    };
    time_t end = now + life_s < ca_end ? now + life_s : ca_end;
    time_t begin = now - certs_backdate(life_s);
    _cleanup_key_ EVP_PKEY *key = EVP_EC_gen("P-256");
    _cleanup_x509_ X509 *cert = X509_new();

    if (!key || !cert ||
        !fill_and_sign(cert, key, dns_names[0], begin, end, ca_cert, ca_key, extensions))
        return openssl_failed("sign a leaf", e);
    return pair_to_pem(cert, key, ret, e);
}

static void describe_dns_names(X509 *cert, char *text, size_t size)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    size_t len = 0;

    text[0] = '\0';
    for (int i = 0; i < sk_GENERAL_NAME_num(names) && len < size; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

        if (name->type != GEN_DNS)
            continue;
        int n = snprintf(text + len, size - len, "%s%.*s", len ? ", " : "",
                         ASN1_STRING_length(name->d.dNSName),
                         (const char *)ASN1_STRING_get0_data(name->d.dNSName));
        if (n > 0)
            len += (size_t)n;
    }
    GENERAL_NAMES_free(names);
    for (char *c = text; *c; c++) /* it will be printed and logged */
        if ((unsigned char)*c < ' ' || (unsigned char)*c >= 0x7f)
            *c = '?';
}

int certs_describe(const char *cert_pem, struct cert_info *ret, struct err *e)
{
    _cleanup_x509_ X509 *cert = read_cert(cert_pem);
    struct cert_info info = { 0 };
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned int n = 0;

    if (!cert)
        return openssl_failed("the certificate cannot be read", e);
    if (time_of(X509_get0_notBefore(cert), &info.not_before) < 0 ||
        time_of(X509_get0_notAfter(cert), &info.not_after) < 0 ||
        X509_digest(cert, EVP_sha256(), sum, &n) != 1 || n != 32)
        return openssl_failed("the certificate cannot be described", e);
    hex_encode(sum, n, info.sha256);
    (void)X509_NAME_oneline(X509_get_subject_name(cert), info.subject, sizeof(info.subject));
    describe_dns_names(cert, info.dns_names, sizeof(info.dns_names));
    info.is_ca = X509_check_ca(cert) == 1;
    *ret = info;
    return 0;
}

int certs_ca_check(const struct cert_pair *ca, time_t now, struct err *e)
{
    _cleanup_x509_ X509 *cert = NULL;
    _cleanup_key_ EVP_PKEY *key = NULL;
    time_t from, to;

    if (ca_load(ca, &cert, &key, e) < 0)
        return e->code;
    if (time_of(X509_get0_notBefore(cert), &from) < 0 || time_of(X509_get0_notAfter(cert), &to) < 0)
        return err_set(e, -EINVAL, "the CA certificate has no readable life");
    if (now < from - CERTS_BACKDATE_S)
        return err_set(e, -EINVAL, "the CA certificate is not valid yet");
    if (now >= to)
        return err_set(e, -EINVAL, "the CA certificate has expired");
    return 0;
}

int certs_pair_check(const struct cert_pair *pair, struct err *e)
{
    _cleanup_x509_ X509 *cert = pair->cert_pem ? read_cert(pair->cert_pem) : NULL;
    _cleanup_key_ EVP_PKEY *key = pair->key_pem ? read_key(pair->key_pem) : NULL;

    if (!cert)
        return openssl_failed("the certificate cannot be read", e);
    if (!key)
        return openssl_failed("the key cannot be read", e);
    if (X509_check_private_key(cert, key) != 1 || !signs_for(key, cert, NULL))
        return openssl_failed("the key is not that of the certificate", e);
    return 0;
}

bool certs_is_signed_by(const char *cert_pem, const char *ca_pem)
{
    _cleanup_x509_ X509 *cert = read_cert(cert_pem);
    _cleanup_x509_ X509 *ca = read_cert(ca_pem);
    bool signed_by = cert && ca && X509_verify(cert, X509_get0_pubkey(ca)) == 1;

    ERR_clear_error();
    return signed_by;
}

time_t certs_renew_at(const struct cert_info *info)
{
    return info->not_before + (info->not_after - info->not_before) / 3 * 2;
}

size_t certs_split(const char *pem, char **ret, size_t max)
{
    size_t len = strnlen(pem, CERTS_PEM_MAX + 1), n = 0;
    _cleanup_bio_ BIO *bio = len <= CERTS_PEM_MAX ? BIO_new_mem_buf(pem, (int)len) : NULL;

    while (bio && n < max) {
        _cleanup_x509_ X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
        _cleanup_bio_ BIO *out = BIO_new(BIO_s_mem());

        if (!cert && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE)
            break;
        if (cert && out && PEM_write_bio_X509(out, cert))
            ret[n++] = bio_text(out);
    }
    ERR_clear_error();
    return n;
}
