/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/symbols/go_names.h"

#include "agent/unwind/go_table.h"
#include "lib/mem.h"

#include <string.h>

/* runtime/traceback.go, funcNameForPrint; may add three characters. */
static void shorten_type_arguments(char *name)
{
    char *open = strchr(name, '['), *close = strrchr(name, ']');

    if (!open || !close || close <= open)
        return;
    memmove(open + 4, close, strlen(close) + 1);
    memset(open + 1, '.', 3);
}

static char *read_name(struct go_table *table, uint32_t name, struct name_room *room)
{
    char text[GO_NAME_MAX + 4];

    if (go_table_name(table, name, text, GO_NAME_MAX) == 0)
        return NULL;
    shorten_type_arguments(text);
    return name_room_take(room, mem_strdup(text));
}

static void find_one(struct go_table *table, struct name_query *query, struct name_room *room)
{
    uint32_t names[NAME_CHAIN_MAX];
    enum flame_kind kind;
    size_t n = 0;
    struct go_function function;
    struct go_inlined inlined;

    if (!go_table_find(table, query->vaddr, &function))
        return;
    kind = function.sp_values ? FLAME_GO : FLAME_NATIVE;
    go_inlined_start(table, &function, query->vaddr, &inlined);
    while (n < NAME_CHAIN_MAX - 1 && go_inlined_next(&inlined, &names[n]))
        n++;
    for (names[n++] = function.name; n > 0; n--) {
        char *text = read_name(table, names[n - 1], room);

        if (text)
            name_chain_add(&query->chain, text, query->chain.n == 0 ? kind : FLAME_INLINED);
        else if (query->chain.n == 0)
            return;
    }
}

bool go_names_find(int fd, struct name_query *queries, size_t n_queries, struct name_room *room)
{
    struct go_table table = { 0 };

    if (!go_table_open(fd, &table))
        return false;
    for (size_t i = 0; i < n_queries; i++) {
        if (queries[i].chain.n == 0)
            find_one(&table, &queries[i], room);
    }
    go_table_release(&table);
    return true;
}
