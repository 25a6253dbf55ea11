/* SPDX-License-Identifier: Apache-2.0 */
/*
 * podflame-operator: finds the subcommand, and is the only place that knows webhook, reconciler and
 * certs together. `run` is what the Deployment runs: the webhook's threads, the reconciler's
 * thread, health and metrics, and this thread, which keeps the certificates right and waits for the
 * end.
 */
#include "certs/command.h"
#include "certs/folder.h"
#include "certs/keeper.h"
#include "lib/cleanup.h"
#include "lib/cli.h"
#include "lib/file.h"
#include "lib/kube/client.h"
#include "lib/kube/config.h"
#include "lib/kube/lease.h"
#include "lib/kube/pods.h"
#include "lib/log.h"
#include "reconciler/reconciler.h"
#include "webhook/alone.h"
#include "webhook/health.h"
#include "webhook/server.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define LEASE_NAME "podflame-operator"

enum {
    EXIT_USAGE = 2,
    CLIENT_CA_MAX = 1024 * 1024,
    RETRY_FIRST_S = 1,
    RETRY_LAST_S = 4,
    QUIET_S = 1,
    DAY_S = 86400
};

struct settings {
    const char *kubeconfig, *context, *namespace, *watch_namespace, *agent_image, *agent_memory;
    const char *identity, *cert_dir, *client_ca;
    int64_t webhook_port, health_port, target_wait_s;
    int64_t lease_duration_s, lease_renew_s, lease_retry_s;
    struct certs_policy certs;
    bool no_webhook, verbose;
};

/* All that `run` owns; what was never started is NULL. */
struct operator
{
    struct kube_config *config;
    struct kube_client *client; /* of this thread: for the keeper */
    struct kube_pods *pods;
    struct pod_lookup lookup;
    struct certs_keeper *keeper; /* or */
    struct certs_folder *folder;
    struct kube_lease *lease;
    struct health *health;
    struct webhook_server *server;
    struct reconciler *reconciler;
    _Atomic(struct reconciler *) seen_reconciler; /* for the health thread */
    _Atomic bool serving;                         /* the webhook answers, or there is none */
    _Atomic bool trusted;                         /* API servers can trust its certificate */
};

static bool is_ready(void *ctx, struct buf *why)
{
    struct operator* o = ctx;
    const struct reconciler *reconciler = o->seen_reconciler;
    bool serving = o->serving, trusted = o->trusted;
    bool listed = reconciler && reconciler_ready(reconciler);

    if (!serving)
        (void)buf_add_str(why, "the webhook does not serve\n");
    if (serving && !trusted)
        (void)buf_add_str(why, "API servers cannot trust the serving certificate yet\n");
    if (!listed)
        (void)buf_add_str(why, "PodFlames and agents are not listed yet\n");
    return serving && trusted && listed;
}

static bool leads(void *ctx)
{
    const struct operator* o = ctx;

    return kube_lease_is_held(o->lease);
}

/* Waits for a signal to end; false when the time passed without one. */
static bool ends_within(const sigset_t *signals, int64_t seconds)
{
    const struct timespec wait = { .tv_sec = seconds };
    int got;

    do
        got = sigtimedwait(signals, NULL, &wait);
    while (got < 0 && errno == EINTR);
    return got > 0;
}

static int check_keeper(struct operator* o, bool *ret_changed, struct err *e)
{
    struct certs_changes changes;
    int code = certs_keeper_check(o->keeper, leads(o), time(NULL), &changes, e);

    for (enum certs_action action = 0; action < CERTS_ACTION_COUNT; action++)
        if (changes.done[action] > 0)
            log_event(LOG_INFO, certs_action_text(action));
    *ret_changed = changes.done[CERTS_SIGN_LEAF] > 0;
    o->trusted = certs_keeper_is_trusted(o->keeper);
    return code;
}

static int check_folder(struct operator* o, bool *ret_changed, struct err *e)
{
    int code = certs_folder_check(o->folder, time(NULL), ret_changed, e);

    if (*ret_changed)
        log_event(LOG_INFO, "serving certificate read");
    o->trusted = !certs_folder_is_expired(o->folder, time(NULL));
    return code;
}

static const struct cert_pair *serving_leaf(const struct operator* o)
{
    return o->folder ? certs_folder_leaf(o->folder) : certs_keeper_leaf(o->keeper);
}

/* One check of the certificates; a new leaf goes to the listener at once, whatever else failed. */
static int check_certificates(struct operator* o, struct err *e)
{
    bool changed = false;
    int code = o->folder ? check_folder(o, &changed, e) : check_keeper(o, &changed, e);
    const struct cert_pair *leaf = serving_leaf(o);

    if (changed && o->server &&
        webhook_server_set_certificate(o->server, leaf->cert_pem, leaf->key_pem, e) < 0)
        return err_wrap(e, "serving certificate");
    return code;
}

/* False: a signal came first. Waits for the API server as long as it takes, and says why. */
static bool first_certificates(struct operator* o, const sigset_t *signals)
{
    int64_t retry_s = RETRY_FIRST_S;

    for (;;) {
        struct err e = { 0 };

        if (check_certificates(o, &e) == 0 || serving_leaf(o))
            return true;
        log_event(LOG_WARN, "no serving certificate yet", LOG_STR("error", e.msg),
                  LOG_INT("retry_s", retry_s));
        if (ends_within(signals, retry_s))
            return false;
        retry_s = retry_s * 2 < RETRY_LAST_S ? retry_s * 2 : RETRY_LAST_S;
    }
}

static int start_webhook(struct operator* o, const struct settings *s, struct err *e)
{
    const struct cert_pair *leaf = serving_leaf(o);
    _cleanup_buf_ struct buf client_ca = BUF_INIT(CLIENT_CA_MAX);

    if (s->client_ca && file_read(s->client_ca, &client_ca, e) < 0)
        return e->code;
    const struct webhook_server_config config = {
        .port = (uint16_t)s->webhook_port,
        .cert_pem = leaf->cert_pem,
        .key_pem = leaf->key_pem,
        .client_ca_pem = s->client_ca ? buf_str(&client_ca) : NULL,
        .lookup = &o->lookup,
    };

    return webhook_server_start(&config, &o->server, e);
}

static void on_leader(void *ctx, bool held, const char *holder)
{
    (void)ctx;
    log_event(LOG_INFO, held ? "this replica leads" : "this replica does not lead",
              LOG_STR("leader", holder));
}

static void on_lease_problem(void *ctx, const struct err *e)
{
    (void)ctx;
    log_event(LOG_WARN, "the lease could not be read or renewed", LOG_STR("error", e->msg));
}

static int start_lease(struct operator* o, const struct settings *s, struct err *e)
{
    char host[128] = "podflame-operator", identity[160];
    uint32_t number = 0;

    (void)gethostname(host, sizeof(host) - 1);
    (void)!getrandom(&number, sizeof(number), GRND_NONBLOCK);
    (void)snprintf(identity, sizeof(identity), "%s_%08x", host, number);
    const struct kube_lease_options options = {
        .ns = s->namespace,
        .name = LEASE_NAME,
        .identity = s->identity ? s->identity : identity,
        .duration_ms = s->lease_duration_s * 1000,
        .renew_ms = s->lease_renew_s * 1000,
        .retry_ms = s->lease_retry_s * 1000,
        .changed = on_leader,
        .problem = on_lease_problem,
    };

    return kube_lease_start(&options, o->config, &o->lease, e);
}

/* 0 also when a signal came before everything was started. */
static int serve(struct operator* o, const struct settings *s, const sigset_t *signals,
                 struct err *e)
{
    const struct health_config health = { .port = (uint16_t)s->health_port,
                                          .ready = is_ready,
                                          .ctx = o };
    const struct reconciler_config reconciler = { .namespace = s->namespace,
                                                  .watch_namespace = s->watch_namespace,
                                                  .agent_image = s->agent_image,
                                                  .agent_memory = s->agent_memory,
                                                  .target_wait_s = s->target_wait_s,
                                                  .leads = leads,
                                                  .ctx = o };
    int64_t check_s = o->folder ? CERTS_CHECK_S : certs_policy_check_s(&s->certs);

    if (start_lease(o, s, e) < 0)
        return e->code;
    o->trusted = s->no_webhook;
    if (health_start(&health, &o->health, e) < 0)
        return e->code;
    if (!s->no_webhook) {
        if (!first_certificates(o, signals))
            return 0;
        if (start_webhook(o, s, e) < 0)
            return e->code;
    }
    o->serving = true;
    if (reconciler_start(&reconciler, o->config, &o->reconciler, e) < 0)
        return e->code;
    o->seen_reconciler = o->reconciler;
    log_event(LOG_INFO, "started", LOG_STR("version", PODFLAME_VERSION),
              LOG_STR("namespace", s->namespace), LOG_STR("agent_image", s->agent_image),
              LOG_INT("webhook_port", s->no_webhook ? 0 : s->webhook_port),
              LOG_INT("health_port", s->health_port));
    while (!ends_within(signals, check_s)) {
        if (!s->no_webhook && check_certificates(o, e) < 0)
            log_event(LOG_WARN, "certificates could not be checked", LOG_STR("error", e->msg));
    }
    return 0;
}

/* Readiness fails first, then connections are sent elsewhere, then all ends. */
static void stop(struct operator* o, const sigset_t *signals)
{
    log_event(LOG_INFO, "stopping");
    o->serving = false;
    if (o->server) {
        webhook_server_drain(o->server);
        (void)ends_within(signals, QUIET_S);
    }
    webhook_server_stop(o->server);
    health_stop(o->health);
    reconciler_stop(o->reconciler);
    kube_lease_stop(o->lease); /* the next one begins when this one has ended */
    certs_keeper_free(o->keeper);
    certs_folder_free(o->folder);
    kube_pods_free(o->pods);
    kube_client_free(o->client);
    kube_config_free(o->config);
}

static int run_with(struct settings *s, struct err *e)
{
    struct operator o = { 0 };
    struct certs_place place = certs_place_default;
    sigset_t signals;
    int code;

    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGINT);
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL); /* inherited by every thread */
    (void)signal(SIGPIPE, SIG_IGN);

    if (kube_config_load(s->kubeconfig, s->context, &o.config, e) < 0)
        return e->code;
    if (!s->namespace)
        s->namespace = o.config->ns;
    place.ns = s->namespace;
    o.client = kube_client_new(o.config);
    o.pods = kube_pods_new(o.config);
    o.lookup = (struct pod_lookup){ .get = kube_pods_get, .ctx = o.pods };
    certs_policy_complete(&s->certs);
    if (s->cert_dir)
        o.folder = certs_folder_new(s->cert_dir);
    else
        o.keeper = certs_keeper_new(o.client, &place, &s->certs);
    code = serve(&o, s, &signals, e);
    stop(&o, &signals);
    return code;
}

static int run_main(int argc, char **argv)
{
    struct settings s = { .webhook_port = 9443,
                          .health_port = 8081,
                          .target_wait_s = 30,
                          .lease_duration_s = KUBE_LEASE_DURATION_MS / 1000,
                          .lease_renew_s = KUBE_LEASE_RENEW_MS / 1000,
                          .lease_retry_s = KUBE_LEASE_RETRY_MS / 1000 };
    struct cli_option options[] = {
        { "agent-image", "IMAGE", "image of podflame-agent that nodes can pull (required)",
          CLI_TEXT, &s.agent_image, 0, 0 },
        { "agent-memory", "QUANTITY", "memory limit of an agent (default: 256Mi)", CLI_TEXT,
          &s.agent_memory, 0, 0 },
        { "namespace", "NAME",
          "where agents, the webhook's Service and its CA are (default: the pod's own)", CLI_TEXT,
          &s.namespace, 0, 0 },
        { "watch-namespace", "NAME", "follow the PodFlames of this namespace only (default: all)",
          CLI_TEXT, &s.watch_namespace, 0, 0 },
        { "target-wait", "DURATION",
          "how long a PodFlame may wait for its pod to run (default: 30s)", CLI_DURATION,
          &s.target_wait_s, 0, 0 },
        { "webhook-port", "N", "port of the admission webhook (default: 9443)", CLI_INT,
          &s.webhook_port, 1, 65535 },
        { "health-port", "N", "port of /healthz, /readyz and /metrics (default: 8081)", CLI_INT,
          &s.health_port, 1, 65535 },
        { "no-webhook", NULL, "reconcile only: for a machine that the API server cannot reach",
          CLI_FLAG, &s.no_webhook, 0, 0 },
        { "Certificates of the webhook", NULL, NULL, CLI_HEADING, NULL, 0, 0 },
        { "cert-dir", "DIR",
          "serve with tls.crt and tls.key of this folder, read again when they change; caBundle "
          "and CA are then somebody else's",
          CLI_TEXT, &s.cert_dir, 0, 0 },
        { "client-ca", "FILE",
          "answer only API servers with a client certificate that one of these signed, PEM",
          CLI_TEXT, &s.client_ca, 0, 0 },
        { "ca-life", "TIME", "life of a CA that is made, such as 60s, 12h or 365d (default: 365d)",
          CLI_SPAN, &s.certs.ca_life_s, 30, 3650LL * DAY_S },
        { "leaf-life", "TIME", "life of a serving certificate (default: 7d)", CLI_SPAN,
          &s.certs.leaf_life_s, 10, 3650LL * DAY_S },
        { "ca-grace", "TIME",
          "how long a new CA is in the caBundle before it signs (default: 60s, at most 1/12 of its "
          "life)",
          CLI_SPAN, &s.certs.grace_s, 1, DAY_S },
        { "Leader among replicas", NULL, NULL, CLI_HEADING, NULL, 0, 0 },
        { "identity", "NAME", "who holds the Lease; default: the host name and a random number",
          CLI_TEXT, &s.identity, 0, 0 },
        { "lease-duration", "DURATION",
          "how long others wait for a leader that is silent (default: 15s)", CLI_DURATION,
          &s.lease_duration_s, 0, 0 },
        { "lease-renew", "DURATION",
          "a leader that could not renew for so long stops (default: 10s)", CLI_DURATION,
          &s.lease_renew_s, 0, 0 },
        { "lease-retry", "DURATION", "time between two tries (default: 2s)", CLI_DURATION,
          &s.lease_retry_s, 0, 0 },
        { "Cluster", NULL, NULL, CLI_HEADING, NULL, 0, 0 },
        { "kubeconfig", "FILE",
          "the cluster (default: $KUBECONFIG, the pod's account, ~/.kube/config)", CLI_TEXT,
          &s.kubeconfig, 0, 0 },
        { "context", "NAME", "the context of the kubeconfig", CLI_TEXT, &s.context, 0, 0 },
        { "verbose", NULL, "log every step", CLI_FLAG, &s.verbose, 0, 0 },
        { 0 },
    };
    const struct cli_program program = {
        .name = "podflame-operator run",
        .usage = "podflame-operator run --agent-image IMAGE [options]",
        .summary = "Serves the admission webhook and reconciles PodFlames until SIGTERM.",
        .options = options,
        .footer = "exit codes: 0 ended by a signal, 1 could not start, 2 wrong usage",
    };
    struct err e = { 0 };
    int first = argc;
    int parsed = cli_parse(&program, argc, argv, &first, &e);

    if (parsed == CLI_EXIT_OK)
        return 0;
    if (parsed == CLI_RUN && (first < argc || !s.agent_image))
        parsed = err_set(&e, -EINVAL, "%s; try 'podflame-operator run --help'",
                         first < argc ? "takes no operands" : "--agent-image is required");
    if (parsed < 0) {
        (void)fprintf(stderr, "podflame-operator run: %s\n", e.msg);
        return EXIT_USAGE;
    }
    if (s.verbose)
        log_set_level(LOG_DEBUG);
    if (run_with(&s, &e) < 0) {
        log_event(LOG_ERROR, "could not start", LOG_STR("error", e.msg));
        return 1;
    }
    return 0;
}

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} commands[] = {
    { "run", run_main, "serve the webhook and reconcile: what the Deployment runs" },
    { "certs", certs_command_main, "make or show the webhook's certificates in the cluster" },
    { "review", webhook_review_main, "judge one AdmissionReview from standard input" },
    { "webhook", webhook_alone_main, "serve the admission webhook without a cluster" },
};

enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };

static void print_help(FILE *out)
{
    (void)fprintf(out, "usage: podflame-operator COMMAND [options]\n\ncommands:\n");
    for (size_t i = 0; i < COMMANDS; i++)
        (void)fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].help);
    (void)fprintf(
        out, "\n'podflame-operator COMMAND --help' tells its options; --version the version.\n");
}

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < COMMANDS; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "--version") == 0) {
        printf("podflame-operator %s\n", PODFLAME_VERSION);
        return 0;
    }
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        print_help(stdout);
        return 0;
    }
    print_help(stderr);
    return EXIT_USAGE;
}
