/* SPDX-License-Identifier: Apache-2.0 */
/*
 * name_chain: what the code at one address is called: a function, and those that the compiler
 * inlined there, each into the one before.
 *
 * Texts are as the target has them: any bytes but NUL, and as long as it likes. So what there is of
 * them in a run is bounded.
 */
#pragma once

#include "agent/flame/flame.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    NAME_CHAIN_MAX = 64,        /* names past it are dropped: the innermost ones */
    NAME_ROOM_BYTES = 32 << 20, /* of a run: 128 for each place that it may have */
};

/* What is left for the names of a run. */
struct name_room {
    size_t bytes;
    size_t n_refused; /* out: names without room */
};

/* Returns @text if there is room for it; else frees it and returns NULL. */
char *name_room_take(struct name_room *room, char *text);
void name_room_give_back(struct name_room *room, char *text); /* frees it; NULL is fine */

struct name {
    char *text;           /* owned */
    enum flame_kind kind; /* FLAME_INLINED for all but the first */
    bool known;           /* by a symbol */
    bool is_module;       /* not one function: all code of a module that has no names */
    bool is_bottom;       /* nothing but the kernel or the loader calls it: a stack begins here */
};

/* Outermost first. */
struct name_chain {
    struct name *names; /* owned */
    size_t n;
};

/* Takes @text over. */
void name_chain_add(struct name_chain *chain, char *text, enum flame_kind kind);
void name_chain_release(struct name_chain *chain); /* safe on a zeroed one */

/* An address of an image to be named: what each source of an image's names is asked for. */
struct name_query {
    uint64_t vaddr;
    struct name_chain chain; /* out; stays empty when no function covers vaddr */
};
