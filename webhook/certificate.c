/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/certificate.h"

#include "lib/mem.h"

#include <gnutls/x509.h>

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { PEM_MAX = 1024 * 1024 };

struct certificate {
    atomic_int refs;
    gnutls_certificate_credentials_t credentials;
    bool asks_client; /* for a certificate */
};

/* GnuTLS only reads the text, but takes no const. */
static gnutls_datum_t datum(const char *text)
{
    gnutls_datum_t d = { .size = (unsigned)strnlen(text, PEM_MAX) };

    memcpy(&d.data, &text, sizeof(d.data));
    return d;
}

static int trust_client_ca(struct certificate *c, const char *pem, struct err *e)
{
    gnutls_datum_t ca = datum(pem);
    int n = gnutls_certificate_set_x509_trust_mem(c->credentials, &ca, GNUTLS_X509_FMT_PEM);

    if (n <= 0)
        return err_set(e, -EINVAL, "client CA: %s", n ? gnutls_strerror(n) : "no certificate");
    c->asks_client = true;
    return 0;
}

int certificate_new(const char *cert_pem, const char *key_pem, const char *client_ca_pem,
                    struct certificate **ret, struct err *e)
{
    gnutls_datum_t cert = datum(cert_pem), key = datum(key_pem);
    struct certificate *c = mem_zalloc(sizeof(*c));

    atomic_init(&c->refs, 1);
    int code = gnutls_certificate_allocate_credentials(&c->credentials);
    if (code >= 0)
        code = gnutls_certificate_set_x509_key_mem2(c->credentials, &cert, &key,
                                                    GNUTLS_X509_FMT_PEM, NULL, 0);
    if (code < 0) {
        certificate_unref(c);
        return err_set(e, -EINVAL, "serving certificate: %s", gnutls_strerror(code));
    }
    if (client_ca_pem && trust_client_ca(c, client_ca_pem, e) < 0) {
        certificate_unref(c);
        return e->code;
    }
    *ret = c;
    return 0;
}

struct certificate *certificate_ref(struct certificate *c)
{
    atomic_fetch_add(&c->refs, 1);
    return c;
}

void certificate_unref(struct certificate *c)
{
    if (!c || atomic_fetch_sub(&c->refs, 1) != 1)
        return;
    if (c->credentials)
        gnutls_certificate_free_credentials(c->credentials);
    free(c);
}

/* GnuTLS reads it when the handshake comes to it, and takes no const. */
static unsigned char client_purpose[] = GNUTLS_KP_TLS_WWW_CLIENT;
static gnutls_typed_vdata_st client_checks[] = {
    { .type = GNUTLS_DT_KEY_PURPOSE_OID, .data = client_purpose },
};

int certificate_use(const struct certificate *c, gnutls_session_t session)
{
    if (gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, c->credentials) < 0)
        return -EIO;
    if (c->asks_client) {
        gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUIRE);
        gnutls_session_set_verify_cert2(session, client_checks, 1, 0);
    }
    return 0;
}
