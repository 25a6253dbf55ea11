/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/health.h"

#include "lib/mem.h"
#include "lib/metrics.h"
#include "webhook/answer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

enum { CONNECTIONS_MAX = 64, TIMEOUT_S = 10, ANSWER_MAX = 1024 * 1024, POOL = 16 * 1024 };

struct health {
    struct MHD_Daemon *daemon;
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
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)TIMEOUT_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)POOL, MHD_OPTION_ARRAY, bound, MHD_OPTION_END);
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
    free(health);
}
