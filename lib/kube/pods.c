/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/kube/pods.h"

#include "lib/cleanup.h"
#include "lib/kube/client.h"
#include "lib/kube/path.h"
#include "lib/mem.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

enum { POD_STRING_MAX = 1024, POD_MAX = 4 * 1024 * 1024 };

struct kube_pods {
    const struct kube_config *config;
    pthread_mutex_t lock;
    struct kube_client *idle[KUBE_PODS_KEPT];
    size_t n_idle;
};

struct kube_pods *kube_pods_new(const struct kube_config *config)
{
    struct kube_pods *pods = mem_zalloc(sizeof(*pods));

    pods->config = config;
    (void)pthread_mutex_init(&pods->lock, NULL);
    return pods;
}

void kube_pods_free(struct kube_pods *pods)
{
    if (!pods)
        return;
    while (pods->n_idle > 0)
        kube_client_free(pods->idle[--pods->n_idle]);
    (void)pthread_mutex_destroy(&pods->lock);
    free(pods);
}

static struct kube_client *take_client(struct kube_pods *pods)
{
    struct kube_client *client = NULL;

    (void)pthread_mutex_lock(&pods->lock);
    if (pods->n_idle > 0)
        client = pods->idle[--pods->n_idle];
    (void)pthread_mutex_unlock(&pods->lock);
    return client ? client : kube_client_new(pods->config);
}

static void give_client(struct kube_pods *pods, struct kube_client *client)
{
    (void)pthread_mutex_lock(&pods->lock);
    if (pods->n_idle < KUBE_PODS_KEPT)
        pods->idle[pods->n_idle++] = take_ptr(client);
    (void)pthread_mutex_unlock(&pods->lock);
    kube_client_free(client);
}

int kube_pods_get(void *ctx, const char *ns, const char *name, struct json_object **ret_pod,
                  struct err *e)
{
    struct kube_pods *pods = ctx;
    _cleanup_free_ char *path = NULL;

    if (!kube_path_is_name(ns) || !kube_path_is_name(name))
        return err_set(e, -EINVAL, "'%s/%s' is no name of a pod", ns, name);
    path = mem_printf("/api/v1/namespaces/%s/pods/%s", ns, name);
    struct kube_client *client = take_client(pods);
    int code = kube_client_json(client,
                                &(struct kube_request){ .method = "GET",
                                                        .path = path,
                                                        .timeout_ms = KUBE_PODS_TIMEOUT_MS,
                                                        .response_max = POD_MAX,
                                                        .trim = POD_STRING_MAX },
                                ret_pod, e);
    give_client(pods, client);
    return code;
}
