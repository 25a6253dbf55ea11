/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/kube/lease.h"

#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/kube/client.h"
#include "lib/kube/path.h"
#include "lib/mem.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define COLLECTION "/apis/coordination.k8s.io/v1/namespaces/%s/leases"

enum {
    BODY_MAX = 8 * 1024,
    REQUEST_MIN_MS = 100,
    TURNS = 2,                       /* a write that came too late is followed by one more look */
    DURATION_MAX_MS = 10 * 60 * 1000 /* of a record; a longer one is not believed */
};

struct kube_lease {
    struct kube_lease_options options;
    char *ns, *name, *identity, *collection, *path;
    struct kube_client *client;
    pthread_t thread;
    pthread_mutex_t lock; /* of stopping */
    pthread_cond_t wake;
    bool stopping;
    _Atomic int64_t held_until_ms; /* monotonic; 0: not held */

    /* What was seen last; of the thread. */
    struct kube_lease_view view;
    char version[64], acquired[64];
    int64_t seen_ms, transitions;
    bool known;
    bool told_held;
    char told_holder[KUBE_LEASE_TEXT_SIZE];
    char told_problem[sizeof(((struct err *)0)->msg)]; /* once, however often it is met */
};

static int64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail */
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool kube_lease_is_held(const struct kube_lease *lease)
{
    return now_ms() < lease->held_until_ms;
}

enum kube_lease_step kube_lease_next(const struct kube_lease_view *view, const char *identity)
{
    if (!view->exists)
        return KUBE_LEASE_CREATE;
    if (strcmp(view->holder, identity) == 0)
        return KUBE_LEASE_RENEW;
    if (!view->holder[0] || view->unchanged_ms >= view->duration_ms)
        return KUBE_LEASE_TAKE;
    return KUBE_LEASE_WAIT;
}

/* ---- the record ---- */

static void copy_text(char *to, size_t size, const char *from)
{
    (void)snprintf(to, size, "%s", from ? from : "");
}

/* Takes what the API server answered; a version that is new begins its time now. */
static void observe(struct kube_lease *lease, struct json_object *record)
{
    const char *version = json_get_str(record, "metadata.resourceVersion");
    int64_t said_ms = json_get_int(record, "spec.leaseDurationSeconds", 0) * 1000;

    if (!lease->view.exists || !version || strcmp(version, lease->version) != 0)
        lease->seen_ms = now_ms();
    lease->known = true;
    lease->view.exists = true;
    lease->view.duration_ms =
        said_ms > 0 && said_ms <= DURATION_MAX_MS ? said_ms : lease->options.duration_ms;
    copy_text(lease->view.holder, sizeof(lease->view.holder),
              json_get_str(record, "spec.holderIdentity"));
    copy_text(lease->version, sizeof(lease->version), version);
    copy_text(lease->acquired, sizeof(lease->acquired), json_get_str(record, "spec.acquireTime"));
    lease->transitions = json_get_int(record, "spec.leaseTransitions", 0);
}

static void observe_none(struct kube_lease *lease)
{
    lease->known = true;
    lease->view = (struct kube_lease_view){ 0 };
}

static void micro_time(char text[64])
{
    struct timespec now;
    struct tm utc;
    char seconds[32];

    (void)clock_gettime(CLOCK_REALTIME, &now);
    (void)strftime(seconds, sizeof(seconds), "%Y-%m-%dT%H:%M:%S", gmtime_r(&now.tv_sec, &utc));
    (void)snprintf(text, 64, "%s.%06ldZ", seconds, now.tv_nsec / 1000);
}

/* The record as it is to be: held by @holder, or given back when that is "". */
static int write_record(const struct kube_lease *lease, const char *holder, struct buf *out)
{
    _cleanup_json_ struct json_object *record = json_object_new_object();
    bool is_new = strcmp(lease->view.holder, lease->identity) != 0;
    int64_t seconds = *holder ? (lease->options.duration_ms + 999) / 1000 : 1;
    char now[64];

    micro_time(now);
    json_set_str(record, "apiVersion", "coordination.k8s.io/v1");
    json_set_str(record, "kind", "Lease");
    struct json_object *metadata = json_add_object(record, "metadata");
    json_set_str(metadata, "name", lease->name);
    json_set_str(metadata, "namespace", lease->ns);
    if (lease->view.exists)
        json_set_str(metadata, "resourceVersion", lease->version);
    struct json_object *spec = json_add_object(record, "spec");
    json_set_str(spec, "holderIdentity", holder);
    json_set_int(spec, "leaseDurationSeconds", seconds);
    json_set_str(spec, "acquireTime", is_new || !lease->acquired[0] ? now : lease->acquired);
    json_set_str(spec, "renewTime", now);
    json_set_int(spec, "leaseTransitions",
                 lease->transitions + (lease->view.exists && is_new ? 1 : 0));
    return json_write(record, out);
}

/* ---- one try ---- */

/* Nobody waits for the API server past the moment at which the Lease is lost. */
static int64_t timeout_ms(const struct kube_lease *lease)
{
    int64_t most = lease->options.renew_ms / 2;
    int64_t left = lease->held_until_ms - now_ms();

    if (left > 0 && left < most)
        most = left;
    return most < REQUEST_MIN_MS ? REQUEST_MIN_MS : most;
}

static int look(struct kube_lease *lease, struct err *e)
{
    _cleanup_json_ struct json_object *record = NULL;
    int code = kube_client_json(lease->client,
                                &(struct kube_request){ .method = "GET",
                                                        .path = lease->path,
                                                        .timeout_ms = timeout_ms(lease) },
                                &record, e);

    if (code == -ENOENT) {
        observe_none(lease);
        return 0;
    }
    if (code == 0)
        observe(lease, record);
    return code;
}

static int claim(struct kube_lease *lease, const char *holder, struct err *e)
{
    _cleanup_json_ struct json_object *record = NULL;
    _cleanup_buf_ struct buf body = BUF_INIT(BODY_MAX);
    bool exists = lease->view.exists;

    if (write_record(lease, holder, &body) < 0)
        return err_set(e, -ENOSPC, "the record is too large");
    const struct kube_request request = { .method = exists ? "PUT" : "POST",
                                          .path = exists ? lease->path : lease->collection,
                                          .body = body.data,
                                          .len = body.len,
                                          .timeout_ms = timeout_ms(lease) };
    int code = kube_client_json(lease->client, &request, &record, e);
    if (code == 0)
        observe(lease, record);
    else
        lease->known = false; /* it may have arrived all the same */
    return code;
}

/* Looks when another's record matters or ours is in doubt, and claims what can be claimed. */
static int try_once(struct kube_lease *lease, struct err *e)
{
    int64_t sent_ms = now_ms();
    int code;

    if (!lease->known || strcmp(lease->view.holder, lease->identity) != 0) {
        code = look(lease, e);
        if (code < 0)
            return code;
    }
    lease->view.unchanged_ms = now_ms() - lease->seen_ms;
    if (kube_lease_next(&lease->view, lease->identity) == KUBE_LEASE_WAIT) {
        lease->held_until_ms = 0;
        return 0;
    }
    code = claim(lease, lease->identity, e);
    if (code == 0)
        lease->held_until_ms = sent_ms + lease->options.renew_ms;
    return code;
}

static void tell(struct kube_lease *lease)
{
    bool held = kube_lease_is_held(lease);

    if (held == lease->told_held && strcmp(lease->view.holder, lease->told_holder) == 0)
        return;
    lease->told_held = held;
    copy_text(lease->told_holder, sizeof(lease->told_holder), lease->view.holder);
    if (lease->options.changed)
        lease->options.changed(lease->options.ctx, held, lease->view.holder);
}

static void tell_problem(struct kube_lease *lease, int code, struct err *e)
{
    if (code == 0) {
        lease->told_problem[0] = '\0';
        return;
    }
    (void)err_wrap(e, "Lease '%s/%s'", lease->ns, lease->name);
    if (strcmp(lease->told_problem, e->msg) == 0)
        return;
    copy_text(lease->told_problem, sizeof(lease->told_problem), e->msg);
    if (lease->options.problem)
        lease->options.problem(lease->options.ctx, e);
}

static void try_now(struct kube_lease *lease)
{
    struct err e = { 0 };
    int code = 0;

    for (int i = 0; i < TURNS; i++) {
        code = try_once(lease, &e);
        if (code != -ESTALE && code != -EEXIST && code != -ENOENT)
            break;
    }
    tell_problem(lease, code, &e);
    tell(lease);
}

/* ---- the thread ---- */

static int64_t pause_ms(const struct kube_lease *lease)
{
    uint32_t bits = 0;
    int64_t wait = lease->options.retry_ms;

    (void)!getrandom(&bits, sizeof(bits), GRND_NONBLOCK);
    return wait - wait * (bits % 256) / 1024;
}

/* True when it is time to stop. Tells of a loss when it happens, not at the next try. */
static bool rest(struct kube_lease *lease)
{
    int64_t end_ms = now_ms() + pause_ms(lease);

    (void)pthread_mutex_lock(&lease->lock);
    for (;;) {
        int64_t now = now_ms(), until = end_ms;

        if (lease->stopping || now >= end_ms)
            break;
        if (lease->held_until_ms > now && lease->held_until_ms < until)
            until = lease->held_until_ms;
        const struct timespec at = { .tv_sec = until / 1000, .tv_nsec = until % 1000 * 1000000 };
        (void)pthread_cond_timedwait(&lease->wake, &lease->lock, &at);
        tell(lease);
    }
    bool stopping = lease->stopping;
    (void)pthread_mutex_unlock(&lease->lock);
    return stopping;
}

static void *run(void *arg)
{
    struct kube_lease *lease = arg;
    struct err ignored = { 0 }; /* whoever comes next waits a little longer, no more */

    do
        try_now(lease);
    while (!rest(lease));
    bool held = kube_lease_is_held(lease);
    lease->held_until_ms = 0;
    if (held)
        (void)claim(lease, "", &ignored);
    return NULL;
}

static int start_thread(struct kube_lease *lease)
{
    sigset_t all, before;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int code = pthread_create(&lease->thread, NULL, run, lease);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -code;
}

static void lease_free(struct kube_lease *lease)
{
    kube_client_free(lease->client);
    (void)pthread_cond_destroy(&lease->wake);
    (void)pthread_mutex_destroy(&lease->lock);
    free(lease->ns);
    free(lease->name);
    free(lease->identity);
    free(lease->collection);
    free(lease->path);
    free(lease);
}

static struct kube_lease *lease_new(const struct kube_lease_options *options,
                                    const struct kube_config *kube)
{
    struct kube_lease *lease = mem_zalloc(sizeof(*lease));
    pthread_condattr_t attr;

    lease->options = *options;
    lease->ns = mem_strdup(options->ns);
    lease->name = mem_strdup(options->name);
    lease->identity = mem_strdup(options->identity);
    lease->collection = mem_printf(COLLECTION, options->ns);
    lease->path = mem_printf(COLLECTION "/%s", options->ns, options->name);
    lease->client = kube_client_new(kube);
    (void)pthread_mutex_init(&lease->lock, NULL);
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&lease->wake, &attr);
    (void)pthread_condattr_destroy(&attr);
    return lease;
}

static int64_t value_or(int64_t value, int64_t missing)
{
    return value ? value : missing;
}

int kube_lease_start(const struct kube_lease_options *options, const struct kube_config *kube,
                     struct kube_lease **ret, struct err *e)
{
    struct kube_lease_options o = *options;

    o.duration_ms = value_or(o.duration_ms, KUBE_LEASE_DURATION_MS);
    o.renew_ms = value_or(o.renew_ms, KUBE_LEASE_RENEW_MS);
    o.retry_ms = value_or(o.retry_ms, KUBE_LEASE_RETRY_MS);
    if (o.retry_ms <= 0 || o.retry_ms >= o.renew_ms || o.renew_ms >= o.duration_ms ||
        o.duration_ms > DURATION_MAX_MS)
        return err_set(e, -EINVAL,
                       "a Lease needs retry < renew < duration, and a duration up to 10m");
    if (!kube_path_is_name(o.ns) || !kube_path_is_name(o.name) || !*o.identity ||
        strlen(o.identity) >= KUBE_LEASE_TEXT_SIZE)
        return err_set(e, -EINVAL, "'%s/%s' held by '%s' is no Lease", o.ns, o.name, o.identity);

    struct kube_lease *lease = lease_new(&o, kube);
    int code = start_thread(lease);
    if (code < 0) {
        lease_free(lease);
        return err_set(e, code, "start the thread of a Lease: %s", err_text(code));
    }
    *ret = lease;
    return 0;
}

void kube_lease_stop(struct kube_lease *lease)
{
    if (!lease)
        return;
    (void)pthread_mutex_lock(&lease->lock);
    lease->stopping = true;
    (void)pthread_cond_signal(&lease->wake);
    (void)pthread_mutex_unlock(&lease->lock);
    (void)pthread_join(lease->thread, NULL);
    lease_free(lease);
}
