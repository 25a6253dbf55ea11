/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/images.h"

#include "agent/cpu_clock.h"
#include "agent/hash.h"
#include "agent/proc_file.h"
#include "lib/cleanup.h"
#include "lib/mem.h"

#include <assert.h>
#include <elf.h>
#include <limits.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>

enum { TRIES_MAX = 3 };

struct image_key {
    uint64_t inode;
    uint32_t dev_major, dev_minor;
};

struct entry {
    struct image_key key;
    struct image image;
    uint32_t index, n_tries;
    UT_hash_handle hh;
};

struct images {
    struct entry *by_key;
    struct entry *all[IMAGES_MAX];
    uint32_t n, left_out, debug_refused;
    uint64_t look_left_ns, run_left_ns; /* of CPU time for reading files */
    uint64_t began_ns;                  /* the reading at hand */
};

#define MS 1000000ULL

struct images *images_new(void)
{
    struct images *images = mem_zalloc(sizeof(*images));

    images->run_left_ns = IMAGES_RUN_MAX_MS * MS;
    images_begin_look(images);
    return images;
}

void images_free(struct images *images)
{
    if (!images)
        return;
    HASH_CLEAR(hh, images->by_key);
    for (uint32_t i = 0; i < images->n; i++) {
        if (images->all[i]->image.fd >= 0)
            (void)close(images->all[i]->image.fd);
        debug_file_close(&images->all[i]->image.debug);
        elf_image_release(&images->all[i]->image.elf);
        free(images->all[i]);
    }
    free(images);
}

static bool is_vdso(const struct proc_map *map)
{
    return map->path_len == 6 && memcmp(map->path, "[vdso]", 6) == 0;
}

/*
 * The kernel maps the same vdso into every process of one kind, so a copy of our own stands for
 * it, and nothing is read from the target's memory. Its headers end at the section table.
 */
static int open_vdso(void)
{
    unsigned long at = getauxval(AT_SYSINFO_EHDR);
    int fd = memfd_create("vdso", MFD_CLOEXEC);

    if (at == 0 || fd < 0) {
        if (fd >= 0)
            (void)close(fd);
        return -1;
    }

    const Elf64_Ehdr *header = (const void *)at; /* NOLINT(performance-no-int-to-ptr) */
    size_t size = header->e_shoff + (size_t)header->e_shentsize * header->e_shnum;

    if (write(fd, header, size) != (ssize_t)size) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

static void open_image(pid_t pid, const struct proc_map *map, struct image *image)
{
    struct err ignored = { 0 };
    char path[PATH_MAX];

    proc_maps_display_name(map, image->name, sizeof(image->name));
    image->debug = (struct debug_file){ .fd = -1, .alt_fd = -1 };
    image->is_vdso = is_vdso(map);
    image->fd = image->is_vdso ? open_vdso() : proc_file_open_mapped(pid, map);
    if (image->fd < 0 || elf_image_read(image->fd, &image->elf, &ignored) < 0)
        return; /* not ELF: its frames keep file offsets for names */
    if (proc_maps_path(map, path, sizeof(path)))
        debug_file_open(pid, path, &image->elf, &image->debug);
}

void images_begin_look(struct images *images)
{
    images->look_left_ns = IMAGES_LOOK_MAX_MS * MS;
}

bool images_begin_reading(struct images *images)
{
    images->began_ns = cpu_clock_ns();
    return images->look_left_ns > 0 && images->run_left_ns > 0;
}

static void spend(uint64_t *left_ns, uint64_t ns)
{
    *left_ns -= ns < *left_ns ? ns : *left_ns;
}

void images_end_reading(struct images *images)
{
    uint64_t ns = cpu_clock_ns() - images->began_ns;

    spend(&images->look_left_ns, ns);
    spend(&images->run_left_ns, ns);
}

uint32_t images_add(struct images *images, pid_t pid, const struct proc_map *map)
{
    struct image_key key;
    struct entry *entry;

    memset(&key, 0, sizeof(key));
    key.inode = map->inode;
    key.dev_major = map->dev_major;
    key.dev_minor = map->dev_minor;
    if (map->inode == 0 && !is_vdso(map))
        return IMAGE_NONE;
    HASH_FIND(hh, images->by_key, &key, sizeof(key), entry);
    if (!entry) {
        if (images->n == IMAGES_MAX) {
            images->left_out++;
            return IMAGE_NONE;
        }
        entry = mem_zalloc(sizeof(*entry));
        entry->key = key;
        entry->image.fd = -1;
        entry->index = images->n;
        HASH_ADD(hh, images->by_key, key, sizeof(entry->key), entry);
        images->all[images->n++] = entry;
    }
    /* Once more when it could not be opened: that process may have been on its way out. */
    if (entry->image.fd < 0 && entry->n_tries < TRIES_MAX && images_begin_reading(images)) {
        entry->n_tries++;
        open_image(pid, map, &entry->image);
        images_end_reading(images);
    }
    return entry->index;
}

const struct image *images_get(const struct images *images, uint32_t index)
{
    assert(index < images->n);
    return &images->all[index]->image;
}

const struct debug_file *images_debug(struct images *images, uint32_t index)
{
    assert(index < images->n);
    struct image *image = &images->all[index]->image;

    if (!image->debug_was_checked && image->debug.fd >= 0 &&
        !debug_file_check(&image->debug, &image->elf)) {
        debug_file_close(&image->debug);
        images->debug_refused++;
    }
    image->debug_was_checked = true;
    return &image->debug;
}

uint32_t images_count(const struct images *images)
{
    return images->n;
}

uint32_t images_unreadable(const struct images *images)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < images->n; i++)
        n += images->all[i]->image.fd < 0;
    return n;
}

uint32_t images_debug_refused(const struct images *images)
{
    return images->debug_refused;
}

uint32_t images_left_out(const struct images *images)
{
    return images->left_out;
}
