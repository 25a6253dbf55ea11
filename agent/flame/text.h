/* SPDX-License-Identifier: Apache-2.0 */
/*
 * text: hostile bytes in, a short line of valid UTF-8 out.
 *
 * Control characters and line separators become spaces. Broken UTF-8 becomes U+FFFD, one a byte;
 * so do the characters that reorder text on screen (bidirectional overrides and isolates), with
 * which a name could pass for another. Everything else is kept, '<' and quotes too: escaping is the
 * matter of each output format.
 */
#pragma once

#include "agent/flame/flame.h"

#include <stddef.h>

/* Writes at most FLAME_NAME_MAX bytes and a NUL to @out; a longer text is cut between characters
 * and ends with U+2026. NULL and "" give "[no name]". Returns the length. */
size_t flame_text_clean(const char *raw, char out[FLAME_NAME_MAX + 1]);
