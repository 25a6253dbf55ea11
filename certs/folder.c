/* SPDX-License-Identifier: Apache-2.0 */
#include "certs/folder.h"

#include "certs/certs_metrics.h"
#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct certs_folder {
    char *cert_path, *key_path;
    struct cert_pair leaf;
    time_t not_after;
};

struct certs_folder *certs_folder_new(const char *path)
{
    struct certs_folder *folder = mem_zalloc(sizeof(*folder));

    certs_metrics_register();
    folder->cert_path = mem_printf("%s/tls.crt", path);
    folder->key_path = mem_printf("%s/tls.key", path);
    return folder;
}

void certs_folder_free(struct certs_folder *folder)
{
    if (!folder)
        return;
    cert_pair_release(&folder->leaf);
    free(folder->cert_path);
    free(folder->key_path);
    free(folder);
}

const struct cert_pair *certs_folder_leaf(const struct certs_folder *folder)
{
    return folder->leaf.cert_pem ? &folder->leaf : NULL;
}

bool certs_folder_is_expired(const struct certs_folder *folder, time_t now)
{
    return !folder->leaf.cert_pem || now >= folder->not_after;
}

static int read_text(const char *path, char **ret, struct err *e)
{
    _cleanup_buf_ struct buf text = BUF_INIT(CERTS_PEM_MAX);

    if (file_read(path, &text, e) < 0)
        return e->code;
    *ret = buf_take(&text, NULL);
    return 0;
}

static bool is_same(const struct cert_pair *a, const struct cert_pair *b)
{
    return a->cert_pem && a->key_pem && b->cert_pem && b->key_pem &&
           strcmp(a->cert_pem, b->cert_pem) == 0 && strcmp(a->key_pem, b->key_pem) == 0;
}

int certs_folder_check(struct certs_folder *folder, time_t now, bool *ret_changed, struct err *e)
{
    _cleanup_cert_pair_ struct cert_pair pair = { 0 };
    struct cert_info info;
    int code = read_text(folder->cert_path, &pair.cert_pem, e);

    *ret_changed = false;
    if (code == 0)
        code = read_text(folder->key_path, &pair.key_pem, e);
    if (code == 0 && !is_same(&folder->leaf, &pair)) {
        if (certs_pair_check(&pair, e) < 0 || certs_describe(pair.cert_pem, &info, e) < 0) {
            code = err_wrap(e, "'%s'", folder->cert_path);
        } else {
            cert_pair_release(&folder->leaf);
            folder->leaf = pair;
            folder->not_after = info.not_after;
            pair = (struct cert_pair){ 0 };
            *ret_changed = true;
            certs_metrics_set_not_after(CERTS_METRICS_SERVING, info.not_after);
            certs_metrics_count_action(CERTS_SIGN_LEAF);
        }
    }
    if (code == 0 && certs_folder_is_expired(folder, now))
        code = err_set(e, -EINVAL, "'%s': the certificate has expired", folder->cert_path);
    certs_metrics_set_trusted(!certs_folder_is_expired(folder, now));
    if (code < 0)
        certs_metrics_count_failure();
    return code;
}
