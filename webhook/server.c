/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/server.h"

#include "lib/cleanup.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "webhook/answer.h"
#include "webhook/certificate.h"
#include "webhook/connections.h"
#include "webhook/server_metrics.h"
#include "webhook/transport.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <time.h>

/* X25519 first: API servers send a key share of it and none of the NIST curves, which would cost a
 * HelloRetryRequest and a second ClientHello. */
#define PRIORITIES                                                                                 \
    "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA:-CIPHER-ALL:"      \
    "+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305:-MAC-ALL:+AEAD:-GROUP-ALL:+GROUP-X25519:"        \
    "+GROUP-SECP256R1:+GROUP-SECP384R1:+GROUP-SECP521R1:%SERVER_PRECEDENCE"

/* Half of a connection's memory is what libmicrohttpd reads into: one TLS record. It clears all of
 * it after each request, and maps more than 32 KiB anew for each connection. */
enum { STOP_POLL_MS = 5, OTHER_DESCRIPTORS = 256, CONNECTION_MEMORY = 32 * 1024 };

struct webhook_server {
    struct MHD_Daemon *daemon;
    struct connections *connections;
    size_t body_max;
    const struct pod_lookup *lookup;
    pthread_mutex_t lock; /* of certificate */
    struct certificate *certificate;
    char *client_ca_pem; /* owned; NULL: none */
    atomic_bool draining;
    atomic_int in_flight; /* requests between their headers and the end of their answer */
    int64_t request_ms;
};

struct request {
    struct webhook_server *server;
    struct request_reader reader;
    size_t body_len;
    unsigned refused; /* the HTTP status to end with once the body is over, or 0 */
    struct err why;   /* of 400 */
};

static_assert((int64_t)SERVER_CONNECTIONS_MAX * REQUEST_READER_MAX <= SERVER_BODIES_MAX,
              "all bodies that can arrive at once are within the limit");

/* ---- answers ---- */

static struct connection *connection_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    return info ? info->socket_context : NULL;
}

static enum MHD_Result queue(struct webhook_server *server, struct MHD_Connection *connection,
                             unsigned status, const char *type, struct buf *text)
{
    struct connection *c = connection_of(connection);
    const struct answer answer = {
        .status = status,
        .type = type,
        .allow = status == MHD_HTTP_METHOD_NOT_ALLOWED ? MHD_HTTP_METHOD_POST : NULL,
        .closes = atomic_load(&server->draining),
    };

    if (c && status == MHD_HTTP_OK) /* all of its requests have a method whose answer has a body */
        transport_hold_next(connection_transport(c));
    return answer_queue(connection, &answer, text);
}

static const char *refusal_text(const struct request *r)
{
    static const struct {
        unsigned status;
        const char *text;
    } texts[] = {
        { MHD_HTTP_NOT_FOUND, "not found: this server answers " WEBHOOK_PATH },
        { MHD_HTTP_METHOD_NOT_ALLOWED, "method not allowed: send an AdmissionReview by POST" },
        { MHD_HTTP_UNSUPPORTED_MEDIA_TYPE, "Content-Type must be application/json" },
        { MHD_HTTP_CONTENT_TOO_LARGE, "the body is too large" },
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (texts[i].status == r->refused)
            return texts[i].text;
    return r->why.msg;
}

static int64_t now_ns(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts); /* cannot fail */
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static enum MHD_Result refuse(const struct request *r, struct MHD_Connection *connection)
{
    struct buf text = BUF_INIT(4096);

    server_metrics_count_refusal(r->refused);
    (void)buf_printf(&text, "%s\n", refusal_text(r));
    return queue(r->server, connection, r->refused, "text/plain; charset=utf-8", &text);
}

static enum MHD_Result answer(struct request *r, struct MHD_Connection *connection)
{
    _cleanup_review_request_ struct review_request review = { 0 };
    struct webhook_server *server = r->server;
    struct buf reply = BUF_INIT(REVIEW_REPLY_MAX);
    struct review_outcome outcome = { 0 };
    const char *lookup_error = outcome.lookup_err.msg;
    int64_t start = now_ns();

    if (request_reader_end(&r->reader, &review, &r->why) < 0 ||
        review_answer(&review, server->lookup, &reply, &outcome, &r->why) < 0) {
        buf_release(&reply);
        r->refused = MHD_HTTP_BAD_REQUEST;
        return refuse(r, connection);
    }
    server_metrics_count_review(&outcome, now_ns() - start);
    if (outcome.lookup == REVIEW_POD_FAILED)
        log_event(LOG_WARN, "pod could not be read, its containers were not checked",
                  LOG_STR("error", lookup_error));
    return queue(server, connection, MHD_HTTP_OK, "application/json", &reply);
}

/* ---- requests ---- */

static bool is_json(const char *type)
{
    static const char json[] = "application/json";
    size_t n = sizeof(json) - 1;

    return type && strncasecmp(type, json, n) == 0 && strchr("; \t", type[n]) != NULL;
}

/* The status to refuse with by the headers alone, or 0. */
static unsigned judge_headers(const struct webhook_server *server,
                              struct MHD_Connection *connection, const char *url,
                              const char *method)
{
    const char *type = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Content-Type");
    const char *len = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Content-Length");

    if (strcmp(url, WEBHOOK_PATH) != 0)
        return MHD_HTTP_NOT_FOUND;
    if (strcmp(method, MHD_HTTP_METHOD_POST) != 0)
        return MHD_HTTP_METHOD_NOT_ALLOWED;
    if (!is_json(type))
        return MHD_HTTP_UNSUPPORTED_MEDIA_TYPE;
    if (len && strtoull(len, NULL, 10) > server->body_max)
        return MHD_HTTP_CONTENT_TOO_LARGE;
    return 0;
}

static enum MHD_Result begin(struct webhook_server *server, struct MHD_Connection *connection,
                             const char *url, const char *method, void **state)
{
    struct request *r = mem_zalloc(sizeof(*r));

    r->server = server;
    r->refused = judge_headers(server, connection, url, method);
    request_reader_init(&r->reader);
    *state = r;
    atomic_fetch_add(&server->in_flight, 1);
    server_metrics_add_in_flight(1);
    return r->refused ? refuse(r, connection) : MHD_YES;
}

/* An answer can be queued before the body or after it, not amid it: what follows a refusal is read
 * and dropped until the deadline. */
static void receive(struct request *r, const char *data, size_t len)
{
    if (r->refused)
        return;
    if (len > r->server->body_max - r->body_len)
        r->refused = MHD_HTTP_CONTENT_TOO_LARGE;
    else if (request_reader_add(&r->reader, data, len, &r->why) < 0)
        r->refused = MHD_HTTP_BAD_REQUEST;
    r->body_len += len;
    if (r->refused)
        request_reader_release(&r->reader);
}

static enum MHD_Result handle(void *cls, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *data,
                              size_t *data_size, void **state)
{
    struct request *r = *state;

    (void)version;
    if (!r)
        return begin(cls, connection, url, method, state);
    if (*data_size > 0) {
        receive(r, data, *data_size);
        *data_size = 0;
        return MHD_YES;
    }
    if (r->refused)
        return refuse(r, connection);
    return answer(r, connection);
}

static void *on_request_line(void *cls, const char *uri, struct MHD_Connection *connection)
{
    struct connection *c = connection_of(connection);

    (void)cls;
    (void)uri;
    if (c)
        connection_begins_request(c);
    return NULL; /* the state that handle() sees first */
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode why)
{
    struct connection *c = connection_of(connection);
    struct request *r = *state;

    (void)cls;
    (void)why;
    if (c)
        connection_is_idle(c);
    if (!r)
        return;
    request_reader_release(&r->reader);
    atomic_fetch_sub(&r->server->in_flight, 1);
    server_metrics_add_in_flight(-1);
    free(r);
    *state = NULL;
}

/* ---- connections ---- */

static struct certificate *current_certificate(struct webhook_server *server)
{
    (void)pthread_mutex_lock(&server->lock);
    struct certificate *c = certificate_ref(server->certificate);
    (void)pthread_mutex_unlock(&server->lock);
    return c;
}

/* Whoever does not trust our certificate says so in its last alert. */
static void count_refused_certificate(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *tls =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);

    if (tls && tls->tls_session)
        server_metrics_count_alert(gnutls_alert_get(tls->tls_session));
}

/* The TLS session is there and has not begun: it gets the certificate of this moment, and keeps it
 * alive through the connection. */
static void on_connection(void *cls, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode what)
{
    struct webhook_server *server = cls;

    if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
        count_refused_certificate(connection);
        certificate_unref(connection_data(*context));
        connection_close(*context);
        *context = NULL;
        return;
    }
    const union MHD_ConnectionInfo *fd =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    const union MHD_ConnectionInfo *tls =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    struct certificate *certificate = current_certificate(server);

    *context = connection_open(server->connections, fd ? fd->connect_fd : -1, certificate);
    if (!tls || certificate_use(certificate, tls->tls_session) < 0)
        log_event(LOG_ERROR, "a connection could not be given the certificate");
    if (tls && fd)
        transport_init(connection_transport(*context), fd->connect_fd, tls->tls_session);
}

__attribute__((format(printf, 2, 0))) static void on_log(void *cls, const char *fmt, va_list args)
{
    char text[512], *line = text;

    (void)cls;
    (void)vsnprintf(text, sizeof(text), fmt, args);
    text[strcspn(text, "\r\n")] = '\0';
    log_event(LOG_DEBUG, "http server", LOG_STR("detail", line));
}

/* ---- start and stop ---- */

static struct MHD_Daemon *listen_on(struct webhook_server *server,
                                    const struct webhook_server_config *config, unsigned family,
                                    struct sockaddr *address)
{
    const struct MHD_OptionItem bound[] = {
        { address ? MHD_OPTION_SOCK_ADDR : MHD_OPTION_END, 0, address },
        { MHD_OPTION_END, 0, NULL },
    };

    /* Not by epoll: there libmicrohttpd spins while it waits for the next step of a handshake. No
     * limit for each address: behind konnectivity or NAT all API servers have the same one. */
    return MHD_start_daemon(
        MHD_USE_TLS | MHD_USE_POLL_INTERNAL_THREAD | MHD_USE_ERROR_LOG | MHD_USE_ITC | family,
        config->port, NULL, NULL, handle, server, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
        MHD_OPTION_HTTPS_MEM_CERT, config->cert_pem, MHD_OPTION_HTTPS_MEM_KEY, config->key_pem,
        MHD_OPTION_HTTPS_PRIORITIES, PRIORITIES, MHD_OPTION_THREAD_POOL_SIZE,
        config->n_threads ? config->n_threads : (unsigned)SERVER_THREADS,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)SERVER_CONNECTIONS_MAX,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)(SERVER_IDLE_MS / 1000),
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, server, MHD_OPTION_URI_LOG_CALLBACK,
        on_request_line, NULL, MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, MHD_OPTION_ARRAY,
        bound, MHD_OPTION_END);
}

static int listen_anywhere(struct webhook_server *server,
                           const struct webhook_server_config *config, struct err *e)
{
    struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(config->port) };

    if (config->address) {
        if (inet_pton(AF_INET, config->address, &v4.sin_addr) != 1)
            return err_set(e, -EINVAL, "'%s' is not an IPv4 address", config->address);
        server->daemon = listen_on(server, config, 0, (struct sockaddr *)(void *)&v4);
    } else {
        server->daemon = listen_on(server, config, MHD_USE_DUAL_STACK, NULL);
        if (!server->daemon) /* no IPv6 here */
            server->daemon = listen_on(server, config, 0, NULL);
    }
    if (!server->daemon)
        return err_set(e, -errno ? -errno : -EIO, "listen on port %u: %s", config->port,
                       errno ? err_text(errno) : "refused");
    return 0;
}

/* Each connection is a descriptor, and many systems start a process with 1,024. */
static void raise_descriptor_limit(void)
{
    const rlim_t want = SERVER_CONNECTIONS_MAX + OTHER_DESCRIPTORS;
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= want)
        return;
    limit.rlim_cur = limit.rlim_max < want ? limit.rlim_max : want;
    (void)setrlimit(RLIMIT_NOFILE, &limit); /* with fewer, accept() waits for one to be closed */
}

static int64_t value_or(int64_t value, int64_t missing)
{
    return value ? value : missing;
}

int webhook_server_start(const struct webhook_server_config *config, struct webhook_server **ret,
                         struct err *e)
{
    struct webhook_server *server = mem_zalloc(sizeof(*server));

    server_metrics_register();
    raise_descriptor_limit();
    server->lookup = config->lookup;
    server->request_ms = value_or(config->request_ms, SERVER_REQUEST_MS);
    server->body_max = (size_t)value_or((int64_t)config->body_max, SERVER_BODY_MAX);
    server->client_ca_pem = config->client_ca_pem ? mem_strdup(config->client_ca_pem) : NULL;
    (void)pthread_mutex_init(&server->lock, NULL);
    if (certificate_new(config->cert_pem, config->key_pem, config->client_ca_pem,
                        &server->certificate, e) < 0 ||
        connections_new(server->request_ms, value_or(config->idle_ms, SERVER_IDLE_MS),
                        &server->connections, e) < 0 ||
        listen_anywhere(server, config, e) < 0) {
        webhook_server_stop(server);
        return e->code;
    }
    *ret = server;
    return 0;
}

uint16_t webhook_server_port(const struct webhook_server *server)
{
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_BIND_PORT);

    return info ? info->port : 0;
}

int webhook_server_set_certificate(struct webhook_server *server, const char *cert_pem,
                                   const char *key_pem, struct err *e)
{
    struct certificate *new = NULL;

    if (certificate_new(cert_pem, key_pem, server->client_ca_pem, &new, e) < 0)
        return e->code;
    (void)pthread_mutex_lock(&server->lock);
    struct certificate *old = server->certificate;
    server->certificate = new;
    (void)pthread_mutex_unlock(&server->lock);
    certificate_unref(old);
    return 0;
}

void webhook_server_drain(struct webhook_server *server)
{
    atomic_store(&server->draining, true);
}

static void wait_for_requests(const struct webhook_server *server)
{
    const struct timespec pause = { .tv_nsec = STOP_POLL_MS * 1000000L };
    int64_t end = now_ns() + server->request_ms * 1000000;

    while (atomic_load(&server->in_flight) > 0 && now_ns() < end)
        (void)nanosleep(&pause, NULL);
}

void webhook_server_stop(struct webhook_server *server)
{
    if (!server)
        return;
    if (server->daemon) {
        webhook_server_drain(server);
        int listener = MHD_quiesce_daemon(server->daemon); /* ours to close from here on */

        wait_for_requests(server);
        MHD_stop_daemon(server->daemon);
        cleanup_close(&listener);
    }
    connections_free(server->connections);
    certificate_unref(server->certificate);
    (void)pthread_mutex_destroy(&server->lock);
    free(server->client_ca_pem);
    free(server);
}
