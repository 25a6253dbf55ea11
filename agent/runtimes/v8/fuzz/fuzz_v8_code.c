/* SPDX-License-Identifier: Apache-2.0 */
/*
 * v8_code: over a target's memory of any content, in which code is looked for and read, as in
 * versions with the instructions in an object of their own and in those before. The last words say
 * where, of which function, and how.
 */
#include "agent/runtimes/v8/v8_code.h"

#include "agent/runtimes/fuzz/target_words.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { CALLS_MAX = 8, PAGE = 4096, BYTES = TARGET_WORDS * sizeof(uint64_t) };

/* As in Node.js 24 and 16, but for the size of a bytecode. */
static const struct v8_image versions[] = {
    { .walk = { .map_type = 12,
                .shared_name = 24,
                .shared_script = 40,
                .bytecode_type = 186,
                .bytecode_data = 64 },
      .shared_type = 282,
      .shared_code = 8,
      .bytecode_positions = 24,
      .code_type = 187,
      .bytes_type = 196,
      .plain_bytes_type = 217,
      .compiled = { 8, 16, 32, 40, 56, 52, 15, 10, 3, 7, 8 } },
    { .walk = { .map_type = 12,
                .shared_name = 16,
                .shared_script = 32,
                .bytecode_type = 133,
                .bytecode_data = 54 },
      .shared_type = 282,
      .shared_code = 8,
      .bytecode_positions = 32,
      .code_type = 162,
      .bytes_type = 132,
      .plain_bytes_type = 132,
      .compiled = { 16, 24, 0, 96, 40, 48, 15, 11, 2, 6, 7 } },
};

static struct v8_bytecode_sizes sizes = { .n = 200 };

/* With nothing that can be read around it. */
static uint64_t *make_words(void)
{
    char *all = mmap(NULL, BYTES + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    assert(all != MAP_FAILED && mprotect(all + PAGE, BYTES, PROT_READ | PROT_WRITE) == 0);
    for (size_t i = 0; i < V8_SCALES; i++)
        memset(sizes.sizes[i], (int)(2 + i), V8_BYTECODES_MAX);
    return (uint64_t *)(void *)(all + PAGE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint64_t *words;
    struct v8_code_call calls[CALLS_MAX];
    struct v8_code code;
    uint32_t offset = 0;

    if (!words)
        words = make_words();

    uint64_t base = target_words_make(data, size, words);
    uint64_t pc = base + words[TARGET_WORDS - 1] % BYTES;
    const struct v8_image *v8 = &versions[words[TARGET_WORDS - 2] % 2];

    if (!v8_code_read(getpid(), v8, pc, words[TARGET_WORDS - 3], &code))
        return 0;
    if (pc < code.start || pc - code.start >= code.size || !v8_code_is_there(getpid(), v8, &code) ||
        code.n_inlined > V8_INLINED_MAX || v8_code_calls(&code, pc, calls, CALLS_MAX) > CALLS_MAX)
        abort();
    if (code.is_baseline &&
        v8_baseline_find(&sizes, code.positions, code.n_positions, code.bytecode, code.n_bytecode,
                         (uint32_t)(pc - code.start), &offset) &&
        offset >= code.n_bytecode && offset > 0)
        abort();
    v8_code_release(&code);
    return 0;
}
