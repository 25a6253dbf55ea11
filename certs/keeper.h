/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keeper: keeps the webhook's certificates right in the cluster.
 *
 * The CAs live in a Secret (certs/secret.h), the leaf only in the memory of each replica, and the
 * caBundle of the ValidatingWebhookConfiguration holds every CA that a leaf may come from. One
 * check reads them, asks certs/plan.h what is to be done, and does it, until there is nothing left.
 * It may run at any time and in any number of replicas; the one that leads writes. Should two
 * believe that they lead, every write names the version that it is based on: the first wins, the
 * other looks again. A caBundle that is somebody else's (bundle_kept_by()) is left alone, and the
 * check fails.
 *
 * Owned by one thread, like its client.
 */
#pragma once

#include "certs/plan.h"
#include "certs/x509.h"

struct kube_client;

/* Where things are; borrowed for the keeper's life. */
struct certs_place {
    const char *ns;
    const char *secret;
    const char *service; /* whose DNS names the leaf carries; NULL: no leaf is wanted */
    const char *webhook_configuration; /* the ValidatingWebhookConfiguration */
};

extern const struct certs_place certs_place_default; /* ns: podflame-system */

struct certs_keeper;

struct certs_keeper *certs_keeper_new(struct kube_client *client, const struct certs_place *place,
                                      const struct certs_policy *policy);
void certs_keeper_free(struct certs_keeper *keeper); /* NULL is fine */

/* What one check did: how many times each action. */
struct certs_changes {
    unsigned done[CERTS_ACTION_COUNT];
};

/*
 * One check at time @now. What fails does not keep the rest from being done, and what was right
 * before is kept: a leaf that was there goes on serving, and is renewed from what was read last.
 * The message of the first failure says which object and why.
 */
int certs_keeper_check(struct certs_keeper *keeper, bool leads, time_t now,
                       struct certs_changes *ret, struct err *e) WARN_UNUSED;

/* Borrowed until the next check; NULL while there is none. */
const struct cert_pair *certs_keeper_leaf(const struct certs_keeper *keeper);

/* At the last check the caBundle held the CA of the leaf, or there was no webhook to be called. */
bool certs_keeper_is_trusted(const struct certs_keeper *keeper);
