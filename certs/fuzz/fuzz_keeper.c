/* SPDX-License-Identifier: Apache-2.0 */
#include "certs/bundle.h"
#include "certs/fuzz/store.h"
#include "certs/keeper.h"
#include "certs/secret.h"
#include "lib/digest.h"

#define PREVIOUS_UNTIL "2027-01-15T08:00:20Z" /* 20 s from NOW */

enum { NOW = 1800000000 };

/* The base64 of the input up to its first NUL, which is taken off; NULL at the input's end. */
static char *take_text(const uint8_t **data, size_t *size)
{
    _cleanup_free_ char *text = fuzz_text(*data, *size);
    _cleanup_buf_ struct buf base64 = BUF_INIT(2 * *size + 4);
    size_t len = strlen(text), taken = len + (len < *size);

    if (*size == 0)
        return NULL;
    assert(base64_encode(text, len, &base64) == 0);
    *data += taken;
    *size -= taken;
    return buf_take(&base64, NULL);
}

/* What people may have left: the texts of a Secret, and a caBundle for each of two webhooks. */
static void fill_store(const uint8_t *data, size_t size)
{
    static const char *const keys[] = { "tls.crt", "tls.key", "next.crt", "next.key",
                                        "previous.crt" };

    stored_secret = json_object_new_object();
    struct json_object *metadata = json_add_object(stored_secret, "metadata");
    json_set_str(metadata, "resourceVersion", "1");
    json_set_str(json_add_object(metadata, "annotations"), "podflame.profilepod.io/previous-until",
                 PREVIOUS_UNTIL);
    struct json_object *texts = json_add_object(stored_secret, "data");
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        _cleanup_free_ char *text = take_text(&data, &size);

        json_set_str(texts, keys[i], text);
    }
    stored_hooks = json_object_new_object();
    struct json_object *list = json_add_array(stored_hooks, "webhooks");
    for (size_t i = 0; i < 2; i++) {
        _cleanup_free_ char *text = take_text(&data, &size);
        struct json_object *hook = json_object_new_object();

        json_set_str(json_add_object(hook, "clientConfig"), "caBundle", text);
        (void)json_object_array_add(list, hook);
    }
}

static void check(struct certs_keeper *keeper, bool leads, bool quietly)
{
    struct certs_changes changes;
    struct err e = { 0 };

    assert(certs_keeper_check(keeper, leads, NOW, &changes, &e) == 0);
    for (int i = 0; i < CERTS_ACTION_COUNT; i++)
        assert(!quietly || changes.done[i] == 0);
    assert(certs_keeper_is_trusted(keeper));
}

/* Whatever is there, one check of the replica that leads makes it right, and finds nothing more to
 * do; so both replicas serve a leaf of the CA in the Secret, which every webhook has. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct certs_policy policy = { 0 };
    struct certs_keeper *leader = certs_keeper_new(NULL, &certs_place_default, &policy),
                        *other = certs_keeper_new(NULL, &certs_place_default, &policy);
    _cleanup_ca_set_ struct ca_set set = { 0 };
    _cleanup_bundle_ struct bundle bundle = { 0 };
    struct err e = { 0 };

    fill_store(data, size);
    check(leader, true, false);
    check(leader, true, true);
    check(other, false, false);
    assert(ca_set_read(NULL, "x", "ca", &set, &e) == 0);
    assert(bundle_read(NULL, "x", &bundle, &e) == 0);
    assert(certs_ca_check(&set.current, NOW, &e) == 0 && bundle.alike);
    assert(certs_is_signed_by(certs_keeper_leaf(leader)->cert_pem, set.current.cert_pem));
    assert(certs_is_signed_by(certs_keeper_leaf(other)->cert_pem, set.current.cert_pem));
    certs_keeper_free(leader);
    certs_keeper_free(other);
    store_clear();
    return 0;
}
