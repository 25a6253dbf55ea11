/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/symbols/inlines.h"
#include "lib/fuzz/fuzz.h"

/* The stream of a sandbox that was taken over: chains stay in bounds. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { CHAINS = 3 };
    struct name_chain chains[CHAINS] = { 0 };
    struct sandbox sandbox = { .fd = fuzz_file(data, size), .end_ms = INT64_MAX };
    struct sandbox_answer answer;

    sandbox.bytes = mem_alloc(SANDBOX_BUFFER_SIZE);
    name_chain_add(&chains[0], mem_strdup("symbol"), FLAME_NATIVE);
    while (sandbox_next(&sandbox, &answer)) {
        assert(answer.len <= SANDBOX_ANSWER_MAX && answer.len <= size);
        if (answer.number < CHAINS)
            inlines_add(&chains[answer.number], answer.bytes, answer.len,
                        &(struct name_room){ 1 << 20, 0 });
    }
    for (size_t i = 0; i < CHAINS; i++) {
        assert(chains[i].n <= NAME_CHAIN_MAX);
        name_chain_release(&chains[i]);
    }
    free(sandbox.bytes);
    (void)close(sandbox.fd);
    return 0;
}
