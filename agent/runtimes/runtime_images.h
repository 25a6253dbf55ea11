/* SPDX-License-Identifier: Apache-2.0 */
/* runtime_images: which languages are implemented in which files of the target. */
#pragma once

#include "agent/code.h"
#include "agent/images.h"
#include "agent/runtimes/runtime.h"

struct runtime_images;
struct runtime_images *runtime_images_new(struct images *images); /* borrows them */
void runtime_images_free(struct runtime_images *images);          /* NULL is fine */

/* What each language's read_image() found in an image, NULL: nothing. Reads it the first time;
 * borrowed. */
const void *runtime_images_look(struct runtime_images *images, uint32_t image,
                                enum runtime_id runtime);

/* The same of one that was looked at before; NULL as well when it was not. */
const void *runtime_images_at(const struct runtime_images *images, uint32_t image,
                              enum runtime_id runtime);

/* What makes a vaddr of the image a runtime address, where this part of it is mapped. False: it is
 * none of its segments. */
bool runtime_images_bias(const struct runtime_images *images, const struct code *code,
                         uint64_t *ret_bias);

/* As runtimes_is_loop(). */
bool runtime_images_is_loop(const struct runtime_images *images, uint32_t image, uint64_t off);
