/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/symbols/demangle_names.h"

#include "agent/sandbox.h"
#include "agent/symbols/demangle.h"
#include "lib/cleanup.h"
#include "lib/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { CPU_MS_A_NAME = 50, DEADLINE_MS = 2000, MEMORY = 32 << 20 };

/* Mangled names sorted, so that equal ones lie together. */
struct mangled {
    struct name **names; /* owned */
    size_t n;
    size_t from; /* the first that was not tried */
};

static int compare(const void *a, const void *b)
{
    return strcmp((*(struct name *const *)a)->text, (*(struct name *const *)b)->text);
}

static void add(struct mangled *m, size_t *room, struct name *name)
{
    if (m->n == *room) {
        *room = *room ? *room * 2 : 256;
        m->names = mem_grow((void *)m->names, *room, sizeof(struct name *));
    }
    m->names[m->n++] = name;
}

static void collect(struct name_chain *chains, size_t n_chains, struct mangled *ret)
{
    size_t room = 0;

    *ret = (struct mangled){ 0 };
    for (size_t i = 0; i < n_chains; i++) {
        bool is_native = chains[i].names[0].kind == FLAME_NATIVE;
        bool is_go = chains[i].names[0].kind == FLAME_GO; /* perhaps with C++ in it */

        for (size_t j = 0; j < chains[i].n && (is_native || is_go); j++) {
            struct name *name = &chains[i].names[j];

            if (is_native)
                name->text[demangle_strip(name->text)] = '\0';
            if (demangle_applies(name->text))
                add(ret, &room, name);
        }
    }
    if (ret->n > 0)
        qsort((void *)ret->names, ret->n, sizeof(struct name *), compare);
}

/* The first name after @i that is another one. */
static size_t next(const struct mangled *m, size_t i)
{
    size_t to = i + 1;

    while (to < m->n && strcmp(m->names[to]->text, m->names[i]->text) == 0)
        to++;
    return to;
}

/* In the sandbox: an empty answer says that the name is not mangled. */
static void work(void *arg, int out)
{
    const struct mangled *m = arg;
    char text[DEMANGLE_TEXT_MAX + 1];

    for (size_t i = m->from; i < m->n; i = next(m, i)) {
        sandbox_more_time(CPU_MS_A_NAME);
        bool is_mangled = demangle(m->names[i]->text, text);

        sandbox_answer(out, (uint32_t)i, text, is_mangled ? strlen(text) : 0);
    }
}

static void replace(struct name *name, const struct sandbox_answer *answer, struct name_room *room)
{
    char *text;

    if (answer->len == 0 || answer->len > DEMANGLE_TEXT_MAX)
        return;
    text = name_room_take(room, mem_strndup((const char *)answer->bytes, answer->len));
    if (!text)
        return;
    name_room_give_back(room, name->text);
    name->text = text;
}

/* One sandbox, as far as it gets. */
static bool run(struct mangled *m, struct name_room *room)
{
    const struct sandbox_limits limits = { MEMORY, CPU_MS_A_NAME, DEADLINE_MS };
    struct sandbox sandbox = { 0 };
    struct sandbox_answer answer;
    struct err ignored = { 0 };

    if (sandbox_start(work, m, NULL, 0, &limits, &sandbox, &ignored) < 0)
        return false;
    while (m->from < m->n && sandbox_next(&sandbox, &answer) && answer.number == m->from) {
        size_t to = next(m, m->from);

        for (; m->from < to; m->from++)
            replace(m->names[m->from], &answer, room);
    }
    (void)sandbox_close(&sandbox);
    return true;
}

size_t demangle_names(struct name_chain *chains, size_t n_chains, struct name_room *room)
{
    struct mangled m;
    size_t failed = 0;

    collect(chains, n_chains, &m);
    while (m.from < m.n && failed < DEMANGLE_FAILURES_MAX && run(&m, room)) {
        if (m.from == m.n)
            break;
        failed++;
        m.from = next(&m, m.from); /* the culprit */
    }
    for (; m.from < m.n; m.from = next(&m, m.from))
        failed++;
    free((void *)m.names);
    return failed;
}
