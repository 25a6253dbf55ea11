/* SPDX-License-Identifier: Apache-2.0 */
#include "certs/keeper.h"

#include "lib/cleanup.h"
#include "lib/digest.h"
#include "lib/json.h"
#include "lib/kube/client.h"
#include "lib/mem.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { ATTEMPTS = 5, WEBHOOKS_MAX = 16 };

const struct certs_place certs_place_default = {
    .ns = "podflame-system",
    .secret = "podflame-webhook-ca",
    .service = "podflame-webhook-service",
    .webhook_configuration = "podflame-validating-webhook-configuration",
};

struct certs_keeper {
    struct kube_client *client; /* borrowed */
    struct certs_place place;
    struct cert_pair ca, leaf;
};

struct certs_keeper *certs_keeper_new(struct kube_client *client, const struct certs_place *place)
{
    struct certs_keeper *keeper = mem_zalloc(sizeof(*keeper));

    keeper->client = client;
    keeper->place = *place;
    return keeper;
}

void certs_keeper_free(struct certs_keeper *keeper)
{
    if (!keeper)
        return;
    cert_pair_release(&keeper->ca);
    cert_pair_release(&keeper->leaf);
    free(keeper);
}

const struct cert_pair *certs_keeper_leaf(const struct certs_keeper *keeper)
{
    return keeper->leaf.cert_pem ? &keeper->leaf : NULL;
}

const struct cert_pair *certs_keeper_ca(const struct certs_keeper *keeper)
{
    return keeper->ca.cert_pem ? &keeper->ca : NULL;
}

/* The decoded text of one key of a Secret's data; NULL when it is absent or no base64 text. */
static char *secret_text(struct json_object *secret, const char *key)
{
    _cleanup_buf_ struct buf text = BUF_INIT(CERTS_PEM_MAX);
    struct json_object *value = json_get_key(json_get_object(secret, "data"), key);

    if (!value || !json_object_is_type(value, json_type_string) ||
        base64_decode(json_object_get_string(value), (size_t)json_object_get_string_len(value),
                      &text) < 0 ||
        memchr(buf_str(&text), '\0', text.len))
        return NULL;
    return buf_take(&text, NULL);
}

static int secret_body(const struct certs_keeper *keeper, const struct cert_pair *ca,
                       const char *resource_version, struct buf *out)
{
    _cleanup_json_ struct json_object *secret = json_object_new_object();
    struct json_object *metadata;
    struct json_object *data;

    json_set_str(secret, "apiVersion", "v1");
    json_set_str(secret, "kind", "Secret");
    json_set_str(secret, "type", "kubernetes.io/tls");
    metadata = json_add_object(secret, "metadata");
    json_set_str(metadata, "name", keeper->place.secret);
    json_set_str(metadata, "resourceVersion", resource_version);
    json_set_str(json_add_object(metadata, "labels"), "app.kubernetes.io/name", "podflame");
    data = json_add_object(secret, "stringData");
    json_set_str(data, "tls.crt", ca->cert_pem);
    json_set_str(data, "tls.key", ca->key_pem);
    return json_write(secret, out);
}

/* Creates the Secret, or replaces the one at @resource_version. -EEXIST or -ESTALE: somebody was
 * first. */
static int secret_write(struct certs_keeper *keeper, const struct cert_pair *ca,
                        const char *resource_version, struct err *e)
{
    _cleanup_kube_response_ struct kube_response response = { 0 };
    _cleanup_buf_ struct buf body = BUF_INIT(4UL * CERTS_PEM_MAX);
    _cleanup_free_ char *path =
        mem_printf("/api/v1/namespaces/%s/secrets%s%s", keeper->place.ns,
                   resource_version ? "/" : "", resource_version ? keeper->place.secret : "");

    if (secret_body(keeper, ca, resource_version, &body) < 0)
        return err_set(e, -ENOSPC, "the Secret is too large");
    const struct kube_request request = { .method = resource_version ? "PUT" : "POST",
                                          .path = path,
                                          .body = body.data,
                                          .len = body.len };
    return kube_client_request(keeper->client, &request, &response, e);
}

/* One look at the Secret: takes its CA when it can sign, else writes a new one in its place. */
static int ca_try(struct certs_keeper *keeper, time_t now, bool *ret_made, struct err *e)
{
    _cleanup_json_ struct json_object *secret = NULL;
    _cleanup_cert_pair_ struct cert_pair ca = { 0 };
    _cleanup_free_ char *path =
        mem_printf("/api/v1/namespaces/%s/secrets/%s", keeper->place.ns, keeper->place.secret);
    const struct kube_request get = { .method = "GET", .path = path };
    struct err unusable = { 0 };
    const char *resource_version = NULL;
    int code = kube_client_json(keeper->client, &get, &secret, e);

    if (code < 0 && code != -ENOENT)
        return code;
    if (code == 0) {
        resource_version = json_get_str(secret, "metadata.resourceVersion");
        ca.cert_pem = secret_text(secret, "tls.crt");
        ca.key_pem = secret_text(secret, "tls.key");
    }
    if (certs_ca_check(&ca, now, &unusable) < 0) {
        cert_pair_release(&ca);
        if (certs_ca_create("podflame-webhook-ca", now, CERTS_CA_LIFE_S, &ca, e) < 0)
            return e->code;
        code = secret_write(keeper, &ca, resource_version, e);
        if (code < 0)
            return code;
        *ret_made = true;
    }
    assert(ca.cert_pem && ca.key_pem);
    cert_pair_release(&keeper->ca);
    keeper->ca = ca;
    ca = (struct cert_pair){ 0 };
    return 0;
}

static int ca_ensure(struct certs_keeper *keeper, time_t now, bool *ret_made, struct err *e)
{
    int code = -EEXIST;

    for (int i = 0; i < ATTEMPTS && (code == -EEXIST || code == -ESTALE); i++)
        code = ca_try(keeper, now, ret_made, e);
    return code < 0 ? err_wrap(e, "Secret '%s/%s'", keeper->place.ns, keeper->place.secret) : 0;
}

/* The server-side apply body that sets the caBundle of every webhook in @live; NULL when all are
 * right. */
static struct json_object *bundle_patch(const struct certs_keeper *keeper, struct json_object *live,
                                        const char *bundle)
{
    _cleanup_json_ struct json_object *patch = json_object_new_object();
    struct json_object *hooks = json_get_array(live, "webhooks");
    size_t n = hooks ? json_object_array_length(hooks) : 0;
    bool right = true;

    json_set_str(patch, "apiVersion", "admissionregistration.k8s.io/v1");
    json_set_str(patch, "kind", "ValidatingWebhookConfiguration");
    json_set_str(json_add_object(patch, "metadata"), "name", keeper->place.webhook_configuration);
    struct json_object *wanted = json_add_array(patch, "webhooks");
    for (size_t i = 0; i < n && i < WEBHOOKS_MAX; i++) {
        struct json_object *hook = json_object_array_get_idx(hooks, i);
        const char *is = json_get_str(hook, "clientConfig.caBundle");
        struct json_object *entry = json_object_new_object();

        json_set_str(entry, "name", json_get_str(hook, "name"));
        json_set_str(json_add_object(entry, "clientConfig"), "caBundle", bundle);
        (void)json_object_array_add(wanted, entry);
        right = right && is && strcmp(is, bundle) == 0;
    }
    return right ? NULL : take_ptr(patch);
}

static int bundle_ensure(struct certs_keeper *keeper, bool *ret_written, struct err *e)
{
    const char *name = keeper->place.webhook_configuration;
    _cleanup_free_ char *get_path = mem_printf(
        "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/%s", name);
    _cleanup_free_ char *patch_path =
        mem_printf("%s?fieldManager=" CERTS_FIELD_MANAGER "&force=true", get_path);
    _cleanup_kube_response_ struct kube_response response = { 0 };
    _cleanup_buf_ struct buf bundle = BUF_INIT(2UL * CERTS_PEM_MAX);
    _cleanup_buf_ struct buf body = BUF_INIT(64UL * CERTS_PEM_MAX);
    _cleanup_json_ struct json_object *live = NULL;
    const struct kube_request get = { .method = "GET", .path = get_path };

    if (base64_encode(keeper->ca.cert_pem, strlen(keeper->ca.cert_pem), &bundle) < 0)
        return err_set(e, -ENOSPC, "the CA certificate is too large");
    if (kube_client_json(keeper->client, &get, &live, e) < 0)
        return err_wrap(e, "ValidatingWebhookConfiguration '%s'", name);
    _cleanup_json_ struct json_object *patch = bundle_patch(keeper, live, buf_str(&bundle));
    if (!patch)
        return 0;
    if (json_write(patch, &body) < 0)
        return err_set(e, -ENOSPC, "the caBundle patch is too large");
    const struct kube_request apply = { .method = "PATCH",
                                        .path = patch_path,
                                        .content_type = KUBE_APPLY_PATCH,
                                        .body = body.data,
                                        .len = body.len };
    if (kube_client_request(keeper->client, &apply, &response, e) < 0)
        return err_wrap(e, "caBundle of ValidatingWebhookConfiguration '%s'", name);
    *ret_written = true;
    return 0;
}

static bool leaf_is_good(const struct certs_keeper *keeper, time_t now)
{
    struct cert_info info;
    struct err e = { 0 };

    return keeper->leaf.cert_pem && certs_describe(keeper->leaf.cert_pem, &info, &e) == 0 &&
           now < certs_renew_at(&info) && now >= info.not_before &&
           certs_is_signed_by(keeper->leaf.cert_pem, keeper->ca.cert_pem);
}

static int leaf_ensure(struct certs_keeper *keeper, time_t now, bool *ret_made, struct err *e)
{
    struct cert_pair leaf;

    if (leaf_is_good(keeper, now))
        return 0;
    _cleanup_free_ char *svc = mem_printf("%s.%s.svc", keeper->place.service, keeper->place.ns);
    _cleanup_free_ char *full = mem_printf("%s.cluster.local", svc);
    const char *const names[] = { svc, full, NULL };
    if (certs_leaf_sign(&keeper->ca, names, now, CERTS_LEAF_LIFE_S, &leaf, e) < 0)
        return err_wrap(e, "serving certificate of '%s'", svc);
    cert_pair_release(&keeper->leaf);
    keeper->leaf = leaf;
    *ret_made = true;
    return 0;
}

int certs_keeper_check(struct certs_keeper *keeper, time_t now, struct certs_changes *ret,
                       struct err *e)
{
    *ret = (struct certs_changes){ 0 };
    if (ca_ensure(keeper, now, &ret->ca_made, e) < 0 ||
        bundle_ensure(keeper, &ret->bundle_written, e) < 0 ||
        leaf_ensure(keeper, now, &ret->leaf_made, e) < 0)
        return e->code;
    return 0;
}
