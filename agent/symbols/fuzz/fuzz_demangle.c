/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/symbols/demangle.h"
#include "agent/symbols/demangle_names.h"
#include "lib/fuzz/fuzz.h"

/* Making a sandbox is slow: most inputs are for our own part of the work. */
static bool is_for_all_of_it(const uint8_t *data, size_t size)
{
    uint8_t sum = 0;

    for (size_t i = 0; i < size; i++)
        sum += data[i];
    return sum % 128 == 0;
}

/* Whatever LLVM's demangler does in its sandbox, a name comes out. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *name = fuzz_text(data, size), text[DEMANGLE_TEXT_MAX + 1];
    struct name_chain chain = { 0 };
    size_t len = strlen(name);
    _cleanup_free_ char *full = mem_strdup(name);

    assert(demangle_strip(name) <= len);
    demangle_unescape(name, full);
    assert(strlen(full) <= len);
    if (len >= 2 && demangle_front(name, text))
        assert(*text && strlen(text) <= DEMANGLE_TEXT_MAX);
    name_chain_add(&chain, name, FLAME_NATIVE);
    if (is_for_all_of_it(data, size))
        assert(demangle_names(&chain, 1, &(struct name_room){ 1 << 20, 0 }) <= 1);
    assert(strlen(chain.names[0].text) <= (len > DEMANGLE_TEXT_MAX ? len : DEMANGLE_TEXT_MAX));
    name_chain_release(&chain);
    return 0;
}
