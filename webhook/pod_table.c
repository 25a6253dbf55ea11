/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/pod_table.h"

#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLANKS " \t\r\n"

struct entry {
    char *line; /* owns the words below */
    const char *ns, *name;
    const char *containers; /* separated by blanks */
};

struct pod_table {
    struct entry *entries; /* sorted by namespace and name */
    size_t n, size;
};

static int compare(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    int by_ns = strcmp(x->ns, y->ns);

    return by_ns ? by_ns : strcmp(x->name, y->name);
}

/* Takes @line over. False when it is no entry. */
static bool add_line(struct pod_table *table, char *line)
{
    char *rest = line;
    char *ns = strtok_r(line, BLANKS, &rest);
    char *name = ns ? strtok_r(NULL, BLANKS, &rest) : NULL;
    const char *containers = name ? rest + strspn(rest, BLANKS) : NULL;

    if (!containers || !*containers) {
        free(line);
        return false;
    }
    if (table->n == table->size) {
        table->size = table->size ? 2 * table->size : 64;
        table->entries = mem_grow(table->entries, table->size, sizeof(*table->entries));
    }
    table->entries[table->n++] = (struct entry){ line, ns, name, containers };
    return true;
}

int pod_table_open(const char *path, struct pod_table **ret, struct err *e)
{
    _cleanup_fclose_ FILE *f = fopen(path, "re");

    if (!f)
        return err_set(e, -errno, "open '%s': %s", path, err_text(errno));
    _cleanup_free_ char *line = NULL;
    size_t size = 0;
    struct pod_table *table = mem_zalloc(sizeof(*table));
    for (size_t n = 1; getline(&line, &size, f) >= 0; n++) {
        const char *first = line + strspn(line, BLANKS);

        if (!*first || *first == '#')
            continue;
        if (!add_line(table, mem_strdup(first))) {
            pod_table_close(table);
            return err_set(e, -EINVAL, "'%s', line %zu: must be 'namespace pod container ...'",
                           path, n);
        }
    }
    if (table->n > 0)
        qsort(table->entries, table->n, sizeof(*table->entries), compare);
    *ret = table;
    return 0;
}

void pod_table_close(struct pod_table *table)
{
    if (!table)
        return;
    for (size_t i = 0; i < table->n; i++)
        free(table->entries[i].line);
    free(table->entries);
    free(table);
}

static struct json_object *make_pod(const struct entry *entry)
{
    struct json_object *pod = json_object_new_object();
    struct json_object *containers = json_add_array(json_add_object(pod, "spec"), "containers");

    for (const char *at = entry->containers; *at;) {
        size_t len = strcspn(at, BLANKS);
        struct json_object *container = json_object_new_object();

        json_set(container, "name", json_object_new_string_len(at, (int)len));
        (void)json_object_array_add(containers, container);
        at += len;
        at += strspn(at, BLANKS);
    }
    return pod;
}

int pod_table_get(void *ctx, const char *ns, const char *name, struct json_object **ret_pod,
                  struct err *e)
{
    const struct pod_table *table = ctx;
    const struct entry key = { .ns = ns, .name = name };
    const struct entry *found =
        table->n ? bsearch(&key, table->entries, table->n, sizeof(key), compare) : NULL;

    if (!found)
        return err_set(e, -ENOENT, "pod '%s/%s' is not in the table", ns, name);
    *ret_pod = make_pod(found);
    return 0;
}
