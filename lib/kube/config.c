/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/kube/config.h"

#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/mem.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void wipe(char *secret)
{
    if (secret)
        explicit_bzero(secret, strlen(secret));
    free(secret);
}

void kube_config_free(struct kube_config *config)
{
    if (!config)
        return;
    free(config->server);
    free(config->ns);
    wipe(config->token);
    free(config->token_file);
    free(config->ca_pem);
    free(config->ca_file);
    free(config->cert_pem);
    wipe(config->key_pem);
    free(config->tls_server_name);
    free(config->proxy);
    free(config);
}

static int is_port(const char *port)
{
    size_t n = strspn(port, "0123456789");

    return n > 0 && n <= 5 && port[n] == '\0' && strtol(port, NULL, 10) <= 65535;
}

static int is_host(const char *host)
{
    for (const char *c = host; *c; c++) {
        if (!isalnum((unsigned char)*c) && !strchr(".-:_%", *c))
            return 0;
    }
    return *host != '\0';
}

/* The namespace a service account is in; a pod without the file works in "default". */
static char *read_namespace(const char *path)
{
    _cleanup_buf_ struct buf text = BUF_INIT(256);
    struct err ignored = { 0 };

    if (file_read(path, &text, &ignored) < 0)
        return mem_strdup("default");
    const char *ns = buf_str(&text);
    return mem_strndup(ns, strcspn(ns, " \r\n"));
}

int kube_config_in_cluster(const char *host, const char *port, const char *dir,
                           struct kube_config **ret, struct err *e)
{
    _cleanup_kube_config_ struct kube_config *config = mem_zalloc(sizeof(*config));
    _cleanup_buf_ struct buf token = BUF_INIT(KUBE_TOKEN_MAX);
    _cleanup_free_ char *ns_file = mem_printf("%s/namespace", dir);

    if (!is_host(host) || !is_port(port))
        return err_set(e, -EINVAL,
                       "KUBERNETES_SERVICE_HOST '%s' and KUBERNETES_SERVICE_PORT '%s' are not an "
                       "address and a port",
                       host, port);
    config->server =
        mem_printf(strchr(host, ':') ? "https://[%s]:%s" : "https://%s:%s", host, port);
    config->token_file = mem_printf("%s/token", dir);
    config->ca_file = mem_printf("%s/ca.crt", dir);
    config->ns = read_namespace(ns_file);
    if (file_read(config->token_file, &token, e) < 0)
        return err_wrap(e, "service account token (is automountServiceAccountToken off?)");
    explicit_bzero(token.data, token.len);
    *ret = take_ptr(config);
    return 0;
}

static int load_file(const char *path, const char *context, struct kube_config **ret, struct err *e)
{
    _cleanup_buf_ struct buf text = BUF_INIT(KUBE_CONFIG_FILE_MAX);
    const char *slash = strrchr(path, '/');
    _cleanup_free_ char *dir =
        slash ? mem_strndup(path, (size_t)(slash - path) + 1) : mem_strdup("./");

    if (file_read(path, &text, e) < 0)
        return err_wrap(e, "kubeconfig");
    int code = kube_config_parse(buf_str(&text), text.len, dir, context, ret, e);
    if (text.data)
        explicit_bzero(text.data, text.len);
    return code < 0 ? err_wrap(e, "kubeconfig '%s'", path) : 0;
}

int kube_config_load(const char *kubeconfig, const char *context, struct kube_config **ret,
                     struct err *e)
{
    const char *env = getenv("KUBECONFIG");
    const char *host = getenv("KUBERNETES_SERVICE_HOST");
    const char *port = getenv("KUBERNETES_SERVICE_PORT");
    const char *home = getenv("HOME");

    if (kubeconfig)
        return load_file(kubeconfig, context, ret, e);
    if (env && strchr(env, ':'))
        return err_set(e, -EINVAL,
                       "KUBECONFIG names several files; join them with 'kubectl config view "
                       "--flatten > one.yaml' and name that one");
    if (env && *env)
        return load_file(env, context, ret, e);
    if (host && *host)
        return kube_config_in_cluster(host, port ? port : "443", KUBE_SERVICE_ACCOUNT_DIR, ret, e);

    _cleanup_free_ char *path = mem_printf("%s/.kube/config", home ? home : "");
    if (load_file(path, context, ret, e) < 0)
        return err_wrap(e, "no cluster: not in a pod, no --kubeconfig, no KUBECONFIG");
    return 0;
}
