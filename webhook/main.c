/* SPDX-License-Identifier: Apache-2.0 */
/*
 * podflame-operator: finds the subcommand, and is the only place that knows webhook, reconciler and
 * certs together. `run` is what the Deployment runs: the webhook's threads, the reconciler's
 * thread, health and metrics, and this thread, which keeps the certificates right and waits for the
 * end.
 */
#include "certs/command.h"
#include "certs/keeper.h"
#include "lib/cleanup.h"
#include "lib/cli.h"
#include "lib/kube/client.h"
#include "lib/kube/config.h"
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
#include <time.h>

enum { EXIT_USAGE = 2, CERTS_CHECK_S = 20, RETRY_FIRST_S = 1, RETRY_LAST_S = 15, QUIET_S = 1 };

struct settings {
    const char *kubeconfig, *context, *namespace, *watch_namespace, *agent_image, *agent_memory;
    int64_t webhook_port, health_port, target_wait_s;
    bool no_webhook, verbose;
};

/* All that `run` owns; what was never started is NULL. */
struct operator
{
    struct kube_config *config;
    struct kube_client *client; /* of this thread: for the keeper */
    struct kube_pods *pods;
    struct pod_lookup lookup;
    struct certs_keeper *keeper;
    struct health *health;
    struct webhook_server *server;
    struct reconciler *reconciler;
    _Atomic(struct reconciler *) seen_reconciler; /* for the health thread */
    _Atomic bool serving;                         /* the webhook answers, or there is none */
};

static bool is_ready(void *ctx, struct buf *why)
{
    struct operator* o = ctx;
    const struct reconciler *reconciler = o->seen_reconciler;
    bool serving = o->serving;
    bool listed = reconciler && reconciler_ready(reconciler);

    if (!serving)
        (void)buf_add_str(why, "the webhook does not serve\n");
    if (!listed)
        (void)buf_add_str(why, "PodFlames and agents are not listed yet\n");
    return serving && listed;
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

/* One check of the certificates; a new leaf goes to the listener at once. */
static int check_certificates(struct operator* o, struct err *e)
{
    struct certs_changes changes;
    const struct cert_pair *leaf;

    if (certs_keeper_check(o->keeper, time(NULL), &changes, e) < 0)
        return e->code;
    if (changes.ca_made)
        log_event(LOG_INFO, "webhook CA made");
    if (changes.bundle_written)
        log_event(LOG_INFO, "caBundle written");
    leaf = certs_keeper_leaf(o->keeper);
    if (changes.leaf_made && o->server &&
        webhook_server_set_certificate(o->server, leaf->cert_pem, leaf->key_pem, e) < 0)
        return err_wrap(e, "serving certificate");
    if (changes.leaf_made)
        log_event(LOG_INFO, "serving certificate made");
    return 0;
}

/* False: a signal came first. Waits for the API server as long as it takes, and says why. */
static bool first_certificates(struct operator* o, const sigset_t *signals)
{
    int64_t retry_s = RETRY_FIRST_S;

    for (;;) {
        struct err e = { 0 };

        if (check_certificates(o, &e) == 0)
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
    const struct cert_pair *leaf = certs_keeper_leaf(o->keeper);
    const struct webhook_server_config config = {
        .port = (uint16_t)s->webhook_port,
        .cert_pem = leaf->cert_pem,
        .key_pem = leaf->key_pem,
        .lookup = &o->lookup,
    };

    return webhook_server_start(&config, &o->server, e);
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
                                                  .target_wait_s = s->target_wait_s };

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
    while (!ends_within(signals, CERTS_CHECK_S)) {
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
    certs_keeper_free(o->keeper);
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
    o.keeper = certs_keeper_new(o.client, &place);
    code = serve(&o, s, &signals, e);
    stop(&o, &signals);
    return code;
}

static int run_main(int argc, char **argv)
{
    struct settings s = { .webhook_port = 9443, .health_port = 8081, .target_wait_s = 30 };
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
