/* SPDX-License-Identifier: Apache-2.0 */
/* python_thread: over a target's memory of any content. The first byte picks a version, from the
 * second on it is memory: the first interpreter, the thread's id, then all they lead to. */
#include "agent/runtimes/fuzz/target_words.h"
#include "agent/runtimes/python/python_thread.h"
#include "agent/runtimes/utf8.h"

#include <stdlib.h>
#include <unistd.h>

enum { NUMBER = 7 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint64_t words[TARGET_WORDS];
    static struct python_offsets offsets;
    struct python_threads threads = { 0 };

    if (size < 1 || python_layout_read(PYTHON_MINOR_MIN + data[0] % 5, NULL, 0, &offsets))
        return 0;
    if (data[0] & 0x80)
        offsets.attributes = PYTHON_ATTRIBUTES_INLINE;
    offsets.interp_modules = 8; /* within what a fuzzer can make */
    offsets.type_cached_keys = 184;

    uint64_t base = target_words_make(data + 1, size - 1, words);
    char *name = python_thread_name(getpid(), &offsets, base, &threads, words[1], NUMBER);

    if (name && strlen(name) > (size_t)PYTHON_THREAD_NAME_MAX * UTF8_MAX)
        abort();
    free(name);
    return 0;
}
