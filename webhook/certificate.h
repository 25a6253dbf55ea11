/* SPDX-License-Identifier: Apache-2.0 */
/*
 * certificate: a serving certificate and its key, shared by the TLS sessions that began with it.
 *
 * Immutable once made, counted, thread-safe: the server swaps the one for new sessions at any time,
 * and those under way keep theirs until they end.
 */
#pragma once

#include "lib/err.h"

#include <gnutls/gnutls.h>

struct certificate;

/* From PEM texts (the leaf first, then its chain). -EINVAL when either cannot be read or when they
 * do not belong together. With @client_ca_pem, clients must show a certificate that one of these
 * signed for client authentication; NULL: nothing is asked of them. */
int certificate_new(const char *cert_pem, const char *key_pem, const char *client_ca_pem,
                    struct certificate **ret, struct err *e) WARN_UNUSED;

struct certificate *certificate_ref(struct certificate *c);
void certificate_unref(struct certificate *c); /* NULL is fine */

/* Makes a session that has not begun its handshake present @c, which must outlive it. */
int certificate_use(const struct certificate *c, gnutls_session_t session) WARN_UNUSED;
