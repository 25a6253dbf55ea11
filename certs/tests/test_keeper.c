/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replicas against an API server in this process, in a time of the test's own: minutes of short
 * lives pass in a moment. After every second each replica must serve a leaf that an API server
 * accepts whose caBundle is as old as the grace allows.
 */
#include "certs/keeper.h"

#include "certs/bundle.h"
#include "lib/cleanup.h"
#include "lib/digest.h"
#include "lib/json.h"
#include "lib/kube/client.h"
#include "lib/kube/config.h"
#include "lib/kube/tests/fake_api.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

enum { REPLICAS = 2, LAG_S = 4, HISTORY = 4096, START = 1800000000 };

static const struct certs_policy policy = { .ca_life_s = 60, .leaf_life_s = 20, .grace_s = 5 };

struct world {
    struct fake_api api;
    struct kube_config kube;
    struct json_object *secret, *hooks; /* NULL: there is none */
    int64_t version;
    int failing, secret_writes, bundle_writes;
    char *seen[HISTORY]; /* the caBundle at the end of each second */
    struct kube_client *clients[REPLICAS];
    struct certs_keeper *keepers[REPLICAS];
    time_t now;
    int leader;
    unsigned done[CERTS_ACTION_COUNT];
};

static struct json_object *parsed(const char *text)
{
    struct json_object *o = NULL;
    struct err e = { 0 };

    if (json_parse(text, strlen(text), 64, &o, &e) < 0)
        abort();
    return o;
}

static void new_version(struct world *w, struct json_object *o)
{
    char version[24];

    (void)snprintf(version, sizeof(version), "%lld", (long long)++w->version);
    json_set_str(json_get(o, "metadata"), "resourceVersion", version);
}

static bool is_version_of(struct json_object *body, struct json_object *stored)
{
    const char *is = json_get_str(body, "metadata.resourceVersion");

    return !is || strcmp(is, json_get_str(stored, "metadata.resourceVersion")) == 0;
}

static void store_secret(struct world *w, struct json_object *body)
{
    json_put(w->secret);
    w->secret = body;
    new_version(w, body);
    w->secret_writes++;
}

static void answer_secret(struct world *w, const struct fake_request *q, struct fake_reply *r)
{
    struct json_object *body = *q->body ? parsed(q->body) : NULL;

    if (strcmp(q->method, "GET") != 0 && !w->secret == (strcmp(q->method, "POST") == 0) &&
        (!w->secret || is_version_of(body, w->secret)))
        store_secret(w, take_ptr(body));
    else if (strcmp(q->method, "GET") != 0)
        fake_refuse(r, !w->secret ? 404 : 409,
                    !w->secret                       ? "NotFound"
                    : strcmp(q->method, "POST") == 0 ? "AlreadyExists"
                                                     : "Conflict");
    else if (!w->secret)
        fake_refuse(r, 404, "NotFound");
    json_put(body);
    if (!r->body)
        r->body = strdup(json_object_to_json_string(w->secret));
}

static void answer_hooks(struct world *w, const struct fake_request *q, struct fake_reply *r)
{
    _cleanup_json_ struct json_object *body = *q->body ? parsed(q->body) : NULL;

    if (!w->hooks) {
        fake_refuse(r, 404, "NotFound");
        return;
    }
    if (body && !is_version_of(body, w->hooks)) {
        fake_refuse(r, 409, "Conflict");
        return;
    }
    struct json_object *list = json_get_array(w->hooks, "webhooks");
    for (size_t i = 0; body && i < json_object_array_length(list); i++) {
        struct json_object *from = json_object_array_get_idx(json_get_array(body, "webhooks"), i);

        json_set_str(json_get(json_object_array_get_idx(list, i), "clientConfig"), "caBundle",
                     json_get_str(from, "clientConfig.caBundle"));
    }
    if (body) {
        assert_string_equal(q->content_type, KUBE_APPLY_PATCH);
        new_version(w, w->hooks);
        w->bundle_writes++;
    }
    r->body = strdup(json_object_to_json_string(w->hooks));
}

static void answer_any(void *ctx, const struct fake_request *q, struct fake_reply *r)
{
    struct world *w = ctx;

    if (w->failing > 0) {
        w->failing--;
        fake_refuse(r, 500, "InternalError");
    } else if (strstr(q->url, "/secrets")) {
        answer_secret(w, q, r);
    } else {
        answer_hooks(w, q, r);
    }
}

static void start_replica(struct world *w, int i)
{
    certs_keeper_free(w->keepers[i]);
    kube_client_free(w->clients[i]);
    w->clients[i] = kube_client_new(&w->kube);
    w->keepers[i] = certs_keeper_new(w->clients[i], &certs_place_default, &policy);
}

static void add_hooks(struct world *w)
{
    w->hooks =
        parsed("{\"metadata\":{\"resourceVersion\":\"1\"},\"webhooks\":["
               "{\"name\":\"a\",\"clientConfig\":{}},{\"name\":\"b\",\"clientConfig\":{}}]}");
    new_version(w, w->hooks);
}

static int setup(void **state)
{
    struct world *w = mem_zalloc(sizeof(*w));

    fake_api_start(&w->api, answer_any, w);
    w->kube.server = w->api.url;
    w->now = START;
    add_hooks(w);
    for (int i = 0; i < REPLICAS; i++)
        start_replica(w, i);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    for (int i = 0; i < REPLICAS; i++) {
        certs_keeper_free(w->keepers[i]);
        kube_client_free(w->clients[i]);
    }
    fake_api_stop(&w->api);
    for (int i = 0; i < HISTORY; i++)
        free(w->seen[i]);
    json_put(w->secret);
    json_put(w->hooks);
    free(w);
    return 0;
}

static int check(struct world *w, int i)
{
    struct certs_changes changes;
    struct err e = { 0 };
    int code = certs_keeper_check(w->keepers[i], i == w->leader, w->now, &changes, &e);

    for (int a = 0; a < CERTS_ACTION_COUNT; a++)
        w->done[a] += changes.done[a];
    return code;
}

static char *live_bundle(struct world *w)
{
    _cleanup_buf_ struct buf text = BUF_INIT(1 << 20);
    struct json_object *list = json_get_array(w->hooks, "webhooks");
    struct json_object *first = list ? json_object_array_get_idx(list, 0) : NULL;
    const char *base64 = json_get_str(first, "clientConfig.caBundle");

    if (base64)
        (void)!base64_decode(base64, strlen(base64), &text);
    return buf_take(&text, NULL);
}

static bool accepts(const char *bundle, const char *leaf, time_t now)
{
    char *pems[BUNDLE_CERTS_MAX];
    size_t n = certs_split(bundle, pems, BUNDLE_CERTS_MAX);
    struct cert_info info, ca;
    struct err e = { 0 };
    bool good = false;

    assert_int_equal(certs_describe(leaf, &info, &e), 0);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(certs_describe(pems[i], &ca, &e), 0);
        good = good || (certs_is_signed_by(leaf, pems[i]) && now <= ca.not_after);
        free(pems[i]);
    }
    return good && now >= info.not_before && now <= info.not_after;
}

/* A second passes, each replica checks; then an API server that has the caBundle of now, and one
 * whose is LAG_S old, call every replica. */
static void second(struct world *w, bool calls)
{
    w->now++;
    for (int i = 0; i < REPLICAS; i++)
        (void)check(w, i);
    int at = (int)(w->now - START);
    w->seen[at] = live_bundle(w);
    for (int i = 0; calls && i < REPLICAS; i++) {
        const struct cert_pair *leaf = certs_keeper_leaf(w->keepers[i]);

        if (!leaf || !accepts(w->seen[at], leaf->cert_pem, w->now)) {
            fail_msg("second %d: replica %d is refused", at, i);
            return;
        }
        if (at > LAG_S && !accepts(w->seen[at - LAG_S], leaf->cert_pem, w->now))
            fail_msg("second %d: replica %d is refused by a slow API server", at, i);
        if (!certs_keeper_is_trusted(w->keepers[i]))
            fail_msg("second %d: replica %d believes that it is not trusted", at, i);
    }
}

static void seconds(struct world *w, int n)
{
    while (n-- > 0)
        second(w, true);
}

/* The first seconds: until the caBundle is where it must be, nobody can call. */
static void bootstrap(struct world *w)
{
    for (int i = 0; i <= LAG_S; i++)
        second(w, false);
}

static void rotations_are_not_noticed(void **state)
{
    struct world *w = *state;

    bootstrap(w);
    seconds(w, 200);
    assert_int_equal(w->done[CERTS_MAKE_CA], 1);
    assert_in_range(w->done[CERTS_PROMOTE], 4, 6);
    assert_in_range(w->done[CERTS_DROP_PREVIOUS], 3, 6);
    assert_in_range(w->bundle_writes, 10, 20);
}

static void leaders_come_and_go(void **state)
{
    struct world *w = *state;

    bootstrap(w);
    for (int i = 0; i < 35; i++) {
        w->leader = i % (REPLICAS + 1); /* now and then there is none */
        if (i % 7 == 0)
            start_replica(w, i % REPLICAS);
        seconds(w, i % 5 + 3);
    }
    assert_int_equal(w->done[CERTS_MAKE_CA], 1);
    assert_true(w->done[CERTS_PROMOTE] >= 3);
}

static void a_deleted_secret_costs_nothing(void **state)
{
    struct world *w = *state;

    bootstrap(w);
    for (int i = 0; i < 6; i++) {
        json_put(w->secret);
        w->secret = NULL;
        seconds(w, i * 3 + 1);
    }
    seconds(w, 30);
    assert_int_equal(w->done[CERTS_MAKE_CA], 7);
}

static void garbage_costs_nothing(void **state)
{
    static const char *const keys[] = { "tls.crt", "tls.key", "next.crt", "next.key",
                                        "previous.crt" };
    static const char *const values[] = { "bm90aGluZw==", "not base64!" };
    struct world *w = *state;

    bootstrap(w);
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        for (size_t j = 0; j < sizeof(values) / sizeof(values[0]); j++) {
            /* What is lost with previous.crt cannot be made good: leaves of it must be gone. */
            seconds(w, strcmp(keys[i], "previous.crt") == 0 ? 12 : 7);
            json_set_str(json_get(w->secret, "data"), keys[i], values[j]);
            new_version(w, w->secret);
            if (strcmp(keys[i], "previous.crt") == 0)
                second(w, false);
        }
    }
    json_set(w->secret, "data", NULL);
    new_version(w, w->secret);
    seconds(w, 60);
}

/* People put notes around a PEM; in any encoding. */
static void text_around_a_ca_costs_nothing(void **state)
{
    struct world *w = *state;
    _cleanup_buf_ struct buf text = BUF_INIT(1 << 20), base64 = BUF_INIT(1 << 20);

    bootstrap(w);
    assert_int_equal(buf_add_str(&text, "M\xfcller's CA:\n"), 0);
    struct json_object *data = json_get(w->secret, "data");
    const char *was = json_object_get_string(json_get_key(data, "tls.crt"));
    assert_int_equal(base64_decode(was, strlen(was), &text), 0);
    assert_int_equal(base64_encode(text.data, text.len, &base64), 0);
    json_set_str(data, "tls.crt", buf_str(&base64));
    new_version(w, w->secret);
    seconds(w, 100);
    assert_int_equal(w->done[CERTS_MAKE_CA], 1);
}

static void a_spoilt_bundle_is_right_after_one_check(void **state)
{
    static const char *const values[] = { NULL, "", "bm90aGluZw==", "not base64!" };
    struct world *w = *state;

    bootstrap(w);
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        struct json_object *hook =
            json_object_array_get_idx(json_get_array(w->hooks, "webhooks"), i % 2);

        json_object_object_del(json_get(hook, "clientConfig"), "caBundle");
        json_set_str(json_get(hook, "clientConfig"), "caBundle", values[i]);
        new_version(w, w->hooks);
        second(w, false);
        _cleanup_free_ char *bundle = live_bundle(w);
        assert_true(accepts(bundle, certs_keeper_leaf(w->keepers[1])->cert_pem, w->now));
        for (int k = 0; k < LAG_S; k++)
            second(w, false);
        seconds(w, 10);
    }
}

/* Two that each write their own would never end. */
static void a_bundle_of_somebody_else_is_left_alone(void **state)
{
    struct world *w = *state;
    struct certs_changes changes;
    struct err e = { 0 };

    bootstrap(w);
    int writes = w->bundle_writes;
    struct json_object *metadata = json_get(w->hooks, "metadata");
    json_set_str(json_add_object(metadata, "annotations"), "cert-manager.io/inject-ca-from",
                 "podflame-system/podflame-serving-cert");
    struct json_object *hook = json_object_array_get_idx(json_get_array(w->hooks, "webhooks"), 0);
    json_set_str(json_get(hook, "clientConfig"), "caBundle", "b3RoZXI=");
    new_version(w, w->hooks);
    assert_int_equal(certs_keeper_check(w->keepers[0], true, w->now, &changes, &e), -EINVAL);
    assert_non_null(strstr(e.msg, "cert-manager.io/inject-ca-from"));
    assert_non_null(strstr(e.msg, "--cert-dir"));
    assert_false(certs_keeper_is_trusted(w->keepers[0]));
    assert_int_equal(w->bundle_writes, writes);
    json_object_object_del(metadata, "annotations");
    assert_int_equal(check(w, 0), 0);
    assert_true(certs_keeper_is_trusted(w->keepers[0]));
}

static void without_a_webhook_the_rest_goes_on(void **state)
{
    struct world *w = *state;

    bootstrap(w);
    json_put(w->hooks);
    w->hooks = NULL;
    for (int i = 0; i < 120; i++)
        second(w, false);
    assert_true(certs_keeper_is_trusted(w->keepers[1]));
    assert_true(w->done[CERTS_PROMOTE] >= 2);
    add_hooks(w);
    for (int i = 0; i <= LAG_S; i++)
        second(w, false);
    seconds(w, 60);
}

static void an_api_server_that_fails_is_outlived(void **state)
{
    struct world *w = *state;

    bootstrap(w);
    seconds(w, 20);
    w->failing = 10 * REPLICAS; /* one request a check */
    seconds(w, 10);
    assert_int_equal(w->failing, 0);
    seconds(w, 50);
}

static void an_expired_ca_is_replaced(void **state)
{
    struct world *w = *state;

    bootstrap(w);
    w->now += 1000;
    for (int i = 0; i < REPLICAS; i++)
        start_replica(w, i);
    assert_int_equal(check(w, 1), -EAGAIN); /* who does not lead has nothing yet */
    assert_null(certs_keeper_leaf(w->keepers[1]));
    assert_int_equal(check(w, 0), 0);
    assert_int_equal(check(w, 1), 0);
    _cleanup_free_ char *bundle = live_bundle(w);
    assert_true(accepts(bundle, certs_keeper_leaf(w->keepers[1])->cert_pem, w->now));
}

/* Two that both believe to lead, and the command of `make deploy`, at the same moment. */
static void many_leaders_agree(void **state)
{
    struct world *w = *state;

    for (int s = 0; s < 100; s++) {
        w->now++;
        for (int i = 0; i < REPLICAS; i++) {
            w->leader = i;
            assert_int_equal(check(w, i), 0);
        }
        w->seen[s] = live_bundle(w);
        for (int i = 0; i < REPLICAS; i++)
            assert_true(s < 2 ||
                        accepts(w->seen[s], certs_keeper_leaf(w->keepers[i])->cert_pem, w->now));
    }
    assert_int_equal(w->done[CERTS_MAKE_CA], 1);
    assert_in_range(w->done[CERTS_PROMOTE], 2, 3);
}

/* A replica whose clock is behind by less than an hour neither replaces the CA nor stops. */
static void clocks_may_differ(void **state)
{
    struct world *w = *state;
    const struct certs_policy years = { 0 };

    for (int i = 0; i < REPLICAS; i++) {
        certs_keeper_free(w->keepers[i]);
        w->keepers[i] = certs_keeper_new(w->clients[i], &certs_place_default, &years);
    }
    assert_int_equal(check(w, 0), 0);
    w->now -= 3000;
    w->leader = 1;
    assert_int_equal(check(w, 1), 0);
    assert_int_equal(w->done[CERTS_MAKE_CA], 1);
    _cleanup_free_ char *bundle = live_bundle(w);
    assert_true(accepts(bundle, certs_keeper_leaf(w->keepers[1])->cert_pem, START + 10));
    assert_true(accepts(bundle, certs_keeper_leaf(w->keepers[0])->cert_pem, START - 3000));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(rotations_are_not_noticed),
        TEST(leaders_come_and_go),
        TEST(a_deleted_secret_costs_nothing),
        TEST(garbage_costs_nothing),
        TEST(text_around_a_ca_costs_nothing),
        TEST(a_spoilt_bundle_is_right_after_one_check),
        TEST(a_bundle_of_somebody_else_is_left_alone),
        TEST(without_a_webhook_the_rest_goes_on),
        TEST(an_api_server_that_fails_is_outlived),
        TEST(an_expired_ca_is_replaced),
        TEST(many_leaders_agree),
        TEST(clocks_may_differ),
    };

    return cmocka_run_group_tests_name("keeper", tests, NULL, NULL);
}
