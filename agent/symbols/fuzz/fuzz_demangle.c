/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/symbols/demangle.h"
#include "agent/symbols/demangle_names.h"
#include "lib/fuzz/fuzz.h"

/* Whatever LLVM's demangler does in its sandbox, a name comes out. That is slow, so most inputs are
 * for our own part of the work. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bool whole = fuzz_take_number(&data, &size, 255) == '!';
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
    if (whole)
        assert(demangle_names(&chain, 1) <= 1);
    assert(strlen(chain.names[0].text) <= (len > DEMANGLE_TEXT_MAX ? len : DEMANGLE_TEXT_MAX));
    name_chain_release(&chain);
    return 0;
}
