/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/certificate.h"

#include "lib/mem.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { PEM_MAX = 1024 * 1024 };

struct certificate {
    atomic_int refs;
    gnutls_certificate_credentials_t credentials;
};

/* GnuTLS only reads the text, but takes no const. */
static gnutls_datum_t datum(const char *text)
{
    gnutls_datum_t d = { .size = (unsigned)strnlen(text, PEM_MAX) };

    memcpy(&d.data, &text, sizeof(d.data));
    return d;
}

int certificate_new(const char *cert_pem, const char *key_pem, struct certificate **ret,
                    struct err *e)
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

int certificate_use(const struct certificate *c, gnutls_session_t session)
{
    return gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, c->credentials) < 0 ? -EIO : 0;
}
