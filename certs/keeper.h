/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keeper: keeps the webhook's certificates right in the cluster.
 *
 * The CA lives in a Secret (tls.crt, tls.key), the leaf only in the memory of each replica, and the
 * caBundle of the ValidatingWebhookConfiguration holds the CA. One check reads all three, makes
 * what is missing or unusable, and changes nothing else: it may run at any time, in any number of
 * replicas. Two that make a CA at once meet at the Secret: the first write wins, the other reads
 * it.
 *
 * The caBundle is written by server-side apply as field manager CERTS_FIELD_MANAGER, so that
 * applying the manifests again leaves it alone. Owned by one thread, like its client.
 */
#pragma once

#include "certs/x509.h"

#include <stdbool.h>
#include <time.h>

#define CERTS_FIELD_MANAGER "podflame-certs"

enum {
    CERTS_CA_LIFE_S = 365 * 86400,
    CERTS_LEAF_LIFE_S = 90 * 86400,
};

struct kube_client;

/* Where things are; borrowed for the keeper's life. */
struct certs_place {
    const char *ns;
    const char *secret;
    const char *service;               /* whose DNS names the leaf carries */
    const char *webhook_configuration; /* the ValidatingWebhookConfiguration */
};

extern const struct certs_place certs_place_default; /* ns: podflame-system */

struct certs_keeper;

struct certs_keeper *certs_keeper_new(struct kube_client *client, const struct certs_place *place);
void certs_keeper_free(struct certs_keeper *keeper); /* NULL is fine */

/* What one check did. */
struct certs_changes {
    bool ca_made, bundle_written, leaf_made;
};

/*
 * One pass at time @now. On failure the message says which object and why, and what was right
 * before is kept: a leaf that was there goes on serving.
 */
int certs_keeper_check(struct certs_keeper *keeper, time_t now, struct certs_changes *ret,
                       struct err *e) WARN_UNUSED;

/* Borrowed until the next check; NULL before the first that succeeded. */
const struct cert_pair *certs_keeper_leaf(const struct certs_keeper *keeper);
const struct cert_pair *certs_keeper_ca(const struct certs_keeper *keeper);
