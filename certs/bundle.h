/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bundle: the caBundle of every webhook of one ValidatingWebhookConfiguration.
 *
 * Written by server-side apply as field manager CERTS_FIELD_MANAGER, so that applying the manifests
 * again leaves it alone, and only on top of the version that was read: whoever read it before the
 * Secret cannot take a CA out that somebody has just put in.
 */
#pragma once

#include "lib/err.h"

#include <stdbool.h>

#define CERTS_FIELD_MANAGER "podflame-certs"

enum { BUNDLE_WEBHOOKS_MAX = 16, BUNDLE_CERTS_MAX = 8 };

struct kube_client;
struct json_object;

struct bundle {
    struct json_object *hooks; /* what was read; NULL: there is no such configuration */
    char *pem;                 /* the first webhook's, decoded; "" when there is none; owned */
    bool alike;                /* all webhooks have the same */
};

void bundle_release(struct bundle *bundle);
#define _cleanup_bundle_ __attribute__((cleanup(bundle_release)))

/* A configuration that does not exist is no failure. */
int bundle_read(struct kube_client *client, const char *name, struct bundle *ret,
                struct err *e) WARN_UNUSED;

/* The annotation by which somebody else is asked to write the caBundle, as cert-manager is; NULL:
 * there is none. */
const char *bundle_kept_by(const struct bundle *bundle);

/* -ESTALE, -ENOENT: somebody else has changed it since. */
int bundle_write(struct kube_client *client, const char *name, const struct bundle *bundle,
                 const char *pem, struct err *e) WARN_UNUSED;
