/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/kube/client.h"

#include "lib/json.h"
#include "lib/kube/exchange.h"
#include "lib/mem.h"

#include <stdlib.h>

enum { RESPONSE_DEPTH = 64 };

struct kube_client {
    struct kube_auth auth;
    CURL *easy;
};

void kube_response_init(struct kube_response *response)
{
    *response = (struct kube_response){ .body = BUF_INIT(KUBE_RESPONSE_MAX) };
}

void kube_response_release(struct kube_response *response)
{
    buf_release(&response->body);
    kube_response_init(response);
}

struct kube_client *kube_client_new(const struct kube_config *config)
{
    struct kube_client *client = mem_zalloc(sizeof(*client));

    kube_exchange_global_init();
    kube_auth_init(&client->auth, config);
    client->easy = curl_easy_init();
    if (!client->easy)
        abort(); /* out of memory, as everywhere */
    return client;
}

void kube_client_free(struct kube_client *client)
{
    if (!client)
        return;
    curl_easy_cleanup(client->easy);
    kube_auth_release(&client->auth);
    free(client);
}

static int exchange_once(struct kube_client *client, const struct kube_request *request,
                         struct kube_response *response, struct err *e)
{
    struct kube_exchange x = { 0 };
    int code = kube_exchange_prepare(&x, client->easy, &client->auth, request, response, e);

    if (code == 0)
        code = kube_exchange_finish(&x, curl_easy_perform(client->easy), request, e);
    kube_exchange_release(&x);
    return code;
}

int kube_client_request(struct kube_client *client, const struct kube_request *request,
                        struct kube_response *response, struct err *e)
{
    kube_response_init(response);
    if (kube_auth_refresh(&client->auth, e) < 0)
        return e->code;
    int code = exchange_once(client, request, response, e);
    if (code < 0 && response->status == 401 && kube_auth_renew(&client->auth))
        code = exchange_once(client, request, response, e);
    return code;
}

int kube_client_json(struct kube_client *client, const struct kube_request *request,
                     struct json_object **ret, struct err *e)
{
    _cleanup_kube_response_ struct kube_response response = { 0 };

    if (kube_client_request(client, request, &response, e) < 0)
        return e->code;
    if (json_parse(buf_str(&response.body), response.body.len, RESPONSE_DEPTH, ret, e) < 0)
        return err_wrap(e, "%s %s", request->method, request->path);
    return 0;
}
