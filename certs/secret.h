/* SPDX-License-Identifier: Apache-2.0 */
/*
 * secret: the webhook's CAs as they lie in a Secret.
 *
 *   tls.crt, tls.key     the current CA
 *   next.crt, next.key   the next one, while there is one
 *   previous.crt         the certificates of earlier ones that leaves may still come from, and
 * until when: the annotation podflame.profilepod.io/previous-until
 *
 * Whatever cannot be read is as good as absent: anybody with the right may edit a Secret.
 */
#pragma once

#include "certs/x509.h"

struct kube_client;

struct ca_set {
    struct cert_pair current, next; /* texts may be NULL or garbage: certs_ca_check() tells */
    char *previous_pem;             /* owned; NULL: none */
    time_t previous_until;          /* 0: not told */
    char *version, *type;           /* of the Secret that was read; NULL: there is none */
};

void ca_set_release(struct ca_set *set);
#define _cleanup_ca_set_ __attribute__((cleanup(ca_set_release)))

/* A Secret that does not exist is an empty set. */
int ca_set_read(struct kube_client *client, const char *ns, const char *name, struct ca_set *ret,
                struct err *e) WARN_UNUSED;

/* Creates the Secret, or replaces the one that @set was read from. -EEXIST, -ESTALE, -ENOENT:
 * somebody else has changed it since. */
int ca_set_write(struct kube_client *client, const char *ns, const char *name,
                 const struct ca_set *set, struct err *e) WARN_UNUSED;
