/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/fuzz/fuzz.h"
#include "lib/kube/config.h"

/* What is accepted has a server that is a plain URL, and a namespace; a refusal says why. The
 * folder does not exist: no file that the input names is read. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_kube_config_ struct kube_config *config = NULL;
    struct err e = { 0 };

    if (memmem(data, size, ": /", 3)) /* an absolute path */
        return 0;
    if (kube_config_parse((const char *)data, size, "/nonexistent", NULL, &config, &e) < 0) {
        assert(!config && e.msg[0]);
        return 0;
    }
    assert(strncmp(config->server, "http", 4) == 0 && !strpbrk(config->server, "@?# \r\n"));
    assert(config->ns && !config->cert_pem == !config->key_pem);
    return 0;
}
