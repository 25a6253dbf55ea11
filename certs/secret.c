/* SPDX-License-Identifier: Apache-2.0 */
#include "certs/secret.h"

#include "lib/cleanup.h"
#include "lib/digest.h"
#include "lib/json.h"
#include "lib/kube/client.h"
#include "lib/mem.h"
#include "lib/rfc3339.h"

#include <errno.h>
#include <string.h>

#define PREVIOUS_UNTIL "podflame.profilepod.io/previous-until"

void ca_set_release(struct ca_set *set)
{
    cert_pair_release(&set->current);
    cert_pair_release(&set->next);
    free(set->previous_pem);
    free(set->version);
    free(set->type);
    *set = (struct ca_set){ 0 };
}

static char *dup_or_null(const char *text)
{
    return text ? mem_strdup(text) : NULL;
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

static time_t previous_until(struct json_object *secret)
{
    struct json_object *value =
        json_get_key(json_get_object(secret, "metadata.annotations"), PREVIOUS_UNTIL);
    int64_t until = 0;

    if (!value || !json_object_is_type(value, json_type_string) ||
        !rfc3339_parse(json_object_get_string(value), &until))
        return 0;
    return until;
}

int ca_set_read(struct kube_client *client, const char *ns, const char *name, struct ca_set *ret,
                struct err *e)
{
    _cleanup_json_ struct json_object *secret = NULL;
    _cleanup_free_ char *path = mem_printf("/api/v1/namespaces/%s/secrets/%s", ns, name);
    const struct kube_request get = { .method = "GET", .path = path };
    int code = kube_client_json(client, &get, &secret, e);

    if (code < 0 && code != -ENOENT)
        return code;
    *ret = (struct ca_set){ 0 };
    if (code < 0)
        return 0;
    ret->version = dup_or_null(json_get_str(secret, "metadata.resourceVersion"));
    ret->type = dup_or_null(json_get_str(secret, "type"));
    ret->current.cert_pem = secret_text(secret, "tls.crt");
    ret->current.key_pem = secret_text(secret, "tls.key");
    ret->next.cert_pem = secret_text(secret, "next.crt");
    ret->next.key_pem = secret_text(secret, "next.key");
    ret->previous_pem = secret_text(secret, "previous.crt");
    ret->previous_until = previous_until(secret);
    return 0;
}

/* As data, not as stringData: what a person has put around a PEM need not be UTF-8. */
static void add_text(struct json_object *data, const char *key, const char *text)
{
    _cleanup_buf_ struct buf base64 = BUF_INIT(2UL * CERTS_PEM_MAX);

    if (!text || base64_encode(text, strlen(text), &base64) < 0)
        return; /* none is longer than CERTS_PEM_MAX */
    json_set_str(data, key, buf_str(&base64));
    if (base64.data)
        explicit_bzero(base64.data, base64.size);
}

static int write_body(const char *name, const struct ca_set *set, struct buf *out)
{
    _cleanup_json_ struct json_object *secret = json_object_new_object();
    char until[RFC3339_SIZE] = "";

    json_set_str(secret, "apiVersion", "v1");
    json_set_str(secret, "kind", "Secret");
    /* The type of a Secret cannot be changed. */
    json_set_str(secret, "type", set->type ? set->type : "kubernetes.io/tls");
    struct json_object *metadata = json_add_object(secret, "metadata");
    json_set_str(metadata, "name", name);
    json_set_str(metadata, "resourceVersion", set->version);
    json_set_str(json_add_object(metadata, "labels"), "app.kubernetes.io/name", "podflame");
    struct json_object *data = json_add_object(secret, "data");
    add_text(data, "tls.crt", set->current.cert_pem);
    add_text(data, "tls.key", set->current.key_pem);
    add_text(data, "next.crt", set->next.cert_pem);
    add_text(data, "next.key", set->next.key_pem);
    add_text(data, "previous.crt", set->previous_pem);
    if (set->previous_pem) {
        rfc3339_format(set->previous_until, until);
        json_set_str(json_add_object(metadata, "annotations"), PREVIOUS_UNTIL, until);
    }
    return json_write(secret, out);
}

int ca_set_write(struct kube_client *client, const char *ns, const char *name,
                 const struct ca_set *set, struct err *e)
{
    _cleanup_kube_response_ struct kube_response response = { 0 };
    _cleanup_buf_ struct buf body = BUF_INIT(8UL * CERTS_PEM_MAX);
    _cleanup_free_ char *path = mem_printf("/api/v1/namespaces/%s/secrets%s%s", ns,
                                           set->version ? "/" : "", set->version ? name : "");

    if (write_body(name, set, &body) < 0)
        return err_set(e, -ENOSPC, "the Secret is too large");
    const struct kube_request request = {
        .method = set->version ? "PUT" : "POST", .path = path, .body = body.data, .len = body.len
    };
    int code = kube_client_request(client, &request, &response, e);
    if (body.data) /* it holds the keys */
        explicit_bzero(body.data, body.size);
    return code;
}
