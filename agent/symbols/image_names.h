/* SPDX-License-Identifier: Apache-2.0 */
/*
 * image_names: the names of an image's addresses, from all that its files offer.
 */
#pragma once

#include "agent/images.h"
#include "agent/symbols/name_chain.h"

#include <stdbool.h>
#include <stddef.h>

/* @queries are sorted by vaddr. What nothing names keeps an empty chain. @debug: of images_debug().
 * False: there is a .gnu_debugdata that cannot be read. */
bool image_names_find(const struct image *image, const struct debug_file *debug,
                      struct name_query *queries, size_t n_queries, struct name_room *room);
