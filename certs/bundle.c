/* SPDX-License-Identifier: Apache-2.0 */
#include "certs/bundle.h"

#include "certs/x509.h"
#include "lib/cleanup.h"
#include "lib/digest.h"
#include "lib/json.h"
#include "lib/kube/client.h"
#include "lib/mem.h"

#include <errno.h>
#include <string.h>

#define PATH "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/%s"

void bundle_release(struct bundle *bundle)
{
    json_put(bundle->hooks);
    free(bundle->pem);
    *bundle = (struct bundle){ 0 };
}

static char *decoded(const char *base64)
{
    _cleanup_buf_ struct buf text = BUF_INIT(CERTS_PEM_MAX);

    if (!base64 || base64_decode(base64, strlen(base64), &text) < 0 ||
        memchr(buf_str(&text), '\0', text.len))
        return mem_strdup("");
    return buf_take(&text, NULL);
}

int bundle_read(struct kube_client *client, const char *name, struct bundle *ret, struct err *e)
{
    _cleanup_free_ char *path = mem_printf(PATH, name);
    const struct kube_request get = { .method = "GET", .path = path };
    struct bundle bundle = { .alike = true };
    int code = kube_client_json(client, &get, &bundle.hooks, e);

    if (code < 0 && code != -ENOENT)
        return code;
    struct json_object *list = json_get_array(bundle.hooks, "webhooks");
    size_t n = list ? json_object_array_length(list) : 0;
    const char *first = NULL;
    for (size_t i = 0; i < n; i++) {
        const char *is = json_get_str(json_object_array_get_idx(list, i), "clientConfig.caBundle");

        if (i == 0)
            first = is;
        else if ((is != NULL) != (first != NULL) || (is && strcmp(is, first) != 0))
            bundle.alike = false;
    }
    bundle.pem = decoded(first);
    *ret = bundle;
    return 0;
}

const char *bundle_kept_by(const struct bundle *bundle)
{
    static const char *const asks[] = {
        "cert-manager.io/inject-ca-from",
        "cert-manager.io/inject-ca-from-secret",
        "cert-manager.io/inject-apiserver-ca",
        "service.beta.openshift.io/inject-cabundle",
    };
    struct json_object *annotations = json_get_object(bundle->hooks, "metadata.annotations");

    for (size_t i = 0; i < sizeof(asks) / sizeof(asks[0]); i++)
        if (json_get_key(annotations, asks[i]))
            return asks[i];
    return NULL;
}

static struct json_object *patch_of(const char *name, const struct bundle *bundle,
                                    const char *base64)
{
    struct json_object *patch = json_object_new_object();
    struct json_object *list = json_get_array(bundle->hooks, "webhooks");
    size_t n = list ? json_object_array_length(list) : 0;

    json_set_str(patch, "apiVersion", "admissionregistration.k8s.io/v1");
    json_set_str(patch, "kind", "ValidatingWebhookConfiguration");
    struct json_object *metadata = json_add_object(patch, "metadata");
    json_set_str(metadata, "name", name);
    json_set_str(metadata, "resourceVersion",
                 json_get_str(bundle->hooks, "metadata.resourceVersion"));
    struct json_object *wanted = json_add_array(patch, "webhooks");
    for (size_t i = 0; i < n && i < BUNDLE_WEBHOOKS_MAX; i++) {
        struct json_object *entry = json_object_new_object();

        json_set_str(entry, "name", json_get_str(json_object_array_get_idx(list, i), "name"));
        json_set_str(json_add_object(entry, "clientConfig"), "caBundle", base64);
        (void)json_object_array_add(wanted, entry);
    }
    return patch;
}

int bundle_write(struct kube_client *client, const char *name, const struct bundle *bundle,
                 const char *pem, struct err *e)
{
    _cleanup_free_ char *path =
        mem_printf(PATH "?fieldManager=" CERTS_FIELD_MANAGER "&force=true", name);
    _cleanup_kube_response_ struct kube_response response = { 0 };
    _cleanup_buf_ struct buf base64 = BUF_INIT(2UL * CERTS_PEM_MAX);
    _cleanup_buf_ struct buf body = BUF_INIT(64UL * CERTS_PEM_MAX);

    if (base64_encode(pem, strlen(pem), &base64) < 0)
        return err_set(e, -ENOSPC, "the caBundle is too large");
    _cleanup_json_ struct json_object *patch = patch_of(name, bundle, buf_str(&base64));
    if (json_write(patch, &body) < 0)
        return err_set(e, -ENOSPC, "the caBundle patch is too large");
    const struct kube_request apply = { .method = "PATCH",
                                        .path = path,
                                        .content_type = KUBE_APPLY_PATCH,
                                        .body = body.data,
                                        .len = body.len };
    return kube_client_request(client, &apply, &response, e);
}
