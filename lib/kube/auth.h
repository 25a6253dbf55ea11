/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kube/auth: the token and the CA as they are now. Files are read again when a minute has passed,
 * and at once after a 401. Belongs to one thread.
 */
#pragma once

#include "lib/err.h"
#include "lib/kube/config.h"

#include <stdint.h>

enum { KUBE_AUTH_REFRESH_MS = 60000 };

struct kube_auth {
    const struct kube_config *config; /* borrowed */
    char *token;                      /* owned; NULL: none */
    char *ca_pem;                     /* owned; NULL: the system's store */
    int64_t loaded_ms;                /* monotonic; 0: never */
};

void kube_auth_init(struct kube_auth *auth, const struct kube_config *config);
void kube_auth_release(struct kube_auth *auth);

/* Reads what is due. A file that cannot be read is an error only when nothing was read before. */
int kube_auth_refresh(struct kube_auth *auth, struct err *e) WARN_UNUSED;

/* After a 401: true when the file holds another token than the one that was refused. */
bool kube_auth_renew(struct kube_auth *auth);
