/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store: in place of kube/client: one Secret and one ValidatingWebhookConfiguration, and nothing
 * else of an API server. What is read is what the fuzz target has put there; what is written
 * must be JSON, and is read from then on.
 */
#pragma once

#include "lib/cleanup.h"
#include "lib/fuzz/fuzz.h"
#include "lib/json.h"
#include "lib/kube/client.h"

#include <errno.h>

static struct json_object *stored_secret, *stored_hooks; /* NULL: there is none */
static int stored_version = 100;                         /* of the Secret that was written last */

void kube_response_init(struct kube_response *response)
{
    *response = (struct kube_response){ 0 };
}

void kube_response_release(struct kube_response *response)
{
    (void)response;
}

static struct json_object *stored_at(const char *path)
{
    assert(!strpbrk(path, " \r\n#\""));
    return strstr(path, "/secrets") ? stored_secret : stored_hooks;
}

int kube_client_json(struct kube_client *client, const struct kube_request *request,
                     struct json_object **ret, struct err *e)
{
    struct json_object *stored = stored_at(request->path);

    (void)client;
    if (!stored)
        return err_set(e, -ENOENT, "there is none");
    *ret = json_object_get(stored);
    return 0;
}

static void store_secret(struct json_object *body)
{
    char version[16];

    (void)snprintf(version, sizeof(version), "%d", ++stored_version);
    json_set_str(json_get(body, "metadata"), "resourceVersion", version);
    json_put(stored_secret);
    stored_secret = json_object_get(body);
}

static void store_bundles(struct json_object *body)
{
    struct json_object *to = json_get_array(stored_hooks, "webhooks"),
                       *from = json_get_array(body, "webhooks");
    size_t n = to ? json_object_array_length(to) : 0;

    for (size_t i = 0; i < n && i < json_object_array_length(from); i++) {
        struct json_object *config =
            json_get_object(json_object_array_get_idx(to, i), "clientConfig");
        const char *base64 =
            json_get_str(json_object_array_get_idx(from, i), "clientConfig.caBundle");

        assert(base64);
        if (config)
            json_set_str(config, "caBundle", base64);
    }
}

int kube_client_request(struct kube_client *client, const struct kube_request *request,
                        struct kube_response *response, struct err *e)
{
    _cleanup_json_ struct json_object *body = NULL;

    (void)client, (void)response;
    (void)stored_at(request->path);
    assert(json_parse(request->body, request->len, 64, &body, e) == 0);
    if (strstr(request->path, "/secrets"))
        store_secret(body);
    else
        store_bundles(body);
    return 0;
}

static void store_clear(void)
{
    json_put(stored_secret);
    json_put(stored_hooks);
    stored_secret = stored_hooks = NULL;
}
