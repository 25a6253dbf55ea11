/* SPDX-License-Identifier: Apache-2.0 */
/*
 * folder: a serving certificate that somebody else keeps, as files tls.crt and tls.key: a mounted
 * Secret of cert-manager, for one.
 *
 * The files are read again at each check. A pair that cannot be used (half of it replaced, garbage,
 * expired) changes nothing: the one that was there goes on serving. One thread.
 */
#pragma once

#include "certs/x509.h"

struct certs_folder;

struct certs_folder *certs_folder_new(const char *path); /* copied */
void certs_folder_free(struct certs_folder *folder);     /* NULL is fine */

/* 0, and whether the pair is another than before; negative when there is no usable one now. */
int certs_folder_check(struct certs_folder *folder, time_t now, bool *ret_changed,
                       struct err *e) WARN_UNUSED;

/* Borrowed until the next check; NULL while there is none. */
const struct cert_pair *certs_folder_leaf(const struct certs_folder *folder);

/* True also while there is none. */
bool certs_folder_is_expired(const struct certs_folder *folder, time_t now);
