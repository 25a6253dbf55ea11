/* SPDX-License-Identifier: Apache-2.0 */
/*
 * x509: make and judge the certificates of the webhook, by OpenSSL.
 *
 * ECDSA P-256 keys, SHA-256 signatures, random 159-bit serials (RFC 5280, 4.1.2.2). A CA is limited
 * to path length 0 and key usage certSign; a leaf is for serverAuth only and carries the DNS names
 * as subjectAltName, where API servers look. Certificates start CERTS_BACKDATE_S in the past (a
 * tenth of a life that is short), so that a clock that is behind does not refuse them, and our own
 * clock may be as much behind that of whoever made a CA. Pure but for the random numbers: the
 * caller brings the time. PEM from a Secret is untrusted: size is bounded before it is parsed.
 */
#pragma once

#include "lib/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

enum { CERTS_BACKDATE_S = 3600, CERTS_PEM_MAX = 64 * 1024 };

struct cert_pair {
    char *cert_pem; /* owned, NUL-terminated */
    char *key_pem;  /* owned, PKCS#8, not encrypted */
};

void cert_pair_release(struct cert_pair *pair);
#define _cleanup_cert_pair_ __attribute__((cleanup(cert_pair_release)))

struct cert_info {
    time_t not_before, not_after;
    char subject[256];   /* "/O=podflame/CN=..." */
    char dns_names[512]; /* separated by ", " */
    char sha256[65];     /* of the DER form */
    bool is_ca;
};

int certs_ca_create(const char *common_name, time_t now, int64_t life_s, struct cert_pair *ret,
                    struct err *e) WARN_UNUSED;

/* Signs a new key for @dns_names (NULL-terminated, the first is the common name) with @ca. A leaf
 * does not outlive its CA. -EINVAL when @ca is no usable CA. */
int certs_leaf_sign(const struct cert_pair *ca, const char *const *dns_names, time_t now,
                    int64_t life_s, struct cert_pair *ret, struct err *e) WARN_UNUSED;

/* Describes the first certificate of @cert_pem. */
int certs_describe(const char *cert_pem, struct cert_info *ret, struct err *e) WARN_UNUSED;

/* By how much earlier than now a certificate of that life begins. */
int64_t certs_backdate(int64_t life_s);

/* 0 when @ca can sign now: it parses, it is a CA, the key is its own, and it is within its life, or
 * begins within CERTS_BACKDATE_S. -EINVAL says what is wrong. */
int certs_ca_check(const struct cert_pair *ca, time_t now, struct err *e) WARN_UNUSED;

/* 0 when the first certificate of @pair and its key can be read and belong together. */
int certs_pair_check(const struct cert_pair *pair, struct err *e) WARN_UNUSED;

/* True when the first certificate of @cert_pem carries a signature of the first one of @ca_pem. */
bool certs_is_signed_by(const char *cert_pem, const char *ca_pem);

/* Each readable certificate of @pem as a text of its own, in order, at most @max of them; what is
 * no certificate is skipped. Owned by the caller. Returns how many. */
size_t certs_split(const char *pem, char **ret, size_t max);

/* When a certificate is to be replaced: at two thirds of its life. */
time_t certs_renew_at(const struct cert_info *info);
