/* SPDX-License-Identifier: Apache-2.0 */
#include "certs/keeper.h"

#include "certs/bundle.h"
#include "certs/certs_metrics.h"
#include "certs/secret.h"
#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CA_NAME    "podflame-webhook-ca"
#define CA_SUBJECT "/O=podflame/CN=" CA_NAME

/* A rotation is two steps of the leader; the rest is for conflicts. */
enum { STEPS_MAX = 12, PREVIOUS_MAX = 16 * 1024 };

const struct certs_place certs_place_default = {
    .ns = "podflame-system",
    .secret = "podflame-webhook-ca",
    .service = "podflame-webhook-service",
    .webhook_configuration = "podflame-validating-webhook-configuration",
};

/* A CA certificate, read once; which it is, its digest tells. */
struct known_ca {
    char *pem; /* owned; NULL: there is none */
    struct cert_info info;
    bool signs;  /* its key is there and its own */
    time_t from; /* of the caBundle: since when it is seen there */
};

struct known_cas {
    struct known_ca list[BUNDLE_CERTS_MAX];
    size_t n;
};

struct certs_keeper {
    struct kube_client *client; /* borrowed */
    struct certs_place place;
    struct certs_policy policy;
    struct ca_set set; /* the Secret, as it was read last, and what is in it: */
    struct known_cas current, next, previous;
    struct bundle bundle; /* the caBundle, as it was read last, and what is in it: */
    struct known_cas bundled;
    struct cert_pair leaf;
    struct cert_info leaf_info;
    struct known_cas signer; /* of the leaf */
    bool trusted;
};

static void known_cas_release(struct known_cas *cas)
{
    while (cas->n > 0)
        free(cas->list[--cas->n].pem);
}

/* The CAs among the certificates of @pem. */
static void known_cas_read(struct known_cas *cas, const char *pem)
{
    char *pems[BUNDLE_CERTS_MAX];
    size_t n = pem ? certs_split(pem, pems, BUNDLE_CERTS_MAX) : 0;

    known_cas_release(cas);
    for (size_t i = 0; i < n; i++) {
        struct known_ca ca = { .pem = pems[i] };
        struct err ignored = { 0 };

        if (certs_describe(ca.pem, &ca.info, &ignored) == 0 && ca.info.is_ca)
            cas->list[cas->n++] = ca;
        else
            free(ca.pem);
    }
}

static const struct known_ca *known_cas_find(const struct known_cas *cas, const char *sha256)
{
    for (size_t i = 0; i < cas->n; i++) {
        if (strcmp(cas->list[i].info.sha256, sha256) == 0)
            return &cas->list[i];
    }
    return NULL;
}

struct certs_keeper *certs_keeper_new(struct kube_client *client, const struct certs_place *place,
                                      const struct certs_policy *policy)
{
    struct certs_keeper *keeper = mem_zalloc(sizeof(*keeper));

    certs_metrics_register();
    keeper->client = client;
    keeper->place = *place;
    keeper->policy = *policy;
    certs_policy_complete(&keeper->policy);
    return keeper;
}

void certs_keeper_free(struct certs_keeper *keeper)
{
    if (!keeper)
        return;
    struct known_cas *const known[] = { &keeper->current, &keeper->next, &keeper->previous,
                                        &keeper->bundled, &keeper->signer };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        known_cas_release(known[i]);
    ca_set_release(&keeper->set);
    bundle_release(&keeper->bundle);
    cert_pair_release(&keeper->leaf);
    free(keeper);
}

const struct cert_pair *certs_keeper_leaf(const struct certs_keeper *keeper)
{
    return keeper->leaf.cert_pem ? &keeper->leaf : NULL;
}

bool certs_keeper_is_trusted(const struct certs_keeper *keeper)
{
    return keeper->trusted;
}

/* ---- what is there ---- */

/* Takes what the caBundle holds now; what it held before keeps its time. */
static void note_bundle(struct certs_keeper *keeper, struct bundle *bundle, time_t now)
{
    struct known_cas fresh = { 0 };

    if (!keeper->bundle.pem || strcmp(keeper->bundle.pem, bundle->pem) != 0) {
        known_cas_read(&fresh, bundle->pem);
        for (size_t i = 0; i < fresh.n; i++) {
            const struct known_ca *before =
                known_cas_find(&keeper->bundled, fresh.list[i].info.sha256);

            fresh.list[i].from = before ? before->from : now;
        }
        known_cas_release(&keeper->bundled);
        keeper->bundled = fresh;
    }
    for (size_t i = 0; i < keeper->bundled.n; i++) /* a clock may be set back */
        if (keeper->bundled.list[i].from > now)
            keeper->bundled.list[i].from = now;
    bundle_release(&keeper->bundle);
    keeper->bundle = *bundle;
}

/* The one that a pair of the Secret is, if it can sign; whether it is alive is for later. */
static void note_pair(struct known_cas *cas, const struct cert_pair *pair)
{
    struct err ignored = { 0 };

    known_cas_read(cas, pair->cert_pem);
    while (cas->n > 1)
        free(cas->list[--cas->n].pem);
    if (cas->n > 0)
        cas->list[0].signs = certs_ca_check(pair, cas->list[0].info.not_before, &ignored) == 0;
}

static void note_set(struct certs_keeper *keeper, struct ca_set *set)
{
    bool same =
        set->version && keeper->set.version && strcmp(set->version, keeper->set.version) == 0;

    ca_set_release(&keeper->set);
    keeper->set = *set;
    if (same)
        return;
    note_pair(&keeper->current, &set->current);
    note_pair(&keeper->next, &set->next);
    known_cas_read(&keeper->previous, set->previous_pem);
}

/* The caBundle first: a CA that is in it was in the Secret before, see certs/bundle.h. */
static int look(struct certs_keeper *keeper, time_t now, struct err *e)
{
    const struct certs_place *place = &keeper->place;
    struct bundle bundle;
    struct ca_set set;

    if (bundle_read(keeper->client, place->webhook_configuration, &bundle, e) < 0)
        return err_wrap(e, "ValidatingWebhookConfiguration '%s'", place->webhook_configuration);
    note_bundle(keeper, &bundle, now);
    const char *other = bundle_kept_by(&keeper->bundle);
    if (other)
        return err_set(e, -EINVAL,
                       "ValidatingWebhookConfiguration '%s': %s keeps its caBundle; serve with "
                       "--cert-dir what it trusts, or remove that annotation",
                       place->webhook_configuration, other);
    if (ca_set_read(keeper->client, place->ns, place->secret, &set, e) < 0)
        return err_wrap(e, "Secret '%s/%s'", place->ns, place->secret);
    note_set(keeper, &set);
    return 0;
}

static bool is_alive(const struct cert_info *info, time_t now)
{
    return now >= info->not_before - CERTS_BACKDATE_S && now < info->not_after;
}

static bool can_sign(const struct known_cas *cas, time_t now)
{
    return cas->n > 0 && cas->list[0].signs && is_alive(&cas->list[0].info, now);
}

/* Appends those that are alive, each once. */
static void add_living(const struct known_cas *cas, time_t now, struct buf *out)
{
    for (size_t i = 0; i < cas->n; i++)
        if (is_alive(&cas->list[i].info, now) && !strstr(buf_str(out), cas->list[i].pem))
            (void)buf_add_str(out, cas->list[i].pem);
}

/* The caBundle as it is to be. */
static void wanted_bundle(const struct certs_keeper *keeper, time_t now, struct buf *out)
{
    if (can_sign(&keeper->current, now))
        add_living(&keeper->current, now, out);
    if (can_sign(&keeper->next, now))
        add_living(&keeper->next, now, out);
    add_living(&keeper->previous, now, out);
}

/* Without a webhook nobody calls, and there is nothing to tell: everything counts as told. */
static struct certs_ca_view view_ca(const struct certs_keeper *keeper, const struct known_cas *cas,
                                    time_t now)
{
    struct certs_ca_view view = { .usable = can_sign(cas, now) };

    if (!view.usable)
        return view;
    const struct known_ca *bundled = known_cas_find(&keeper->bundled, cas->list[0].info.sha256);
    view.renew_at = certs_renew_at(&cas->list[0].info);
    view.bundled = !keeper->bundle.hooks || (bundled && keeper->bundle.alike);
    view.bundled_from = bundled ? bundled->from : 0;
    return view;
}

static void view_leaf(const struct certs_keeper *keeper, time_t now, struct certs_view *view)
{
    view->serves = keeper->place.service;
    view->leaf_usable = keeper->leaf.cert_pem && is_alive(&keeper->leaf_info, now);
    if (!view->leaf_usable)
        return;
    const struct known_ca *signer = &keeper->signer.list[0];
    view->leaf_renew_at = certs_renew_at(&keeper->leaf_info);
    view->leaf_current = known_cas_find(&keeper->current, signer->info.sha256);
    view->leaf_bundled =
        !keeper->bundle.hooks || (keeper->bundle.alike && is_alive(&signer->info, now) &&
                                  known_cas_find(&keeper->bundled, signer->info.sha256));
}

/* Without a readable time they stay as long as they are alive. */
static time_t previous_until(const struct certs_keeper *keeper, time_t now)
{
    time_t until = now;

    for (size_t i = 0; i < keeper->previous.n; i++)
        if (keeper->previous.list[i].info.not_after > until)
            until = keeper->previous.list[i].info.not_after;
    return keeper->set.previous_until && keeper->set.previous_until < until
               ? keeper->set.previous_until
               : until;
}

static struct certs_view view_all(const struct certs_keeper *keeper, bool leads, time_t now)
{
    _cleanup_buf_ struct buf wanted = BUF_INIT(CERTS_PEM_MAX);
    struct certs_view view = { .leads = leads };

    view.current = view_ca(keeper, &keeper->current, now);
    view.next = view_ca(keeper, &keeper->next, now);
    view.has_previous = keeper->set.previous_pem;
    view.previous_until = previous_until(keeper, now);
    wanted_bundle(keeper, now, &wanted);
    view.bundle_right = !keeper->bundle.hooks ||
                        (keeper->bundle.alike && strcmp(keeper->bundle.pem, buf_str(&wanted)) == 0);
    view_leaf(keeper, now, &view);
    return view;
}

/* ---- what is done ---- */

static int write_set(struct certs_keeper *keeper, struct ca_set *set, struct err *e)
{
    const struct certs_place *place = &keeper->place;

    if (keeper->set.version)
        set->version = mem_strdup(keeper->set.version);
    if (keeper->set.type)
        set->type = mem_strdup(keeper->set.type);
    int code = ca_set_write(keeper->client, place->ns, place->secret, set, e);
    return code < 0 ? err_wrap(e, "Secret '%s/%s'", place->ns, place->secret) : 0;
}

static void copy_pair(struct cert_pair *to, const struct cert_pair *from)
{
    to->cert_pem = from->cert_pem ? mem_strdup(from->cert_pem) : NULL;
    to->key_pem = from->key_pem ? mem_strdup(from->key_pem) : NULL;
}

/* What is in @kept stays in the caBundle until no leaf of it can be alive. */
static void set_previous(const struct certs_keeper *keeper, struct buf *kept, time_t now,
                         struct ca_set *set)
{
    int64_t life_s = keeper->policy.leaf_life_s;

    set->previous_pem = kept->len > 0 ? buf_take(kept, NULL) : NULL;
    set->previous_until = now + life_s + certs_backdate(life_s) + keeper->policy.grace_s;
}

/* The Secret is gone or spoilt. Replicas may serve leaves of a CA that was lost with it: what the
 * caBundle holds of ours stays in it, and what we ourselves serve. */
static int make_ca(struct certs_keeper *keeper, time_t now, struct err *e)
{
    _cleanup_ca_set_ struct ca_set set = { 0 };
    _cleanup_buf_ struct buf kept = BUF_INIT(PREVIOUS_MAX);

    add_living(&keeper->signer, now, &kept);
    for (size_t i = 0; i < keeper->bundled.n; i++) {
        const struct known_cas one = { .list = { keeper->bundled.list[i] }, .n = 1 };

        if (strcmp(one.list[0].info.subject, CA_SUBJECT) == 0)
            add_living(&one, now, &kept);
    }
    add_living(&keeper->previous, now, &kept);
    set_previous(keeper, &kept, now, &set);
    if (certs_ca_create(CA_NAME, now, keeper->policy.ca_life_s, &set.current, e) < 0)
        return e->code;
    return write_set(keeper, &set, e);
}

static int make_next(struct certs_keeper *keeper, time_t now, struct err *e)
{
    _cleanup_ca_set_ struct ca_set set = { .previous_until = keeper->set.previous_until };

    copy_pair(&set.current, &keeper->set.current);
    if (keeper->set.previous_pem)
        set.previous_pem = mem_strdup(keeper->set.previous_pem);
    if (certs_ca_create(CA_NAME, now, keeper->policy.ca_life_s, &set.next, e) < 0)
        return e->code;
    return write_set(keeper, &set, e);
}

static int promote(struct certs_keeper *keeper, time_t now, struct err *e)
{
    _cleanup_ca_set_ struct ca_set set = { 0 };
    _cleanup_buf_ struct buf kept = BUF_INIT(PREVIOUS_MAX);

    copy_pair(&set.current, &keeper->set.next);
    add_living(&keeper->current, now, &kept);
    add_living(&keeper->previous, now, &kept);
    set_previous(keeper, &kept, now, &set);
    return write_set(keeper, &set, e);
}

static int drop_previous(struct certs_keeper *keeper, time_t now, struct err *e)
{
    _cleanup_ca_set_ struct ca_set set = { 0 };

    (void)now;
    copy_pair(&set.current, &keeper->set.current);
    copy_pair(&set.next, &keeper->set.next);
    return write_set(keeper, &set, e);
}

static int write_bundle(struct certs_keeper *keeper, time_t now, struct err *e)
{
    const char *name = keeper->place.webhook_configuration;
    _cleanup_buf_ struct buf wanted = BUF_INIT(CERTS_PEM_MAX);

    wanted_bundle(keeper, now, &wanted);
    if (bundle_write(keeper->client, name, &keeper->bundle, buf_str(&wanted), e) < 0)
        return err_wrap(e, "caBundle of ValidatingWebhookConfiguration '%s'", name);
    return 0;
}

static int sign_leaf(struct certs_keeper *keeper, time_t now, struct err *e)
{
    const struct certs_place *place = &keeper->place;
    _cleanup_free_ char *svc = mem_printf("%s.%s.svc", place->service, place->ns);
    _cleanup_free_ char *full = mem_printf("%s.cluster.local", svc);
    const char *const names[] = { svc, full, NULL };
    _cleanup_cert_pair_ struct cert_pair leaf = { 0 };
    struct cert_info info;

    if (certs_leaf_sign(&keeper->set.current, names, now, keeper->policy.leaf_life_s, &leaf, e) <
            0 ||
        certs_describe(leaf.cert_pem, &info, e) < 0)
        return err_wrap(e, "serving certificate of '%s'", svc);
    cert_pair_release(&keeper->leaf);
    keeper->leaf = leaf;
    leaf = (struct cert_pair){ 0 };
    keeper->leaf_info = info;
    known_cas_read(&keeper->signer, keeper->current.list[0].pem);
    return 0;
}

static int apply(struct certs_keeper *keeper, enum certs_action action, time_t now, struct err *e)
{
    static int (*const does[])(struct certs_keeper *, time_t, struct err *) = {
        [CERTS_MAKE_CA] = make_ca,           [CERTS_MAKE_NEXT] = make_next,
        [CERTS_PROMOTE] = promote,           [CERTS_DROP_PREVIOUS] = drop_previous,
        [CERTS_WRITE_BUNDLE] = write_bundle, [CERTS_SIGN_LEAF] = sign_leaf,
    };

    return does[action](keeper, now, e);
}

/* ---- the check ---- */

static time_t end_of(const struct known_cas *cas, bool usable)
{
    return usable ? cas->list[0].info.not_after : 0;
}

static void conclude(struct certs_keeper *keeper, time_t now, int code)
{
    const struct certs_view view = view_all(keeper, false, now);

    keeper->trusted = view.leaf_usable && view.leaf_bundled;
    certs_metrics_set_not_after(CERTS_METRICS_CA, end_of(&keeper->current, view.current.usable));
    certs_metrics_set_not_after(CERTS_METRICS_NEXT_CA, end_of(&keeper->next, view.next.usable));
    certs_metrics_set_not_after(CERTS_METRICS_SERVING,
                                keeper->leaf.cert_pem ? keeper->leaf_info.not_after : 0);
    certs_metrics_set_trusted(keeper->trusted);
    if (code < 0)
        certs_metrics_count_failure();
}

/* Somebody else has written since we looked. A Secret that is not there yet cannot have gone. */
static bool is_conflict(const struct certs_keeper *keeper, enum certs_action action, int code)
{
    if (action == CERTS_SIGN_LEAF)
        return false;
    if (code == -ENOENT)
        return action == CERTS_WRITE_BUNDLE || keeper->set.version;
    return code == -ESTALE || code == -EEXIST;
}

int certs_keeper_check(struct certs_keeper *keeper, bool leads, time_t now,
                       struct certs_changes *ret, struct err *e)
{
    struct err later = { 0 }; /* the first failure is the one that is told */
    int code = look(keeper, now, e);

    *ret = (struct certs_changes){ 0 };
    for (int i = 0; i < STEPS_MAX; i++) {
        /* Nothing is written on what was not read. */
        const struct certs_view view = view_all(keeper, leads && code == 0, now);
        enum certs_action action = certs_plan_next(&view, &keeper->policy, now);

        if (action == CERTS_WAIT)
            break;
        int done = apply(keeper, action, now, code < 0 ? &later : e);
        if (done == 0) {
            ret->done[action]++;
            certs_metrics_count_action(action);
        }
        if (done < 0 && !is_conflict(keeper, action, done))
            code = code < 0 ? code : done;
        if (action == CERTS_SIGN_LEAF)
            break;
        if (code == 0)
            code = look(keeper, now, e);
    }
    if (code == 0 && !keeper->leaf.cert_pem && keeper->place.service)
        code = err_set(e, -EAGAIN, "there is no webhook CA yet; the replica that leads makes it");
    conclude(keeper, now, code);
    return code;
}
