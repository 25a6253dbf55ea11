/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/layouts.h"

#include "agent/hash.h"
#include "lib/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

struct entry {
    struct layout layout; /* the first member: a layout is its entry */
    uint32_t n_users;
    uint64_t since_ns;       /* unused, or taken back */
    TAILQ_ENTRY(entry) link; /* in one of the two lists below */
    UT_hash_handle hh;
};

struct layouts {
    struct unwind_tables *tables;
    struct entry *by_code;      /* all that may be given out */
    TAILQ_HEAD(, entry) unused; /* those of them without a user, the longest unused first */
    TAILQ_HEAD(, entry) paused; /* taken back, the first first */
    size_t n_code;
    uint32_t left_out;
};

struct layouts *layouts_new(struct unwind_tables *tables)
{
    struct layouts *l = mem_zalloc(sizeof(*l));

    l->tables = tables;
    TAILQ_INIT(&l->unused);
    TAILQ_INIT(&l->paused);
    return l;
}

static void free_entry(struct layouts *l, struct entry *entry)
{
    l->n_code -= entry->layout.n;
    free(entry->layout.items);
    free(entry);
}

void layouts_free(struct layouts *l)
{
    struct entry *entry, *next;

    if (!l)
        return;
    HASH_ITER (hh, l->by_code, entry, next) {
        HASH_DEL(l->by_code, entry);
        free_entry(l, entry);
    }
    while ((entry = TAILQ_FIRST(&l->paused))) {
        TAILQ_REMOVE(&l->paused, entry, link);
        free_entry(l, entry);
    }
    free(l);
}

static struct entry *add(struct layouts *l, const struct code *items, size_t n)
{
    struct entry *entry = mem_zalloc(sizeof(*entry));

    entry->layout.n = n;
    entry->layout.items = mem_array(n, sizeof(*items));
    memcpy(entry->layout.items, items, n * sizeof(*items));
    l->n_code += n;
    HASH_ADD_KEYPTR(hh, l->by_code, entry->layout.items, n * sizeof(*items), entry);
    return entry;
}

struct layout *layouts_use(struct layouts *l, const struct code *items, size_t n)
{
    struct entry *entry;

    assert(n > 0);
    HASH_FIND(hh, l->by_code, items, n * sizeof(*items), entry);
    if (!entry && n > LAYOUTS_CODE_MAX - l->n_code) {
        l->left_out++;
        return NULL;
    }
    if (!entry)
        entry = add(l, items, n);
    else if (entry->n_users == 0)
        TAILQ_REMOVE(&l->unused, entry, link);
    entry->n_users++;
    if (entry->layout.place.n == 0 &&
        !unwind_tables_place(l->tables, entry->layout.items, n, &entry->layout.place))
        l->left_out++;
    return &entry->layout;
}

struct layout *layouts_share(struct layout *layout)
{
    struct entry *entry = (struct entry *)(void *)layout;

    assert(entry->n_users > 0);
    entry->n_users++;
    return layout;
}

void layouts_drop(struct layouts *l, struct layout *layout, uint64_t now_ns)
{
    struct entry *entry = (struct entry *)(void *)layout;

    if (!entry || --entry->n_users > 0)
        return;
    entry->since_ns = now_ns;
    TAILQ_INSERT_TAIL(&l->unused, entry, link);
}

/* Unsigned, so that a drop of a moment later than @now is not long ago. */
static bool is_past(uint64_t since_ns, int64_t ms, uint64_t now_ns)
{
    return now_ns >= since_ns && now_ns - since_ns >= (uint64_t)ms * 1000000;
}

void layouts_sweep(struct layouts *l, uint64_t now_ns)
{
    struct entry *entry;

    while ((entry = TAILQ_FIRST(&l->unused)) && is_past(entry->since_ns, LAYOUTS_KEEP_MS, now_ns)) {
        TAILQ_REMOVE(&l->unused, entry, link);
        HASH_DEL(l->by_code, entry);
        unwind_tables_take_back(l->tables, &entry->layout.place);
        entry->since_ns = now_ns;
        TAILQ_INSERT_TAIL(&l->paused, entry, link);
    }
    while ((entry = TAILQ_FIRST(&l->paused)) &&
           is_past(entry->since_ns, LAYOUTS_PAUSE_MS, now_ns)) {
        TAILQ_REMOVE(&l->paused, entry, link);
        unwind_tables_give(l->tables, &entry->layout.place);
        free_entry(l, entry);
    }
}

uint32_t layouts_left_out(const struct layouts *l)
{
    return l->left_out;
}
