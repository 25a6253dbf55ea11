/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/stacks.h"

#include "agent/hash.h"
#include "lib/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { THREAD_NAME_SIZE = 16, FIRST_SLOTS = 1024 };

struct thread_entry {
    char name[THREAD_NAME_SIZE]; /* key, filled up with NULs */
    uint32_t number;
    UT_hash_handle hh;
};

/* The root and the places are one run of numbers: the key. */
enum { ROOT_WORDS = sizeof(struct stack_root) / sizeof(uint32_t) };

struct stack_entry {
    uint64_t count;
    uint32_t n_key;
    UT_hash_handle hh;
    uint32_t key[];
};

struct stacks {
    struct place *places; /* by number */
    uint32_t *slots;      /* a hash table of numbers, plus one; twice as many as places */
    uint32_t n_places, places_max;
    struct thread_entry *by_name;
    struct thread_entry *threads[STACKS_THREADS_MAX];
    uint32_t n_threads;
    struct stack_entry *by_key; /* uthash keeps the order of insertion */
    size_t n_bytes;
};

struct stacks *stacks_new(void)
{
    return mem_zalloc(sizeof(struct stacks));
}

void stacks_free(struct stacks *stacks)
{
    struct stack_entry *entry, *next;

    if (!stacks)
        return;
    HASH_ITER (hh, stacks->by_key, entry, next) {
        HASH_DEL(stacks->by_key, entry);
        free(entry);
    }
    HASH_CLEAR(hh, stacks->by_name);
    for (uint32_t i = 0; i < stacks->n_threads; i++)
        free(stacks->threads[i]);
    free(stacks->places);
    free(stacks->slots);
    free(stacks);
}

/* Its slot, or the free one where it belongs. */
static uint32_t *find_slot(const struct stacks *stacks, const struct place *place)
{
    uint32_t mask = 2 * stacks->places_max - 1;
    uint32_t at = hash_bytes(place, sizeof(*place)) & mask;

    while (stacks->slots[at] &&
           memcmp(&stacks->places[stacks->slots[at] - 1], place, sizeof(*place)) != 0)
        at = (at + 1) & mask;
    return &stacks->slots[at];
}

static void double_places(struct stacks *stacks)
{
    stacks->places_max = stacks->places_max ? stacks->places_max * 2 : FIRST_SLOTS;
    stacks->places = mem_grow(stacks->places, stacks->places_max, sizeof(*stacks->places));
    free(stacks->slots);
    stacks->slots = mem_array(2 * (size_t)stacks->places_max, sizeof(*stacks->slots));
    for (uint32_t i = 0; i < stacks->n_places; i++)
        *find_slot(stacks, &stacks->places[i]) = i + 1;
}

bool stacks_place(struct stacks *stacks, struct place place, uint32_t *ret_number)
{
    uint32_t *slot;

    if (stacks->n_places == stacks->places_max && stacks->places_max < STACKS_PLACES_MAX)
        double_places(stacks);
    slot = find_slot(stacks, &place);
    if (!*slot) {
        if (stacks->n_places == STACKS_PLACES_MAX)
            return false;
        stacks->places[stacks->n_places++] = place;
        *slot = stacks->n_places;
    }
    *ret_number = *slot - 1;
    return true;
}

uint32_t stacks_thread(struct stacks *stacks, const char *name)
{
    char key[THREAD_NAME_SIZE] = "";
    struct thread_entry *entry;

    memcpy(key, name, strnlen(name, sizeof(key) - 1));
    HASH_FIND(hh, stacks->by_name, key, sizeof(key), entry);
    if (entry)
        return entry->number;
    if (stacks->n_threads == STACKS_THREADS_MAX)
        return STACKS_THREAD_OTHER;
    entry = mem_zalloc(sizeof(*entry));
    memcpy(entry->name, key, sizeof(key));
    entry->number = STACKS_THREAD_OTHER + 1 + stacks->n_threads;
    HASH_ADD(hh, stacks->by_name, name, sizeof(entry->name), entry);
    stacks->threads[stacks->n_threads++] = entry;
    return entry->number;
}

const char *stacks_thread_name(const struct stacks *stacks, uint32_t number)
{
    return number > STACKS_THREAD_OTHER ? stacks->threads[number - STACKS_THREAD_OTHER - 1]->name
                                        : "(other threads)";
}

bool stacks_add(struct stacks *stacks, struct stack_root root, const uint32_t *places, uint32_t n)
{
    uint32_t n_key = ROOT_WORDS + n;
    size_t key_size = n_key * sizeof(uint32_t);
    struct stack_entry *entry = mem_zalloc(sizeof(*entry) + key_size), *known;

    entry->n_key = n_key;
    memcpy(entry->key, &root, sizeof(root));
    if (n > 0)
        memcpy(&entry->key[ROOT_WORDS], places, n * sizeof(*places));
    HASH_FIND(hh, stacks->by_key, entry->key, key_size, known);
    if (!known && (n > 0 || root.thread != STACKS_THREAD_MAIN) &&
        stacks->n_bytes > STACKS_BYTES_MAX - sizeof(*entry) - key_size) {
        free(entry);
        return false;
    }
    if (known) {
        free(entry);
        known->count++;
        return true;
    }
    entry->count = 1;
    stacks->n_bytes += sizeof(*entry) + key_size;
    HASH_ADD_KEYPTR(hh, stacks->by_key, entry->key, key_size, entry);
    return true;
}

uint32_t stacks_n_places(const struct stacks *stacks)
{
    return stacks->n_places;
}

struct place stacks_place_at(const struct stacks *stacks, uint32_t number)
{
    assert(number < stacks->n_places);
    return stacks->places[number];
}

void stacks_each(const struct stacks *stacks, void (*visit)(void *arg, const struct stack *stack),
                 void *arg)
{
    for (const struct stack_entry *entry = stacks->by_key; entry; entry = entry->hh.next) {
        struct stack stack = {
            .count = entry->count,
            .n = entry->n_key - ROOT_WORDS,
            .places = &entry->key[ROOT_WORDS],
        };

        memcpy(&stack.root, entry->key, sizeof(stack.root));
        visit(arg, &stack);
    }
}
