/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/names.h"

#include "agent/kallsyms.h"
#include "agent/perf_map.h"
#include "lib/cleanup.h"
#include "lib/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A place and its number, so that places of one owner can be sorted together and found again. */
struct item {
    struct place place;
    uint32_t number;
    uint64_t addr; /* as the owner's symbols count: vaddr, runtime or kernel address */
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

static void set(struct name *name, char *text, enum flame_kind kind, bool known)
{
    *name = (struct name){ text, kind, known, false };
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
        "runtime.mstart.abi0",
    };

    for (size_t i = 0; i < sizeof(bottoms) / sizeof(bottoms[0]); i++) {
        if (strcmp(name, bottoms[i]) == 0)
            return true;
    }
    return false;
}

static void name_kernel(const struct item *items, size_t n, struct name *names)
{
    _cleanup_fclose_ FILE *in = fopen("/proc/kallsyms", "re");
    _cleanup_free_ struct kallsyms_query *queries = mem_array(n, sizeof(*queries));

    for (size_t i = 0; i < n; i++)
        queries[i].addr = items[i].addr;
    if (in)
        (void)kallsyms_name(in, queries, n);
    for (size_t i = 0; i < n; i++) {
        bool known = *queries[i].name;

        set(&names[items[i].number], mem_strdup(known ? queries[i].name : "[kernel]"), FLAME_KERNEL,
            known);
    }
}

static void name_image(const struct image *image, const struct item *items, size_t n,
                       struct name *names)
{
    _cleanup_free_ struct elf_query *queries = mem_array(n, sizeof(*queries));

    for (size_t i = 0; i < n; i++)
        queries[i].vaddr = items[i].addr;
    if (image->fd >= 0)
        elf_image_name(image->fd, &image->elf, queries, n);
    for (size_t i = 0; i < n; i++) {
        struct name *name = &names[items[i].number];

        if (queries[i].name) {
            set(name, queries[i].name, image->elf.has_go ? FLAME_GO : FLAME_NATIVE, true);
            name->is_bottom = is_bottom(name->text);
            continue;
        }
        set(name, mem_printf("[%s+0x%llx]", image->name, (unsigned long long)items[i].addr),
            FLAME_UNKNOWN, false);
    }
}

static void name_jit(const struct process *process, const struct item *items, size_t n,
                     struct name *names)
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
        struct name *name = &names[items[i].number];

        if (queries[i].name)
            set(name, queries[i].name, FLAME_JIT, true);
        else
            set(name, mem_printf("[anon+0x%llx]", (unsigned long long)items[i].addr), FLAME_UNKNOWN,
                false);
    }
}

static void name_unknown(const struct item *items, size_t n, struct name *names)
{
    for (size_t i = 0; i < n; i++)
        set(&names[items[i].number],
            mem_printf("[unknown+0x%llx]", (unsigned long long)items[i].addr), FLAME_UNKNOWN,
            false);
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

struct name *names_resolve(const struct stacks *stacks, struct images *images,
                           const struct processes *processes)
{
    uint32_t n = stacks_n_places(stacks);
    _cleanup_free_ struct item *items = mem_array(n, sizeof(*items));
    struct name *names = mem_array(n, sizeof(*names));

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
            name_kernel(items + from, to - from, names);
        else if (first.space == PLACE_IMAGE)
            name_image(images_get(images, first.owner), items + from, to - from, names);
        else if (first.space == PLACE_JIT)
            name_jit(processes_at(processes, first.owner), items + from, to - from, names);
        else
            name_unknown(items + from, to - from, names);
    }
    return names;
}

void names_free(struct name *names, uint32_t n)
{
    for (uint32_t i = 0; names && i < n; i++)
        free(names[i].text);
    free(names);
}
