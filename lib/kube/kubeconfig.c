/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/kube/config.h"

#include "lib/cleanup.h"
#include "lib/digest.h"
#include "lib/file.h"
#include "lib/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

/* Borrows from the document; any step may be NULL. */
struct node {
    yaml_document_t *doc;
    yaml_node_t *yaml;
};

static struct node child(struct node n, const char *key)
{
    struct node none = { n.doc, NULL };

    if (!n.yaml || n.yaml->type != YAML_MAPPING_NODE)
        return none;
    for (yaml_node_pair_t *p = n.yaml->data.mapping.pairs.start; p < n.yaml->data.mapping.pairs.top;
         p++) {
        yaml_node_t *k = yaml_document_get_node(n.doc, p->key);

        if (k && k->type == YAML_SCALAR_NODE && strcmp((char *)k->data.scalar.value, key) == 0)
            return (struct node){ n.doc, yaml_document_get_node(n.doc, p->value) };
    }
    return none;
}

/* Borrowed; NULL when absent, not a scalar, or empty. */
static const char *text(struct node n, const char *key)
{
    struct node value = child(n, key);

    if (!value.yaml || value.yaml->type != YAML_SCALAR_NODE ||
        value.yaml->data.scalar.value[0] == '\0')
        return NULL;
    return (const char *)value.yaml->data.scalar.value;
}

static char *text_copy(struct node n, const char *key)
{
    const char *value = text(n, key);

    return value ? mem_strdup(value) : NULL;
}

/* The body of the entry called @name in the list @list ("contexts": name + "context"). */
static struct node named(struct node root, const char *list, const char *key, const char *name)
{
    struct node l = child(root, list);

    if (l.yaml && l.yaml->type == YAML_SEQUENCE_NODE) {
        for (yaml_node_item_t *i = l.yaml->data.sequence.items.start;
             i < l.yaml->data.sequence.items.top; i++) {
            struct node entry = { root.doc, yaml_document_get_node(root.doc, *i) };
            const char *n = text(entry, "name");

            if (n && strcmp(n, name) == 0)
                return child(entry, key);
        }
    }
    return (struct node){ root.doc, NULL };
}

static char *path_in(const char *dir, const char *path)
{
    return path[0] == '/' ? mem_strdup(path) : mem_printf("%s/%s", dir, path);
}

/* *ret_pem: the decoded KEY-data, else the contents of the file KEY, else NULL. */
static int load_pem(struct node n, const char *key, const char *dir, char **ret_pem, struct err *e)
{
    _cleanup_free_ char *data_key = mem_printf("%s-data", key);
    _cleanup_buf_ struct buf pem = BUF_INIT(KUBE_PEM_MAX);
    const char *data = text(n, data_key);
    const char *file = text(n, key);

    if (data) {
        if (base64_decode(data, strlen(data), &pem) < 0)
            return err_set(e, -EINVAL, "%s is not base64", data_key);
    } else if (file) {
        _cleanup_free_ char *path = path_in(dir, file);

        if (file_read(path, &pem, e) < 0)
            return err_wrap(e, "%s", key);
    } else {
        return 0;
    }
    *ret_pem = buf_take(&pem, NULL);
    return 0;
}

static bool is_loopback(const char *host)
{
    static const char *const names[] = { "127.0.0.1", "localhost", "[::1]" };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        size_t n = strlen(names[i]);

        if (strncmp(host, names[i], n) == 0 &&
            (host[n] == '\0' || host[n] == ':' || host[n] == '/'))
            return true;
    }
    return false;
}

static int take_server(struct node cluster, struct kube_config *config, struct err *e)
{
    const char *server = text(cluster, "server");
    const char *http = "http://", *https = "https://";

    if (!server)
        return err_set(e, -EINVAL, "the cluster has no server");
    for (const unsigned char *c = (const unsigned char *)server; *c; c++) {
        if (*c <= ' ' || *c == 0x7f || *c == '@' || *c == '?' || *c == '#')
            return err_set(e, -EINVAL, "server '%s' is not a plain URL", server);
    }
    if (strncmp(server, http, strlen(http)) == 0 && !is_loopback(server + strlen(http)))
        return err_set(e, -EINVAL,
                       "server '%s': http without TLS is for loopback addresses only; use https",
                       server);
    if (strncmp(server, http, strlen(http)) != 0 && strncmp(server, https, strlen(https)) != 0)
        return err_set(e, -EINVAL, "server '%s' does not begin with https://", server);
    config->server = mem_strdup(server);
    for (size_t n = strlen(server); n > 0 && config->server[n - 1] == '/'; n--)
        config->server[n - 1] = '\0';
    return 0;
}

static int take_cluster(struct node cluster, const char *dir, struct kube_config *config,
                        struct err *e)
{
    const char *insecure = text(cluster, "insecure-skip-tls-verify");

    if (take_server(cluster, config, e) < 0)
        return e->code;
    config->insecure = insecure && strcmp(insecure, "true") == 0;
    config->tls_server_name = text_copy(cluster, "tls-server-name");
    config->proxy = text_copy(cluster, "proxy-url");
    if (load_pem(cluster, "certificate-authority", dir, &config->ca_pem, e) < 0)
        return e->code;
    if (config->insecure && config->ca_pem)
        return err_set(e, -EINVAL,
                       "insecure-skip-tls-verify and certificate-authority exclude "
                       "each other; remove one");
    return 0;
}

/* What a user entry may hold that we do not do, and what to do instead. */
static const struct {
    const char *key, *advice;
} refused[] = {
    { "exec", "credential plugins are not run; make a token with 'kubectl create token NAME "
              "--duration 8h' and put it into the kubeconfig as 'token', or use client "
              "certificates" },
    { "auth-provider", "auth-provider plugins are not supported; use 'token' or client "
                       "certificates" },
    { "username", "user name and password are not supported; use 'token' or client certificates" },
    { "as", "impersonation is not supported; use the credentials of that user" },
};

static int take_user(struct node user, const char *dir, struct kube_config *config, struct err *e)
{
    const char *token_file = text(user, "tokenFile");

    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        if (child(user, refused[i].key).yaml)
            return err_set(e, -EOPNOTSUPP, "user has '%s': %s", refused[i].key, refused[i].advice);
    }
    config->token = text_copy(user, "token");
    config->token_file = token_file ? path_in(dir, token_file) : NULL;
    if (load_pem(user, "client-certificate", dir, &config->cert_pem, e) < 0 ||
        load_pem(user, "client-key", dir, &config->key_pem, e) < 0)
        return e->code;
    if (!config->cert_pem != !config->key_pem)
        return err_set(e, -EINVAL,
                       "client-certificate and client-key belong together; one is "
                       "missing");
    return 0;
}

static int from_document(struct node root, const char *dir, const char *context,
                         struct kube_config *config, struct err *e)
{
    const char *name = context ? context : text(root, "current-context");

    if (!name)
        return err_set(e, -EINVAL,
                       "no current-context; choose one with 'kubectl config "
                       "use-context NAME'");
    struct node ctx = named(root, "contexts", "context", name);
    if (!ctx.yaml)
        return err_set(e, -EINVAL, "there is no context '%s'", name);
    const char *cluster_name = text(ctx, "cluster"), *user_name = text(ctx, "user");
    struct node cluster = named(root, "clusters", "cluster", cluster_name ? cluster_name : "");
    if (!cluster.yaml)
        return err_set(e, -EINVAL, "context '%s' names the cluster '%s', which is not there", name,
                       cluster_name ? cluster_name : "");
    struct node user = named(root, "users", "user", user_name ? user_name : "");
    if (user_name && !user.yaml)
        return err_set(e, -EINVAL, "context '%s' names the user '%s', which is not there", name,
                       user_name);
    config->ns = text_copy(ctx, "namespace");
    if (!config->ns)
        config->ns = mem_strdup("default");
    if (take_cluster(cluster, dir, config, e) < 0)
        return err_wrap(e, "cluster '%s'", cluster_name);
    if (take_user(user, dir, config, e) < 0)
        return err_wrap(e, "user '%s'", user_name ? user_name : "");
    return 0;
}

int kube_config_parse(const char *yaml, size_t len, const char *dir, const char *context,
                      struct kube_config **ret, struct err *e)
{
    _cleanup_kube_config_ struct kube_config *config = mem_zalloc(sizeof(*config));
    yaml_parser_t parser;
    yaml_document_t doc;
    int code;

    if (len > KUBE_CONFIG_FILE_MAX)
        return err_set(e, -EFBIG, "larger than %d bytes", KUBE_CONFIG_FILE_MAX);
    if (!yaml_parser_initialize(&parser))
        return err_set(e, -ENOMEM, "no memory for a YAML parser");
    yaml_parser_set_input_string(&parser, (const unsigned char *)yaml, len);
    if (!yaml_parser_load(&parser, &doc)) {
        code = err_set(e, -EINVAL, "not YAML: %s in line %zu",
                       parser.problem ? parser.problem : "error", parser.problem_mark.line + 1);
        yaml_parser_delete(&parser);
        return code;
    }
    struct node root = { &doc, yaml_document_get_root_node(&doc) };
    code = root.yaml ? from_document(root, dir, context, config, e)
                     : err_set(e, -EINVAL, "the file is empty");
    yaml_document_delete(&doc);
    yaml_parser_delete(&parser);
    if (code == 0)
        *ret = take_ptr(config);
    return code;
}
