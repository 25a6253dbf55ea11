/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/stacks.h"

#include "agent/hash.h"
#include "lib/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { THREAD_NAME_SIZE = 64, FIRST_MAX = 1024 };
#define ROOT_PLACE UINT32_MAX

/* Equal things have one number. They lie in an array; a hash table of twice their number has their
 * numbers plus one. */
struct pool {
    char *items;
    uint32_t *slots;
    size_t key_size, item_size; /* an item begins with its key */
    uint32_t n, max, limit;
};

struct thread_name {
    char name[THREAD_NAME_SIZE]; /* filled up with NULs */
};

struct node_key {
    uint32_t parent; /* a node, or a root */
    uint32_t place;  /* ROOT_PLACE: the node of a root, whose number is parent */
};

/* The end of one stack, and on the way to others. */
struct node {
    struct node_key key;
    uint64_t count; /* of that very stack */
};

struct stacks {
    struct pool places, threads, roots, nodes;
};

static struct pool make_pool(size_t key_size, size_t item_size, uint32_t limit)
{
    return (struct pool){ .key_size = key_size, .item_size = item_size, .limit = limit };
}

struct stacks *stacks_new(void)
{
    struct stacks *s = mem_zalloc(sizeof(*s));

    s->places = make_pool(sizeof(struct place), sizeof(struct place), STACKS_PLACES_MAX);
    s->threads =
        make_pool(sizeof(struct thread_name), sizeof(struct thread_name), STACKS_THREADS_MAX);
    s->roots = make_pool(sizeof(struct stack_root), sizeof(struct stack_root), STACKS_ROOTS_MAX);
    s->nodes = make_pool(sizeof(struct node_key), sizeof(struct node), STACKS_NODES_MAX);
    return s;
}

static void pool_release(struct pool *pool)
{
    free(pool->items);
    free(pool->slots);
}

void stacks_free(struct stacks *s)
{
    if (!s)
        return;
    pool_release(&s->places);
    pool_release(&s->threads);
    pool_release(&s->roots);
    pool_release(&s->nodes);
    free(s);
}

static void *pool_at(const struct pool *pool, uint32_t number)
{
    return pool->items + number * pool->item_size;
}

/* The slot of an item, or the free one where it belongs. */
static uint32_t *find_slot(const struct pool *pool, const void *key)
{
    uint32_t mask = 2 * pool->max - 1;
    uint32_t at = hash_bytes(key, pool->key_size) & mask;

    while (pool->slots[at] && memcmp(pool_at(pool, pool->slots[at] - 1), key, pool->key_size) != 0)
        at = (at + 1) & mask;
    return &pool->slots[at];
}

static void pool_double(struct pool *pool)
{
    pool->max = pool->max ? pool->max * 2 : FIRST_MAX;
    pool->items = mem_grow(pool->items, pool->max, pool->item_size);
    free(pool->slots);
    pool->slots = mem_array(2 * (size_t)pool->max, sizeof(*pool->slots));
    for (uint32_t i = 0; i < pool->n; i++)
        *find_slot(pool, pool_at(pool, i)) = i + 1;
}

/* False: it is new, and there is no room but for @spare others. A new item is zero behind its key.
 */
static bool pool_number(struct pool *pool, const void *key, uint32_t spare, uint32_t *ret_number)
{
    uint32_t *slot;

    if (pool->n == pool->max && pool->max < pool->limit)
        pool_double(pool);
    slot = find_slot(pool, key);
    if (!*slot) {
        if (pool->n + spare >= pool->limit)
            return false;
        memset(pool_at(pool, pool->n), 0, pool->item_size);
        memcpy(pool_at(pool, pool->n), key, pool->key_size);
        *slot = ++pool->n;
    }
    *ret_number = *slot - 1;
    return true;
}

bool stacks_place(struct stacks *s, struct place place, uint32_t *ret_number)
{
    return pool_number(&s->places, &place, 0, ret_number);
}

uint32_t stacks_thread(struct stacks *s, const char *name)
{
    struct thread_name key = { "" };
    uint32_t number;

    memcpy(key.name, name, strnlen(name, sizeof(key.name) - 1));
    if (!pool_number(&s->threads, &key, 0, &number))
        return STACKS_THREAD_OTHER;
    return STACKS_THREAD_OTHER + 1 + number;
}

const char *stacks_thread_name(const struct stacks *s, uint32_t number)
{
    const struct thread_name *thread;

    if (number <= STACKS_THREAD_OTHER)
        return "(other threads)";
    thread = pool_at(&s->threads, number - STACKS_THREAD_OTHER - 1);
    return thread->name;
}

bool stacks_add(struct stacks *s, struct stack_root root, const uint32_t *places, uint32_t n)
{
    struct node_key key = { .place = ROOT_PLACE };
    uint32_t spare = n == 0 && root.thread == STACKS_THREAD_MAIN ? 0 : STACKS_SPARE;
    uint32_t number;

    if (n > STACKS_DEPTH_MAX || !pool_number(&s->roots, &root, spare, &key.parent) ||
        !pool_number(&s->nodes, &key, spare, &number))
        return false;
    for (uint32_t i = 0; i < n; i++) {
        key = (struct node_key){ number, places[i] };
        if (!pool_number(&s->nodes, &key, spare, &number))
            return false;
    }
    ((struct node *)pool_at(&s->nodes, number))->count++;
    return true;
}

uint32_t stacks_n_places(const struct stacks *s)
{
    return s->places.n;
}

struct place stacks_place_at(const struct stacks *s, uint32_t number)
{
    assert(number < s->places.n);
    return *(const struct place *)pool_at(&s->places, number);
}

void stacks_each(const struct stacks *s, void (*visit)(void *arg, const struct stack *stack),
                 void *arg)
{
    uint32_t *places = mem_array(STACKS_DEPTH_MAX, sizeof(*places));

    for (uint32_t i = 0; i < s->nodes.n; i++) {
        const struct node *node = pool_at(&s->nodes, i);
        struct stack stack = { .count = node->count };
        uint32_t at = STACKS_DEPTH_MAX;

        if (node->count == 0)
            continue;
        for (; node->key.place != ROOT_PLACE; node = pool_at(&s->nodes, node->key.parent))
            places[--at] = node->key.place;
        stack.root = *(const struct stack_root *)pool_at(&s->roots, node->key.parent);
        stack.n = STACKS_DEPTH_MAX - at;
        stack.places = places + at;
        visit(arg, &stack);
    }
    free(places);
}
