/* SPDX-License-Identifier: Apache-2.0 */
/*
 * interleave: puts the frames of an interpreted language between the native ones that run them.
 *
 * Each native call of the interpreter's loop runs a group of frames: one, or several where the
 * loop calls itself no further for a function of its own language. Where the calls are known one
 * by one, they are matched from the leaf. Where they are guessed by the code that runs, they are
 * matched from the root, if the native stack reaches it, for what a sample tears is at the leaf: a
 * call that has not entered its frame yet stays a native frame. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A frame of the result. */
struct interleaved {
    bool is_native;
    uint32_t index; /* into the native frames or the others */
};

struct interleave_input {
    size_t n_native;
    const bool *is_loop; /* of each native frame, leaf first */
    bool from_root;
    size_t n_frames;
    const bool *ends_group; /* of each frame, leaf first */
    const bool *is_shown;   /* of each frame; false: it only ends a group */
};

/* Leaf first; @ret holds n_native + n_frames. Returns how many. */
size_t interleave(const struct interleave_input *in, struct interleaved *ret);
