/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/symbols/names.h"

#include "agent/cpu_clock.h"
#include "agent/symbols/demangle_names.h"
#include "agent/symbols/image_names.h"
#include "agent/symbols/inlines.h"
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
    struct names_losses losses;
    struct name_room room;
    struct perf_map_room perf_maps;
    uint64_t until_ns; /* of CPU time: when there is no time for another image */
};

enum { CPU_MAX_MS = 10000 }; /* for the names of all images */

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

static void name_image(struct images *images, bool is_interpreter, const struct item *items,
                       size_t n, struct names *names)
{
    const struct image *image = images_get(images, items->place.owner);
    struct name_chain *chains = names->chains;
    _cleanup_free_ struct name_query *queries = mem_array(n, sizeof(*queries));

    for (size_t i = 0; i < n; i++)
        queries[i].vaddr = items[i].addr;
    if (cpu_clock_ns() > names->until_ns)
        names->losses.left_out += n;
    else if (!image_names_find(image, images_debug(images, items->place.owner), queries, n,
                               &names->room))
        names->losses.debug_refused++;
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
                     struct names *names)
{
    bool is_whole = true;
    _cleanup_free_ struct perf_map_query *queries = mem_array(n, sizeof(*queries));
    int fd = process->perf_map_fd < 0 ? -1 : dup(process->perf_map_fd);
    _cleanup_fclose_ FILE *in = fd < 0 ? NULL : fdopen(fd, "re");

    for (size_t i = 0; i < n; i++)
        queries[i].addr = items[i].addr;
    if (in) {
        rewind(in);
        is_whole = perf_map_name(in, queries, n, &names->perf_maps, &names->room);
    } else if (fd >= 0) {
        (void)close(fd);
    }
    for (size_t i = 0; i < n; i++) {
        struct name_chain *chain = &names->chains[items[i].number];

        names->losses.left_out += !queries[i].name && !is_whole;
        if (queries[i].name)
            name_chain_add(chain, queries[i].name, FLAME_JIT);
        else
            add_unknown(chain, mem_printf("[anon+0x%llx]", (unsigned long long)items[i].addr),
                        FLAME_UNKNOWN);
    }
}

static enum flame_kind kind_of(enum runtime_way way)
{
    static const enum flame_kind kinds[] = {
        [RUNTIME_WAY_FUNCTION] = FLAME_INTERPRETED, [RUNTIME_WAY_INLINED] = FLAME_INLINED,
        [RUNTIME_WAY_BASELINE] = FLAME_BASELINE,    [RUNTIME_WAY_OPTIMISED] = FLAME_OPTIMISED,
        [RUNTIME_WAY_NATIVE] = FLAME_NATIVE,
    };

    return kinds[way];
}

static void name_runtime(const struct runtimes *runtimes, const struct item *items, size_t n,
                         struct names *names)
{
    for (size_t i = 0; i < n; i++) {
        const struct place *place = &items[i].place;
        bool known = true;
        char *text = runtimes_name(runtimes, place->owner, (uint32_t)place->addr, &known);
        enum flame_kind kind = kind_of((enum runtime_way)(place->addr >> PLACE_RUNTIME_WAY_SHIFT));
        struct name_chain *chain = &names->chains[items[i].number];

        text = name_room_take(&names->room, text);
        if (text && known)
            name_chain_add(chain, text, kind);
        else
            add_unknown(chain, text ? text : mem_printf("[function+0x%x]", place->owner),
                        FLAME_UNKNOWN);
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

static bool is_same_owner(const struct item *a, const struct item *b)
{
    return a->place.space == b->place.space && a->place.owner == b->place.owner;
}

/* The first item after @from of another owner. */
static uint32_t owner_end(const struct item *items, uint32_t from, uint32_t n)
{
    uint32_t to = from;

    while (to < n && is_same_owner(&items[to], &items[from]))
        to++;
    return to;
}

static struct item *sorted_items(const struct stacks *stacks, struct images *images, uint32_t n)
{
    struct item *items = mem_array(n, sizeof(*items));

    for (uint32_t i = 0; i < n; i++) {
        struct place place = stacks_place_at(stacks, i);

        items[i] = (struct item){ place, i, symbol_addr(&place, images) };
    }
    qsort(items, n, sizeof(*items), compare_items);
    return items;
}

/* What DWARF there is of an image, and what to look up in it. To know whether a file goes with it
 * may take time. */
static void add_inline_file(struct images *images, const struct item *items, uint32_t n,
                            const struct names *names, struct inline_files *files)
{
    if (cpu_clock_ns() > names->until_ns)
        return;

    const struct image *image = images_get(images, items->place.owner);
    const struct debug_file *debug = images_debug(images, items->place.owner);
    struct inline_file file = { .fd = image->elf.has_debug_info ? image->fd : debug->fd,
                                .alt_fd = debug->alt_fd };

    if (file.fd < 0 || image->elf.has_go)
        return;
    file.queries = mem_array(n, sizeof(*file.queries));
    file.n_queries = n;
    for (uint32_t i = 0; i < n; i++)
        file.queries[i] = (struct inline_query){ items[i].addr, items[i].number };
    inline_files_add(files, &file);
}

static void name_owner(const struct item *items, size_t n, struct images *images,
                       const struct processes *processes, const struct runtimes *runtimes,
                       struct names *names)
{
    struct name_chain *chains = names->chains;
    uint32_t owner = items->place.owner;

    switch ((enum place_space)items->place.space) {
    case PLACE_KERNEL:
        name_kernel(items, n, chains);
        break;
    case PLACE_IMAGE:
        name_image(images, runtimes_has_image(runtimes, owner), items, n, names);
        break;
    case PLACE_RUNTIME:
        name_runtime(runtimes, items, n, names);
        break;
    case PLACE_MADE:
        add_module(&chains[items->number], mem_strdup(runtimes_jit_name(owner)), FLAME_JIT, true);
        break;
    case PLACE_JIT:
        name_jit(processes_at(processes, owner), items, n, names);
        break;
    default:
        name_unknown(items, n, chains);
        break;
    }
}

struct names *names_resolve(const struct stacks *stacks, struct images *images,
                            const struct processes *processes, const struct runtimes *runtimes)
{
    uint32_t n = stacks_n_places(stacks);
    _cleanup_free_ struct item *items = sorted_items(stacks, images, n);
    struct names *names = mem_zalloc(sizeof(*names));
    struct inline_files files = { 0 };
    struct sandbox inlines = { 0 };
    struct err ignored = { 0 };

    names->n = n;
    names->room = (struct name_room){ .bytes = NAME_ROOM_BYTES };
    names->until_ns = cpu_clock_ns() + CPU_MAX_MS * 1000000ULL;
    names->perf_maps = (struct perf_map_room){ PERF_MAPS_BYTES_MAX, PERF_MAPS_OVERLAPS_MAX };
    names->chains = mem_array(n, sizeof(*names->chains));
    for (uint32_t from = 0; from < n; from = owner_end(items, from, n)) {
        if (items[from].place.space == PLACE_IMAGE)
            add_inline_file(images, items + from, owner_end(items, from, n) - from, names, &files);
    }
    if (inlines_start(&files, &inlines, &ignored) < 0)
        inlines = (struct sandbox){ 0 }; /* all files count as cut */
    for (uint32_t from = 0, to; from < n; from = to) {
        to = owner_end(items, from, n);
        name_owner(items + from, to - from, images, processes, runtimes, names);
    }
    size_t n_files = inlines_collect(&inlines, names->chains, n, &names->room);

    names->losses.inlines_cut = files.n - (n_files < files.n ? n_files : files.n);
    names->losses.mangled = demangle_names(names->chains, n, &names->room);
    names->losses.left_out += names->room.n_refused;
    names->losses.debug_refused += images_debug_refused(images);
    inline_files_release(&files);
    return names;
}

const struct name_chain *names_at(const struct names *names, uint32_t place)
{
    assert(place < names->n);
    return &names->chains[place];
}

struct names_losses names_losses(const struct names *names)
{
    return names->losses;
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
