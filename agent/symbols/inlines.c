/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/symbols/inlines.h"

#include "agent/symbols/elf_symbols.h"
#include "lib/cleanup.h"
#include "lib/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FILE_END (UINT32_MAX - 1) /* the number of the answer that ends a file */

void inline_files_add(struct inline_files *files, const struct inline_file *file)
{
    files->files = mem_grow(files->files, files->n + 1, sizeof(*files->files));
    files->files[files->n++] = *file;
}

void inline_files_release(struct inline_files *files)
{
    for (size_t i = 0; i < files->n; i++)
        free(files->files[i].queries);
    free(files->files);
    *files = (struct inline_files){ 0 };
}

/* In the sandbox; longer chains lose the innermost. */
static void answer(void *arg, uint32_t number, const char *const *names, size_t n)
{
    const int *out = arg;
    char bytes[SANDBOX_ANSWER_MAX];
    size_t len = 0;

    for (size_t i = 0; i < n; i++) {
        size_t name_len = strnlen(names[i], ELF_SYMBOL_NAME_MAX);

        if (len + name_len + 1 > sizeof(bytes))
            break;
        memcpy(bytes + len, names[i], name_len);
        len += name_len;
        bytes[len++] = '\0';
    }
    sandbox_answer(*out, number, bytes, len);
}

static void work(void *arg, int out)
{
    const struct inline_files *files = arg;

    for (size_t i = 0; i < files->n; i++) {
        const struct inline_file *file = &files->files[i];

        inline_walk(file->fd, file->alt_fd, file->queries, file->n_queries, answer, &out);
        sandbox_answer(out, FILE_END, NULL, 0);
    }
}

static int compare_fds(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

int inlines_start(const struct inline_files *files, struct sandbox *ret_sandbox, struct err *e)
{
    const struct sandbox_limits limits = { INLINES_MEMORY, INLINES_CPU_MS, INLINES_DEADLINE_MS };
    _cleanup_free_ int *fds = mem_array(files->n, 2 * sizeof(*fds));
    size_t n = 0;

    if (files->n == 0) {
        *ret_sandbox = (struct sandbox){ 0 };
        return 0;
    }
    for (size_t i = 0; i < files->n; i++) {
        fds[n++] = files->files[i].fd;
        if (files->files[i].alt_fd >= 0)
            fds[n++] = files->files[i].alt_fd;
    }
    qsort(fds, n, sizeof(*fds), compare_fds);
    return sandbox_start(work, (void *)files, fds, n, &limits, ret_sandbox, e);
}

void inlines_add(struct name_chain *chain, const unsigned char *bytes, size_t len,
                 struct name_room *room)
{
    size_t name_len;

    for (size_t i = 0; len > 0; i++, bytes += name_len + 1, len -= name_len + 1) {
        const char *name = (const char *)bytes;

        name_len = strnlen(name, len);
        if (name_len == len)
            return;
        if (i == 0 ? chain->n > 0 && chain->names[0].known : name_len == 0)
            continue;

        char *text = name_room_take(room, mem_strndup(name, name_len));

        if (!text)
            return;
        if (i == 0)
            name_chain_release(chain);
        name_chain_add(chain, text, i ? FLAME_INLINED : FLAME_NATIVE);
    }
}

size_t inlines_collect(struct sandbox *sandbox, struct name_chain *chains, size_t n_chains,
                       struct name_room *room)
{
    struct sandbox_answer answer;
    size_t n_files = 0;

    while (sandbox->pid > 0 && sandbox_next(sandbox, &answer)) {
        if (answer.number < n_chains)
            inlines_add(&chains[answer.number], answer.bytes, answer.len, room);
        n_files += answer.number == FILE_END;
    }
    (void)sandbox_close(sandbox);
    return n_files;
}
