/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/symbols/name_chain.h"

#include "lib/mem.h"

#include <stdlib.h>
#include <string.h>

char *name_room_take(struct name_room *room, char *text)
{
    size_t size = strlen(text) + 1;

    if (size <= room->bytes) {
        room->bytes -= size;
        return text;
    }
    room->n_refused++;
    free(text);
    return NULL;
}

void name_room_give_back(struct name_room *room, char *text)
{
    if (text)
        room->bytes += strlen(text) + 1;
    free(text);
}

void name_chain_add(struct name_chain *chain, char *text, enum flame_kind kind)
{
    if (chain->n == NAME_CHAIN_MAX) {
        free(text);
        return;
    }
    if ((chain->n & (chain->n - 1)) == 0)
        chain->names = mem_grow(chain->names, chain->n ? chain->n * 2 : 1, sizeof(*chain->names));
    chain->names[chain->n++] = (struct name){ .text = text, .kind = kind, .known = true };
}

void name_chain_release(struct name_chain *chain)
{
    for (size_t i = 0; i < chain->n; i++)
        free(chain->names[i].text);
    free(chain->names);
    *chain = (struct name_chain){ 0 };
}
