/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/health.h"

#include "lib/mem.h"
#include "lib/metrics.h"
#include "webhook/answer.h"
#include "webhook/connections.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

/* A kubelet gives a probe a second, and closes its connection; Prometheus keeps it, or opens
 * another. */
enum { CONNECTIONS_MAX = 512, OF_ADDRESS_MAX = 16, REQUEST_MS = 1000, IDLE_MS = 1000 };
enum { ANSWER_MAX = 1024 * 1024, POOL = 4 * 1024 };

struct health {
    struct MHD_Daemon *daemon;
    struct connections *connections;
    struct health_config config;
};

static struct metrics_series build[] = { { .labels = "version=\"" PODFLAME_VERSION "\"",
                                           .value = 1 } };
static struct metrics_family build_info = METRICS_FAMILY(
    "podflame_build_info", "The version of this program; always 1.", METRICS_GAUGE, build);

static unsigned say_healthy(const struct health *health, struct buf *out)
{
    (void)health;
    (void)buf_add_str(out, "ok\n");
    return MHD_HTTP_OK;
}

static unsigned say_ready(const struct health *health, struct buf *out)
{
    _cleanup_buf_ struct buf why = BUF_INIT(4096);

    if (!health->config.ready || health->config.ready(health->config.ctx, &why))
        return say_healthy(health, out);
    (void)buf_printf(out, "not ready: %s\n", buf_str(&why));
    return MHD_HTTP_SERVICE_UNAVAILABLE;
}

static unsigned say_metrics(const struct health *health, struct buf *out)
{
    (void)health;
    return metrics_write(out) == 0 ? MHD_HTTP_OK : MHD_HTTP_INTERNAL_SERVER_ERROR;
}

static const struct {
    const char *path;
    const char *type;
    unsigned (*say)(const struct health *health, struct buf *out);
} routes[] = {
    { "/healthz", "text/plain; charset=utf-8", say_healthy },
    { "/readyz", "text/plain; charset=utf-8", say_ready },
    { "/metrics", "text/plain; version=0.0.4; charset=utf-8", say_metrics },
};

static enum MHD_Result handle(void *cls, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *data,
                              size_t *data_size, void **state)
{
    struct buf text = BUF_INIT(ANSWER_MAX);
    struct answer answer = { .status = MHD_HTTP_NOT_FOUND, .type = routes[0].type };

    (void)version;
    (void)data;
    (void)data_size;
    (void)state;
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
        answer.status = MHD_HTTP_METHOD_NOT_ALLOWED;
        answer.allow = "GET, HEAD";
        return answer_queue(connection, &answer, &text);
    }
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        if (strcmp(url, routes[i].path) != 0)
            continue;
        answer.type = routes[i].type;
        answer.status = routes[i].say(cls, &text);
    }
    if (answer.status == MHD_HTTP_NOT_FOUND)
        (void)buf_add_str(&text, "not found: there are /healthz, /readyz and /metrics\n");
    return answer_queue(connection, &answer, &text);
}

static struct connection *connection_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    return info ? info->socket_context : NULL;
}

static void *on_request_line(void *cls, const char *uri, struct MHD_Connection *connection)
{
    (void)cls;
    (void)uri;
    connection_begins_request(connection_of(connection));
    return NULL;
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode why)
{
    (void)cls;
    (void)state;
    (void)why;
    connection_is_idle(connection_of(connection));
}

static void on_connection(void *cls, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode what)
{
    struct health *health = cls;

    if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
        connection_close(*context);
        *context = NULL;
        return;
    }

    const union MHD_ConnectionInfo *fd =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);

    *context = connection_open(health->connections, fd ? fd->connect_fd : -1, NULL);
}

static struct MHD_Daemon *listen_on(struct health *health, unsigned family,
                                    struct sockaddr *address)
{
    const struct MHD_OptionItem bound[] = {
        { address ? MHD_OPTION_SOCK_ADDR : MHD_OPTION_END, 0, address },
        { MHD_OPTION_END, 0, NULL },
    };

    return MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC | family, health->config.port, NULL, NULL,
        handle, health, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
        MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned)OF_ADDRESS_MAX,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)POOL, MHD_OPTION_NOTIFY_CONNECTION,
        on_connection, health, MHD_OPTION_URI_LOG_CALLBACK, on_request_line, NULL,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, MHD_OPTION_ARRAY, bound, MHD_OPTION_END);
}

int health_start(const struct health_config *config, struct health **ret, struct err *e)
{
    struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(config->port) };
    struct health *health = mem_zalloc(sizeof(*health));

    metrics_register(&build_info);
    health->config = *config;
    if (config->address && inet_pton(AF_INET, config->address, &v4.sin_addr) != 1) {
        free(health);
        return err_set(e, -EINVAL, "'%s' is not an IPv4 address", config->address);
    }
    if (connections_new(REQUEST_MS, IDLE_MS, &health->connections, e) < 0) {
        free(health);
        return e->code;
    }
    errno = 0;
    if (config->address) {
        health->daemon = listen_on(health, 0, (struct sockaddr *)(void *)&v4);
    } else {
        health->daemon = listen_on(health, MHD_USE_DUAL_STACK, NULL);
        if (!health->daemon) /* no IPv6 here */
            health->daemon = listen_on(health, 0, NULL);
    }
    if (!health->daemon) {
        int code = errno ? -errno : -EIO;

        connections_free(health->connections);
        free(health);
        return err_set(e, code, "listen on port %u for health: %s", config->port, err_text(code));
    }
    *ret = health;
    return 0;
}

uint16_t health_port(const struct health *health)
{
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(health->daemon, MHD_DAEMON_INFO_BIND_PORT);

    return info ? info->port : 0;
}

void health_stop(struct health *health)
{
    if (!health)
        return;
    MHD_stop_daemon(health->daemon);
    connections_free(health->connections);
    free(health);
}
