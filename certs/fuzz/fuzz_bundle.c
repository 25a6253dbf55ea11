/* SPDX-License-Identifier: Apache-2.0 */
#include "certs/bundle.h"
#include "certs/fuzz/store.h"
#include "certs/x509.h"

/* Every webhook can be told a caBundle: one that an API server would store. */
static bool is_whole(struct json_object *hooks)
{
    struct json_object *list = json_get_array(hooks, "webhooks");
    size_t n = list ? json_object_array_length(list) : 0;

    for (size_t i = 0; i < n; i++)
        if (!json_get_object(json_object_array_get_idx(list, i), "clientConfig"))
            return false;
    return n > 0 && n <= BUNDLE_WEBHOOKS_MAX;
}

/* The input is a ValidatingWebhookConfiguration. Its caBundle is never longer than what will be
 * parsed; what is written is what every webhook then has. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_bundle_ struct bundle bundle = { 0 }, again = { 0 };
    struct err e = { 0 };

    if (json_parse((const char *)data, size, 32, &stored_hooks, &e) < 0)
        return 0;
    assert(bundle_read(NULL, "x", &bundle, &e) == 0);
    assert(strlen(bundle.pem) <= CERTS_PEM_MAX);
    assert(bundle_write(NULL, "x", &bundle, "a CA\n", &e) == 0);
    assert(bundle_read(NULL, "x", &again, &e) == 0);
    if (is_whole(stored_hooks))
        assert(again.alike && strcmp(again.pem, "a CA\n") == 0);
    store_clear();
    return 0;
}
