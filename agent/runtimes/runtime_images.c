/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/runtimes/runtime_images.h"

#include "lib/mem.h"

#include <stdlib.h>

enum { PAGE = 4096 };

/* What is known of an image, for each language: NULL when it is not in it. */
struct looked {
    bool was_read;
    void *image[RUNTIME_COUNT]; /* owned */
};

struct runtime_images {
    struct images *images;
    struct looked *looked; /* by index of the image */
    size_t n;
};

struct runtime_images *runtime_images_new(struct images *images)
{
    struct runtime_images *r = mem_zalloc(sizeof(*r));

    r->images = images;
    return r;
}

void runtime_images_free(struct runtime_images *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->n; i++) {
        for (int j = 0; j < RUNTIME_COUNT; j++)
            free(r->looked[i].image[j]);
    }
    free(r->looked);
    free(r);
}

static void look_at_image(struct runtime_images *r, uint32_t index, struct looked *ret)
{
    const struct image *image = images_get(r->images, index);

    if (!images_begin_reading(r->images))
        return;
    ret->was_read = true;
    for (int i = 0; i < RUNTIME_COUNT; i++) {
        void *data = mem_zalloc(runtime_kinds[i]->image_size);

        if (image->fd >= 0 && runtime_kinds[i]->read_image(image->fd, &image->elf, data))
            ret->image[i] = data;
        else
            free(data);
    }
    images_end_reading(r->images);
}

const void *runtime_images_look(struct runtime_images *r, uint32_t image, enum runtime_id runtime)
{
    while (r->n <= image) {
        size_t n = r->n;

        if ((n & (n - 1)) == 0)
            r->looked = mem_grow(r->looked, n ? n * 2 : 1, sizeof(*r->looked));
        r->looked[r->n++] = (struct looked){ 0 };
    }
    if (!r->looked[image].was_read)
        look_at_image(r, image, &r->looked[image]);
    return r->looked[image].image[runtime];
}

const void *runtime_images_at(const struct runtime_images *r, uint32_t image,
                              enum runtime_id runtime)
{
    return image < r->n ? r->looked[image].image[runtime] : NULL;
}

/* Mappings begin at a page, segments anywhere in it. */
bool runtime_images_bias(const struct runtime_images *r, const struct code *code,
                         uint64_t *ret_bias)
{
    const struct elf_image *elf = &images_get(r->images, code->image)->elf;

    for (size_t i = 0; i < elf->n_segments; i++) {
        const struct elf_segment *s = &elf->segments[i];

        if (code->off >= (s->off & ~(uint64_t)(PAGE - 1)) && code->off < s->off + s->file_size) {
            *ret_bias = code->start - (s->vaddr + (code->off - s->off));
            return true;
        }
    }
    return false;
}

bool runtime_images_is_loop(const struct runtime_images *r, uint32_t image, uint64_t off)
{
    for (int i = 0; i < RUNTIME_COUNT; i++) {
        const void *data = runtime_images_at(r, image, i);
        uint64_t vaddr;

        if (data && runtime_kinds[i]->is_loop &&
            elf_image_vaddr(&images_get(r->images, image)->elf, off, &vaddr) &&
            runtime_kinds[i]->is_loop(data, vaddr))
            return true;
    }
    return false;
}
