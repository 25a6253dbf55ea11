/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/digest.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <openssl/evp.h>
#include <string.h>

void hex_encode(const unsigned char *data, size_t len, char *hex)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < len; i++) {
        hex[2 * i] = digits[data[i] >> 4];
        hex[2 * i + 1] = digits[data[i] & 15];
    }
    hex[2 * len] = '\0';
}

void sha256_hex(const void *data, size_t len, char hex[SHA256_HEX_SIZE])
{
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned int n = 0;
    int ok = EVP_Digest(data, len, sum, &n, EVP_sha256(), NULL);

    assert(ok == 1 && n == 32);
    hex_encode(sum, n, hex);
}

int base64_encode(const void *data, size_t len, struct buf *out)
{
    size_t encoded = (len + 2) / 3 * 4;

    if (len > INT_MAX / 2)
        return -ENOSPC;
    char *to = buf_reserve(out, encoded);
    if (!to)
        return -ENOSPC;
    (void)EVP_EncodeBlock((unsigned char *)to, data, (int)len);
    out->len += encoded;
    return 0;
}

int base64_decode(const char *text, size_t len, struct buf *out)
{
    if (len == 0)
        return 0;
    if (len % 4 != 0 || len > INT_MAX)
        return -EINVAL;
    for (size_t i = 0; i < len; i++) /* EVP_DecodeBlock strips white space; here it is an error */
        if ((unsigned char)text[i] <= ' ' || (text[i] == '=' && i + 2 < len))
            return -EINVAL;
    size_t padding = (size_t)(text[len - 1] == '=') + (text[len - 2] == '=');
    if (text[len - 2] == '=' && text[len - 1] != '=')
        return -EINVAL;
    char *to = buf_reserve(out, len / 4 * 3);
    if (!to)
        return -ENOSPC;
    if (EVP_DecodeBlock((unsigned char *)to, (const unsigned char *)text, (int)len) < 0)
        return -EINVAL;
    out->len += len / 4 * 3 - padding;
    out->data[out->len] = '\0';
    return 0;
}
