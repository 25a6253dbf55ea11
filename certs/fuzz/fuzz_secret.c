/* SPDX-License-Identifier: Apache-2.0 */
#include "certs/fuzz/store.h"
#include "certs/secret.h"

static bool is_same(const char *a, const char *b)
{
    return !a == !b && (!a || strcmp(a, b) == 0);
}

/* The input is a Secret. No text is longer than what will be parsed; what is written comes back. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_ca_set_ struct ca_set set = { 0 }, again = { 0 };
    struct err e = { 0 };

    if (json_parse((const char *)data, size, 32, &stored_secret, &e) < 0)
        return 0;
    assert(ca_set_read(NULL, "x", "ca", &set, &e) == 0);
    const char *const texts[] = { set.current.cert_pem, set.current.key_pem, set.next.cert_pem,
                                  set.next.key_pem, set.previous_pem };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert(!texts[i] || strlen(texts[i]) <= CERTS_PEM_MAX);
    assert(ca_set_write(NULL, "x", "ca", &set, &e) == 0);
    assert(ca_set_read(NULL, "x", "ca", &again, &e) == 0);
    assert(is_same(again.current.cert_pem, set.current.cert_pem));
    assert(is_same(again.current.key_pem, set.current.key_pem));
    assert(is_same(again.next.cert_pem, set.next.cert_pem));
    assert(is_same(again.next.key_pem, set.next.key_pem));
    assert(is_same(again.previous_pem, set.previous_pem));
    assert(!set.previous_pem || again.previous_until == set.previous_until);
    store_clear();
    return 0;
}
