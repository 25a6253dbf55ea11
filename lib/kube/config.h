/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kube/config: where the API server is and how to be somebody there.
 *
 * From the service account of a pod, or from a kubeconfig file: client certificates, tokens, token
 * files, CA data or file, insecure-skip-tls-verify, tls-server-name, proxy-url, the current context
 * or a named one. Credential plugins (exec, auth-provider) and passwords are refused with a message
 * that names the way out: this program runs no other program. Every file is bounded.
 *
 * Plain http is accepted for a loopback address only (kubectl proxy, tests). A loaded configuration
 * is immutable and may be shared by threads; files that rotate (token, CA) are named here and read
 * again by kube/auth.
 */
#pragma once

#include "lib/err.h"

#include <stdbool.h>
#include <stddef.h>

enum {
    KUBE_CONFIG_FILE_MAX = 1024 * 1024,
    KUBE_TOKEN_MAX = 64 * 1024,
    KUBE_PEM_MAX = 1024 * 1024,
};

#define KUBE_SERVICE_ACCOUNT_DIR "/var/run/secrets/kubernetes.io/serviceaccount"

/* Strings are owned; NULL when there is none. */
struct kube_config {
    char *server;     /* "https://10.0.0.1:443", no slash at the end */
    char *ns;         /* the namespace to work in: the pod's, or the context's ("default") */
    char *token;      /* fixed */
    char *token_file; /* rotates; wins over token */
    char *ca_pem;     /* fixed */
    char *ca_file;    /* rotates; wins over ca_pem */
    char *cert_pem;   /* client certificate, with key_pem */
    char *key_pem;
    char *tls_server_name; /* the name that the server's certificate must hold, if another */
    char *proxy;
    bool insecure; /* the server's certificate is not checked */
};

/*
 * Finds the configuration as kubectl and every operator do: @kubeconfig if not NULL, else
 * $KUBECONFIG, else the service account when the process runs in a pod, else ~/.kube/config.
 * @context may be NULL for the current one. Freed with kube_config_free().
 */
int kube_config_load(const char *kubeconfig, const char *context, struct kube_config **ret,
                     struct err *e) WARN_UNUSED;

/* The text of a kubeconfig; relative file names in it are relative to @dir. */
int kube_config_parse(const char *text, size_t len, const char *dir, const char *context,
                      struct kube_config **ret, struct err *e) WARN_UNUSED;

/* @host and @port as in KUBERNETES_SERVICE_HOST and _PORT; @dir holds token, ca.crt, namespace. */
int kube_config_in_cluster(const char *host, const char *port, const char *dir,
                           struct kube_config **ret, struct err *e) WARN_UNUSED;

void kube_config_free(struct kube_config *config); /* wipes the secrets; NULL is fine */

#define _cleanup_kube_config_ __attribute__((cleanup(kube_config_freep)))
static inline void kube_config_freep(struct kube_config **config)
{
    kube_config_free(*config);
}
