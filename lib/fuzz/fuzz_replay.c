/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_replay: the main of a fuzz target without libFuzzer: one test that replays the files of the
 * folder given, its seeds and what was once a finding. */
#include "lib/buf.h"
#include "lib/file.h"
#include "lib/fuzz/fuzz.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { INPUT_MAX = 1 << 20 };

static const char *folder;

static void replay_file(const char *path)
{
    _cleanup_buf_ struct buf input = BUF_INIT(INPUT_MAX);
    struct err e = { 0 };

    (void)fprintf(stderr, "# %s\n", path); /* the last one before a crash is the culprit */
    if (file_read(path, &input, &e) < 0)
        fail_msg("%s", e.msg);
    _cleanup_free_ uint8_t *copy = mem_alloc(input.len); /* no byte more than the input */
    if (input.len > 0)
        memcpy(copy, input.data, input.len);
    assert_int_equal(LLVMFuzzerTestOneInput(copy, input.len), 0);
}

static void corpus_replays(void **state)
{
    _cleanup_closedir_ DIR *dir = opendir(folder);
    size_t n = 0;

    (void)state;
    for (const struct dirent *entry; dir && (entry = readdir(dir));) {
        _cleanup_free_ char *path = mem_printf("%s/%s", folder, entry->d_name);

        if (entry->d_name[0] == '.')
            continue;
        replay_file(path);
        n++;
    }
    if (n == 0)
        fail_msg("no file in '%s'", folder);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(corpus_replays) };

    if (argc != 2) {
        (void)fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    folder = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
