/* SPDX-License-Identifier: Apache-2.0 */
/* digest: SHA-256, hex and base64 (RFC 4648, with padding, no line breaks), by OpenSSL. */
#pragma once

#include "lib/buf.h"

#include <stddef.h>

enum { SHA256_HEX_SIZE = 65 };

/* 2 * len digits and a NUL. */
void hex_encode(const unsigned char *data, size_t len, char *hex);

void sha256_hex(const void *data, size_t len, char hex[SHA256_HEX_SIZE]);

/* Appends; -ENOSPC past the cap of @out. */
int base64_encode(const void *data, size_t len, struct buf *out) WARN_UNUSED;

/* Appends the decoded bytes; -EINVAL unless @text is whole, padded base64 and nothing else. */
int base64_decode(const char *text, size_t len, struct buf *out) WARN_UNUSED;
