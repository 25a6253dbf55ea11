/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/symbols/names.h"

#include "agent/symbols/image_names.h"
#include "agent/symbols/kallsyms.h"
#include "agent/symbols/perf_map.h"
#include "lib/cleanup.h"
#include "lib/mem.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A place and its number, so that places of one owner can be sorted together and found again. */
struct item {
    struct place place;
    uint32_t number;
    uint64_t addr; /* as the owner's symbols count: vaddr, runtime or kernel address */
};

struct names {
    struct name_chain *chains; /* by the number of the place */
    uint32_t n;
};

static int compare_items(const void *a, const void *b)
{
    const struct item *x = a, *y = b;

    if (x->place.space != y->place.space)
        return x->place.space < y->place.space ? -1 : 1;
    if (x->place.owner != y->place.owner)
        return x->place.owner < y->place.owner ? -1 : 1;
    return x->addr < y->addr ? -1 : x->addr > y->addr;
}

static void add_unknown(struct name_chain *chain, char *text, enum flame_kind kind)
{
    name_chain_add(chain, text, kind);
    chain->names[0].known = false;
}

/* Where threads of C libraries and of Go begin. They keep no frame pointer, or a wrong one. */
static bool is_bottom(const char *name)
{
    static const char *const bottoms[] = {
        "_start",
        "__libc_start_call_main",
        "__libc_start_main",
        "start_thread",
        "clone",
        "__clone",
        "clone3",
        "__clone3",
        "libc_start_main_stage2",
        "_start_c",
        "runtime.goexit.abi0",
        "runtime.goexit",
        "runtime.rt0_go.abi0",
        "runtime.rt0_go",
        "runtime.mstart.abi0",
        "runtime.mstart",
    };

    for (size_t i = 0; i < sizeof(bottoms) / sizeof(bottoms[0]); i++) {
        if (strcmp(name, bottoms[i]) == 0)
            return true;
    }
    return false;
}

/* All code of a module by one name. */
static void add_module(struct name_chain *chain, char *text, enum flame_kind kind, bool known)
{
    name_chain_add(chain, text, kind);
    chain->names[0].known = known;
    chain->names[0].is_module = true;
}

static void name_kernel(const struct item *items, size_t n, struct name_chain *chains)
{
    _cleanup_fclose_ FILE *in = fopen("/proc/kallsyms", "re");
    _cleanup_free_ struct kallsyms_query *queries = mem_array(n, sizeof(*queries));

    for (size_t i = 0; i < n; i++)
        queries[i].addr = items[i].addr;
    if (in)
        (void)kallsyms_name(in, queries, n);
    for (size_t i = 0; i < n; i++) {
        struct name_chain *chain = &chains[items[i].number];

        if (*queries[i].name)
            name_chain_add(chain, mem_strdup(queries[i].name), FLAME_KERNEL);
        else
            add_module(chain, mem_strdup("[kernel]"), FLAME_KERNEL, false);
    }
}

static void name_image(const struct image *image, bool is_interpreter, const struct item *items,
                       size_t n, struct name_chain *chains)
{
    _cleanup_free_ struct name_query *queries = mem_array(n, sizeof(*queries));

    for (size_t i = 0; i < n; i++)
        queries[i].vaddr = items[i].addr;
    image_names_find(image, queries, n);
    for (size_t i = 0; i < n; i++) {
        struct name_chain *chain = &chains[items[i].number];

        *chain = queries[i].chain;
        if (chain->n == 0 && is_interpreter)
            add_module(chain, mem_printf("[%s]", image->name), FLAME_NATIVE, true);
        else if (chain->n == 0)
            add_unknown(chain,
                        mem_printf("[%s+0x%llx]", image->name, (unsigned long long)items[i].addr),
                        FLAME_UNKNOWN);
        else
            chain->names[0].is_bottom = is_bottom(chain->names[0].text);
    }
}

static void name_jit(const struct process *process, const struct item *items, size_t n,
                     struct name_chain *chains)
{
    _cleanup_free_ struct perf_map_query *queries = mem_array(n, sizeof(*queries));
    int fd = process->perf_map_fd < 0 ? -1 : dup(process->perf_map_fd);
    _cleanup_fclose_ FILE *in = fd < 0 ? NULL : fdopen(fd, "re");

    for (size_t i = 0; i < n; i++)
        queries[i].addr = items[i].addr;
    if (in) {
        rewind(in);
        perf_map_name(in, queries, n);
    } else if (fd >= 0) {
        (void)close(fd);
    }
    for (size_t i = 0; i < n; i++) {
        struct name_chain *chain = &chains[items[i].number];

        if (queries[i].name)
            name_chain_add(chain, queries[i].name, FLAME_JIT);
        else
            add_unknown(chain, mem_printf("[anon+0x%llx]", (unsigned long long)items[i].addr),
                        FLAME_UNKNOWN);
    }
}

static void name_python(const struct python *python, const struct item *items, size_t n,
                        struct name_chain *chains)
{
    for (size_t i = 0; i < n; i++) {
        bool known = true;
        char *text =
            python_name(python, items[i].place.owner, (uint32_t)items[i].place.addr, &known);

        if (known)
            name_chain_add(&chains[items[i].number], text, FLAME_INTERPRETED);
        else
            add_unknown(&chains[items[i].number], text, FLAME_UNKNOWN);
    }
}

static void name_unknown(const struct item *items, size_t n, struct name_chain *chains)
{
    for (size_t i = 0; i < n; i++)
        add_unknown(&chains[items[i].number],
                    mem_printf("[unknown+0x%llx]", (unsigned long long)items[i].addr),
                    FLAME_UNKNOWN);
}

/* Offsets into files become the addresses of their symbols. */
static uint64_t symbol_addr(const struct place *place, struct images *images)
{
    uint64_t vaddr;

    if (place->space == PLACE_IMAGE &&
        elf_image_vaddr(&images_get(images, place->owner)->elf, place->addr, &vaddr))
        return vaddr;
    return place->addr;
}

struct names *names_resolve(const struct stacks *stacks, struct images *images,
                            const struct processes *processes, const struct python *python)
{
    uint32_t n = stacks_n_places(stacks);
    _cleanup_free_ struct item *items = mem_array(n, sizeof(*items));
    struct names *names = mem_zalloc(sizeof(*names));

    names->n = n;
    names->chains = mem_array(n, sizeof(*names->chains));
    for (uint32_t i = 0; i < n; i++) {
        struct place place = stacks_place_at(stacks, i);

        items[i] = (struct item){ place, i, symbol_addr(&place, images) };
    }
    qsort(items, n, sizeof(*items), compare_items);
    for (uint32_t from = 0, to; from < n; from = to) {
        struct place first = items[from].place;

        for (to = from;
             to < n && items[to].place.space == first.space && items[to].place.owner == first.owner;
             to++)
            ;
        if (first.space == PLACE_KERNEL)
            name_kernel(items + from, to - from, names->chains);
        else if (first.space == PLACE_IMAGE)
            name_image(images_get(images, first.owner), python_is_image(python, first.owner),
                       items + from, to - from, names->chains);
        else if (first.space == PLACE_PYTHON)
            name_python(python, items + from, to - from, names->chains);
        else if (first.space == PLACE_JIT)
            name_jit(processes_at(processes, first.owner), items + from, to - from, names->chains);
        else
            name_unknown(items + from, to - from, names->chains);
    }
    return names;
}

const struct name_chain *names_at(const struct names *names, uint32_t place)
{
    assert(place < names->n);
    return &names->chains[place];
}

void names_free(struct names *names)
{
    if (!names)
        return;
    for (uint32_t i = 0; i < names->n; i++)
        name_chain_release(&names->chains[i]);
    free(names->chains);
    free(names);
}
