/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/kube/auth.h"

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 + 1;
}

void kube_auth_init(struct kube_auth *auth, const struct kube_config *config)
{
    *auth = (struct kube_auth){ .config = config };
}

void kube_auth_release(struct kube_auth *auth)
{
    if (auth->token)
        explicit_bzero(auth->token, strlen(auth->token));
    free(auth->token);
    free(auth->ca_pem);
    kube_auth_init(auth, auth->config);
}

/* A token goes into a header: one word of visible characters. */
static int check_token(char *token, const char *from, struct err *e)
{
    token[strcspn(token, " \t\r\n")] = '\0';
    if (!*token)
        return err_set(e, -EINVAL, "%s holds no token", from);
    for (const unsigned char *c = (const unsigned char *)token; *c; c++) {
        if (*c <= ' ' || *c >= 0x7f)
            return err_set(e, -EINVAL, "%s holds a character that no token has", from);
    }
    return 0;
}

static int read_token(const struct kube_config *config, char **ret, struct err *e)
{
    const char *from = config->token_file ? config->token_file : "the kubeconfig";
    _cleanup_buf_ struct buf text = BUF_INIT(KUBE_TOKEN_MAX);
    _cleanup_free_ char *token = NULL;

    if (config->token_file) {
        if (file_read(config->token_file, &text, e) < 0)
            return err_wrap(e, "token");
        token = buf_take(&text, NULL);
    } else {
        token = config->token ? mem_strdup(config->token) : NULL;
    }
    if (token && check_token(token, from, e) < 0)
        return e->code;
    *ret = take_ptr(token);
    return 0;
}

static int read_ca(const struct kube_config *config, char **ret, struct err *e)
{
    _cleanup_buf_ struct buf pem = BUF_INIT(KUBE_PEM_MAX);

    if (config->ca_file) {
        if (file_read(config->ca_file, &pem, e) < 0)
            return err_wrap(e, "CA of the API server");
        *ret = buf_take(&pem, NULL);
    } else {
        *ret = config->ca_pem ? mem_strdup(config->ca_pem) : NULL;
    }
    return 0;
}

static void replace(char **old, char *fresh)
{
    free(*old);
    *old = fresh;
}

int kube_auth_refresh(struct kube_auth *auth, struct err *e)
{
    int64_t now = now_ms();
    _cleanup_free_ char *token = NULL;
    _cleanup_free_ char *ca_pem = NULL;

    if (auth->loaded_ms && now - auth->loaded_ms < KUBE_AUTH_REFRESH_MS)
        return 0;
    if (read_token(auth->config, &token, e) < 0 || read_ca(auth->config, &ca_pem, e) < 0) {
        if (!auth->loaded_ms)
            return e->code;
        auth->loaded_ms = now; /* the file is being replaced: what we have still works */
        *e = (struct err){ 0 };
        return 0;
    }
    replace(&auth->token, take_ptr(token));
    replace(&auth->ca_pem, take_ptr(ca_pem));
    auth->loaded_ms = now;
    return 0;
}

bool kube_auth_renew(struct kube_auth *auth)
{
    _cleanup_free_ char *token = NULL;
    struct err e = { 0 };

    if (!auth->config->token_file || read_token(auth->config, &token, &e) < 0 || !token)
        return false;
    if (auth->token && strcmp(auth->token, token) == 0)
        return false;
    replace(&auth->token, take_ptr(token));
    return true;
}
