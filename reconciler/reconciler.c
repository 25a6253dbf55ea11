/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/reconciler.h"

#include "lib/cleanup.h"
#include "lib/kube/loop.h"
#include "lib/kube/path.h"
#include "lib/kube/watch.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "reconciler/clock.h"
#include "reconciler/counters.h"
#include "reconciler/pass.h"
#include "reconciler/plan.h"
#include "reconciler/subjects.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { TURN_MAX_MS = 1000, PAUSED_TURN_MS = 250, STOP_WAIT_MS = 5000 };

struct reconciler {
    pthread_t thread;
    atomic_bool stopping, ready;
    struct kube_loop *loop;
    struct subjects subjects;
    struct pass_context passes;
    struct kube_watch *podflames, *agents;
    char *podflames_path, *agents_path;
    char instance[128];
    bool led; /* when it last asked */
};

static struct subject *subject_of(struct queue_node *turn)
{
    return (struct subject *)(void *)((char *)turn - offsetof(struct subject, turn));
}

static void begin_passes(struct reconciler *r, int64_t now_ms)
{
    struct queue_node *turn;

    while (r->passes.n_passes < PASS_MAX && (turn = queue_take(&r->subjects.queue, now_ms)))
        pass_begin(&r->passes, subject_of(turn));
}

/* Whoever begins to lead looks at all there is; what was asleep until now is among it. */
static void ask_who_leads(struct reconciler *r)
{
    bool leads = pass_may_act(&r->passes);

    if (leads == r->led)
        return;
    r->led = leads;
    log_event(LOG_INFO, leads ? "reconciler acts" : "reconciler is paused: another replica leads",
              LOG_INT("subjects", HASH_COUNT(r->subjects.by_uid)));
    for (struct subject *s = r->subjects.by_uid; leads && s; s = s->hh.next)
        subject_touch(&r->subjects, s);
}

static void sooner(int64_t *wait_ms, int64_t other_ms)
{
    if (other_ms >= 0 && other_ms < *wait_ms)
        *wait_ms = other_ms;
}

/* One turn of the thread: what is due, then wait for the network or the next time. */
static void turn(struct reconciler *r)
{
    int64_t now_ms = clock_monotonic_ms(), wait_ms = TURN_MAX_MS;

    sooner(&wait_ms, kube_watch_tick(r->podflames, now_ms));
    sooner(&wait_ms, kube_watch_tick(r->agents, now_ms));
    if (r->subjects.pf_synced && r->subjects.agent_synced) {
        if (!r->ready)
            log_event(LOG_INFO, "reconciler is ready",
                      LOG_INT("subjects", HASH_COUNT(r->subjects.by_uid)));
        r->ready = true;
        ask_who_leads(r);
        if (!r->led)
            sooner(&wait_ms, PAUSED_TURN_MS);
        begin_passes(r, now_ms);
        int64_t next_ms = queue_next_ms(&r->subjects.queue);
        if (next_ms >= 0 && r->passes.n_passes < PASS_MAX)
            sooner(&wait_ms, next_ms > now_ms ? next_ms - now_ms : 0);
    }
    counters_set(HASH_COUNT(r->subjects.by_uid), r->subjects.queue.n, r->led);
    kube_loop_run(r->loop, (int)wait_ms);
}

static void *run(void *arg)
{
    struct reconciler *r = arg;

    while (!r->stopping)
        turn(r);
    int64_t end_ms = clock_monotonic_ms() + STOP_WAIT_MS;
    while (r->passes.n_passes + r->passes.n_events > 0 && clock_monotonic_ms() < end_ms)
        kube_loop_run(r->loop, 100);
    return NULL;
}

static void reconciler_free(struct reconciler *r)
{
    kube_watch_close(r->podflames);
    kube_watch_close(r->agents);
    kube_loop_free(r->loop);
    passes_drop(&r->passes);
    subjects_release(&r->subjects);
    free(r->podflames_path);
    free(r->agents_path);
    free(r);
}

static void open_watches(struct reconciler *r, const struct reconciler_config *config)
{
    r->podflames_path =
        config->watch_namespace
            ? mem_printf("/apis/" PODFLAME_API_VERSION "/namespaces/%s/" PODFLAME_RESOURCE,
                         config->watch_namespace)
            : mem_strdup("/apis/" PODFLAME_API_VERSION "/" PODFLAME_RESOURCE);
    r->agents_path = mem_printf("/api/v1/namespaces/%s/pods", config->namespace);
    r->podflames =
        kube_watch_open(r->loop, &(struct kube_watch_options){ .path = r->podflames_path },
                        &subjects_podflame_handler, &r->subjects);
    r->agents = kube_watch_open(
        r->loop,
        &(struct kube_watch_options){ .path = r->agents_path, .selector = AGENT_POD_SELECTOR },
        &subjects_agent_handler, &r->subjects);
}

/* The thread leaves signals to the others. */
static int start_thread(struct reconciler *r)
{
    sigset_t all, before;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int code = pthread_create(&r->thread, NULL, run, r);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -code;
}

int reconciler_start(const struct reconciler_config *config, const struct kube_config *kube,
                     struct reconciler **ret, struct err *e)
{
    if (!config->namespace || !kube_path_is_name(config->namespace))
        return err_set(e, -EINVAL, "'%s' is no namespace for agent pods",
                       config->namespace ? config->namespace : "");
    if (config->watch_namespace && !kube_path_is_name(config->watch_namespace))
        return err_set(e, -EINVAL, "'%s' is no namespace to watch", config->watch_namespace);
    if (!config->agent_image || !*config->agent_image)
        return err_set(e, -EINVAL, "no image of the agent is given");

    struct reconciler *r = mem_zalloc(sizeof(*r));
    counters_register();
    if (gethostname(r->instance, sizeof(r->instance) - 1) < 0 || !r->instance[0])
        (void)snprintf(r->instance, sizeof(r->instance), "podflame-operator");
    r->loop = kube_loop_new(kube);
    r->passes = (struct pass_context){
        .loop = r->loop,
        .subjects = &r->subjects,
        .agent = { .namespace = config->namespace,
                   .image = config->agent_image,
                   .service_account = config->agent_service_account ? config->agent_service_account
                                                                    : "podflame-agent",
                   .memory_limit = config->agent_memory ? config->agent_memory : "256Mi" },
        .target_wait_s = config->target_wait_s < 0 ? PLAN_TARGET_WAIT_S : config->target_wait_s,
        .instance = r->instance,
        .leads = config->leads,
        .leads_ctx = config->ctx,
    };
    open_watches(r, config);
    int code = start_thread(r);
    if (code < 0) {
        reconciler_free(r);
        return err_set(e, code, "start the reconciler's thread: %s", err_text(-code));
    }
    *ret = r;
    return 0;
}

bool reconciler_ready(const struct reconciler *r)
{
    return r->ready;
}

void reconciler_stop(struct reconciler *r)
{
    if (!r)
        return;
    r->stopping = true;
    kube_loop_wake(r->loop);
    (void)pthread_join(r->thread, NULL);
    reconciler_free(r);
}
