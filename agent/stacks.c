/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/stacks.h"

#include "agent/hash.h"
#include "lib/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct place_entry {
    struct place place;
    uint32_t number;
    UT_hash_handle hh;
};

/* process, cut and the places are one run of numbers: the key. */
enum { KEY_PROCESS, KEY_CUT, KEY_PLACES };

struct stack_entry {
    uint64_t count;
    uint32_t n_key;
    UT_hash_handle hh;
    uint32_t key[];
};

struct stacks {
    struct place_entry *by_place;
    struct place_entry **places; /* by number */
    uint32_t n_places;
    struct stack_entry *by_key; /* uthash keeps the order of insertion */
    uint32_t n;
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
    HASH_CLEAR(hh, stacks->by_place);
    for (uint32_t i = 0; i < stacks->n_places; i++)
        free(stacks->places[i]);
    free((void *)stacks->places);
    free(stacks);
}

bool stacks_place(struct stacks *stacks, struct place place, uint32_t *ret_number)
{
    uint32_t n = stacks->n_places;
    struct place_entry *entry;

    HASH_FIND(hh, stacks->by_place, &place, sizeof(place), entry);
    if (!entry) {
        if (n == STACKS_PLACES_MAX)
            return false;
        entry = mem_zalloc(sizeof(*entry));
        entry->place = place;
        entry->number = n;
        HASH_ADD(hh, stacks->by_place, place, sizeof(place), entry);
        if ((n & (n - 1)) == 0)
            stacks->places = mem_grow((void *)stacks->places, n ? (size_t)n * 2 : 1,
                                      sizeof(struct place_entry *));
        stacks->places[stacks->n_places++] = entry;
    }
    *ret_number = entry->number;
    return true;
}

bool stacks_add(struct stacks *stacks, uint32_t process, uint32_t cut, const uint32_t *places,
                uint32_t n)
{
    uint32_t n_key = KEY_PLACES + n;
    size_t key_size = n_key * sizeof(uint32_t);
    struct stack_entry *entry = mem_zalloc(sizeof(*entry) + key_size), *known;

    entry->n_key = n_key;
    entry->key[KEY_PROCESS] = process;
    entry->key[KEY_CUT] = cut;
    if (n > 0)
        memcpy(&entry->key[KEY_PLACES], places, n * sizeof(*places));
    HASH_FIND(hh, stacks->by_key, entry->key, key_size, known);
    if (known || stacks->n == STACKS_MAX) {
        free(entry);
        if (known)
            known->count++;
        return known != NULL;
    }
    entry->count = 1;
    HASH_ADD_KEYPTR(hh, stacks->by_key, entry->key, key_size, entry);
    stacks->n++;
    return true;
}

uint32_t stacks_n_places(const struct stacks *stacks)
{
    return stacks->n_places;
}

struct place stacks_place_at(const struct stacks *stacks, uint32_t number)
{
    assert(number < stacks->n_places);
    return stacks->places[number]->place;
}

void stacks_each(const struct stacks *stacks, void (*visit)(void *arg, const struct stack *stack),
                 void *arg)
{
    for (const struct stack_entry *entry = stacks->by_key; entry; entry = entry->hh.next) {
        struct stack stack = {
            .process = entry->key[KEY_PROCESS],
            .cut = entry->key[KEY_CUT],
            .count = entry->count,
            .n = entry->n_key - KEY_PLACES,
            .places = &entry->key[KEY_PLACES],
        };

        visit(arg, &stack);
    }
}
