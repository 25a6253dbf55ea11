/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/alone.h"

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/cli.h"
#include "lib/log.h"
#include "webhook/health.h"
#include "webhook/pod_table.h"
#include "webhook/review.h"
#include "webhook/server.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

enum { EXIT_ALLOWED, EXIT_DENIED, EXIT_USAGE, PEM_MAX = 1024 * 1024, CHUNK = 64 * 1024 };

DEFINE_CLEANUP(struct pod_table *, pod_table_close)
DEFINE_CLEANUP(struct webhook_server *, webhook_server_stop)
DEFINE_CLEANUP(struct health *, health_stop)
#define _cleanup_pods_   __attribute__((cleanup(pod_table_closep)))
#define _cleanup_server_ __attribute__((cleanup(webhook_server_stopp)))
#define _cleanup_health_ __attribute__((cleanup(health_stopp)))

static int complain(const char *program, const struct err *e)
{
    (void)fprintf(stderr, "%s: %s\n", program, e->msg);
    return EXIT_USAGE;
}

static int read_all(FILE *f, const char *name, struct buf *out, struct err *e)
{
    for (;;) {
        char *to = buf_reserve(out, CHUNK);

        if (!to)
            return err_set(e, -EFBIG, "read '%s': more than %zu bytes", name, out->max);
        size_t n = fread(to, 1, CHUNK, f);
        out->len += n;
        out->data[out->len] = '\0';
        if (n == 0)
            return ferror(f) ? err_set(e, -EIO, "read '%s': %s", name, err_text(errno)) : 0;
    }
}

static int open_pods(const char *path, struct pod_table **ret, struct pod_lookup *lookup,
                     struct err *e)
{
    if (!path)
        return 0;
    if (pod_table_open(path, ret, e) < 0)
        return e->code;
    *lookup = (struct pod_lookup){ pod_table_get, *ret };
    return 0;
}

static int parse_options(const struct cli_program *program, int argc, char **argv, struct err *e)
{
    int first;
    int code = cli_parse(program, argc, argv, &first, e);

    if (code == CLI_RUN && first < argc)
        return err_set(e, -EINVAL, "'%s' is not expected; try '%s --help'", argv[first],
                       program->name);
    return code;
}

int webhook_review_main(int argc, char **argv)
{
    const char *pods_path = NULL;
    const struct cli_option options[] = {
        { "pods", "FILE", "pods that exist, lines of 'namespace pod container ...'", CLI_TEXT,
          &pods_path, 0, 0 },
        { 0 },
    };
    const struct cli_program program = {
        .name = "podflame-operator review",
        .usage = "podflame-operator review [options] < review.json",
        .summary = "Judges one AdmissionReview from standard input by the rules of the webhook and "
                   "prints the\nanswer. Without --pods no pod is read, and containers are not "
                   "checked.",
        .options = options,
        .footer = "exit code: 0 allowed, 1 denied, 2 not an AdmissionReview, or wrong use",
    };
    _cleanup_buf_ struct buf body = BUF_INIT(SERVER_BODY_MAX + CHUNK);
    _cleanup_buf_ struct buf reply = BUF_INIT(REVIEW_REPLY_MAX);
    _cleanup_pods_ struct pod_table *pods = NULL;
    struct pod_lookup lookup = { 0 };
    struct review_outcome outcome = { 0 };
    struct err e = { 0 };
    int code = parse_options(&program, argc, argv, &e);

    if (code == CLI_EXIT_OK)
        return EXIT_ALLOWED;
    if (code < 0 || open_pods(pods_path, &pods, &lookup, &e) < 0 ||
        read_all(stdin, "standard input", &body, &e) < 0 ||
        review_respond(buf_str(&body), body.len, pods ? &lookup : NULL, &reply, &outcome, &e) < 0)
        return complain(program.name, &e);
    (void)printf("%s\n", buf_str(&reply));
    return outcome.allowed ? EXIT_ALLOWED : EXIT_DENIED;
}

struct files {
    const char *cert, *key, *client_ca;
    struct buf cert_pem, key_pem, client_ca_pem;
};

static void files_release(struct files *f)
{
    buf_release(&f->cert_pem);
    buf_release(&f->key_pem);
    buf_release(&f->client_ca_pem);
}

static int read_file(const char *option, const char *path, struct buf *out, struct err *e)
{
    if (!path)
        return err_set(e, -EINVAL, "--%s is required; try 'podflame-operator webhook --help'",
                       option);
    _cleanup_fclose_ FILE *f = fopen(path, "re");
    if (!f)
        return err_set(e, -errno, "open '%s': %s", path, err_text(errno));
    buf_clear(out);
    return read_all(f, path, out, e);
}

static int read_files(struct files *files, struct err *e)
{
    if (read_file("cert", files->cert, &files->cert_pem, e) < 0)
        return e->code;
    return read_file("key", files->key, &files->key_pem, e);
}

/* Until SIGTERM or SIGINT; the signals are blocked in all threads. */
static void serve(struct webhook_server *server, struct files *files, const sigset_t *signals)
{
    int number;

    while (sigwait(signals, &number) == 0 && number == SIGHUP) {
        struct err e = { 0 };
        const char *why = e.msg;

        if (read_files(files, &e) < 0 ||
            webhook_server_set_certificate(server, buf_str(&files->cert_pem),
                                           buf_str(&files->key_pem), &e) < 0)
            log_event(LOG_ERROR, "certificate not replaced", LOG_STR("error", why));
        else
            log_event(LOG_INFO, "certificate replaced");
    }
}

struct alone {
    const char *address, *pods_path;
    int64_t port, health_port, threads;
    struct files files;
};

static int run(struct alone *alone, struct err *e)
{
    _cleanup_pods_ struct pod_table *pods = NULL;
    _cleanup_health_ struct health *health = NULL;
    _cleanup_server_ struct webhook_server *server = NULL;
    struct pod_lookup lookup = { 0 };
    sigset_t signals;

    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
    if (open_pods(alone->pods_path, &pods, &lookup, e) < 0 || read_files(&alone->files, e) < 0)
        return e->code;
    if (alone->files.client_ca &&
        read_file("client-ca", alone->files.client_ca, &alone->files.client_ca_pem, e) < 0)
        return e->code;
    const struct webhook_server_config config = {
        .address = alone->address,
        .port = (uint16_t)alone->port,
        .cert_pem = buf_str(&alone->files.cert_pem),
        .key_pem = buf_str(&alone->files.key_pem),
        .client_ca_pem = alone->files.client_ca ? buf_str(&alone->files.client_ca_pem) : NULL,
        .lookup = pods ? &lookup : NULL,
        .n_threads = (unsigned)alone->threads,
    };
    const struct health_config health_config = { .address = alone->address,
                                                 .port = (uint16_t)alone->health_port };
    if (webhook_server_start(&config, &server, e) < 0)
        return e->code;
    if (alone->health_port && health_start(&health_config, &health, e) < 0)
        return e->code;
    log_event(LOG_INFO, "webhook listens", LOG_STR("address", alone->address),
              LOG_INT("port", webhook_server_port(server)));
    serve(server, &alone->files, &signals);
    return 0;
}

/* Nothing here waits, so that more threads than CPUs are of no use. */
static int64_t count_threads(void)
{
    cpu_set_t cpus;
    int n = sched_getaffinity(0, sizeof(cpus), &cpus) == 0 ? CPU_COUNT(&cpus) : SERVER_THREADS;

    return n < SERVER_THREADS ? n : SERVER_THREADS;
}

int webhook_alone_main(int argc, char **argv)
{
    struct alone alone = {
        .address = "127.0.0.1",
        .port = 9443,
        .threads = count_threads(),
        .files = { .cert_pem = BUF_INIT(PEM_MAX),
                   .key_pem = BUF_INIT(PEM_MAX),
                   .client_ca_pem = BUF_INIT(PEM_MAX) },
    };
    const struct cli_option options[] = {
        { "address", "IP", "IPv4 address to listen on; 127.0.0.1", CLI_TEXT, &alone.address, 0, 0 },
        { "port", "N", "port of the webhook; 9443", CLI_INT, &alone.port, 0, UINT16_MAX },
        { "cert", "FILE", "certificate, PEM; read again on SIGHUP", CLI_TEXT, &alone.files.cert, 0,
          0 },
        { "key", "FILE", "its private key, PEM", CLI_TEXT, &alone.files.key, 0, 0 },
        { "client-ca", "FILE",
          "answer only clients with a certificate that one of these signed, PEM", CLI_TEXT,
          &alone.files.client_ca, 0, 0 },
        { "pods", "FILE", "pods that exist, lines of 'namespace pod container ...'", CLI_TEXT,
          &alone.pods_path, 0, 0 },
        { "health-port", "N", "port of /healthz, /readyz and /metrics; 0, none", CLI_INT,
          &alone.health_port, 0, UINT16_MAX },
        { "threads", "N", "threads that answer; one a CPU, at most 16", CLI_INT, &alone.threads, 1,
          64 },
        { 0 },
    };
    const struct cli_program program = {
        .name = "podflame-operator webhook",
        .usage = "podflame-operator webhook --cert FILE --key FILE [options]",
        .summary = "Serves the admission webhook without a cluster, from a table of pods: to try "
                   "the rules, and\nfor load tests. Without --pods no pod is read, and containers "
                   "are not checked.",
        .options = options,
        .footer = "POST an AdmissionReview as application/json to https://ADDRESS:PORT" WEBHOOK_PATH
                  "\nexit code: 0 ended by a signal, 2 could not start, or wrong use",
    };
    struct err e = { 0 };
    int code = parse_options(&program, argc, argv, &e);

    if (code == CLI_RUN)
        code = run(&alone, &e);
    files_release(&alone.files);
    return code < 0 ? complain(program.name, &e) : EXIT_ALLOWED;
}
