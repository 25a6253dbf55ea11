/* SPDX-License-Identifier: Apache-2.0 */
/* hotspot_scopes, hotspot_flow, hotspot_method: over a target's memory of any content. The first
 * byte picks a version, the next two a place; from the fourth on it is memory, which begins with an
 * nmethod. */
#include "agent/runtimes/hotspot/hotspot_method.h"
#include "agent/runtimes/hotspot/hotspot_scopes.h"

#include "agent/runtimes/fuzz/target_words.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { VERSIONS = 4, NONE = HOTSPOT_NO_FIELD };

static uint64_t words[TARGET_WORDS];

#define SAME                                                                                       \
    .nmethod_size = 128, .blob_code_begin = NONE, .blob_code_offset = 32, .blob_data_offset = 40,  \
    .nmethod_method = 64, .nmethod_compile_id = 72, .nmethod_comp_level = 76,                      \
    .nmethod_scopes_pcs = 88, .pc_desc_size = 16, .pc_desc_pc = 0, .pc_desc_scope = 4,             \
    .method_const = 8, .const_size = 48, .const_constants = 8, .const_words = 24,                  \
    .const_flags = 28, .const_code_size = 32, .const_name = 34, .const_signature = 36,             \
    .pool_size = 72, .pool_holder = 24, .pool_length = 60, .pool_cache = 16, .klass_name = 24,     \
    .klass_super = 32, .klass_methods = 40, .methods_data = 8, .symbol_length = 4,                 \
    .symbol_body = 6
#define CACHE_ENTRIES                                                                              \
    .cache_size = 24, .entry_size = 32, .entry_indices = 0, .entry_f1 = 8, .entry_f2 = 16,         \
    .cache_resolved = NONE
#define RESOLVED_ENTRIES                                                                           \
    .entry_f2 = NONE, .cache_resolved = 24, .resolved_data = 8, .resolved_size = 24,               \
    .resolved_constant = 16

/* As in JDK 8, 17, 23 and 25, but closer together. */
static const struct hotspot_layout layouts[VERSIONS] = {
    { .major = 8,
      .blob_mutable_data = NONE,
      .blob_relocation_size = NONE,
      .nmethod_metadata = 80,
      .nmethod_metadata_width = 4,
      .nmethod_dependencies = 84,
      .nmethod_scopes_data = 92,
      .nmethod_scopes_begin = NONE,
      .nmethod_immutable = NONE,
      CACHE_ENTRIES,
      SAME },
    { .major = 17,
      .blob_mutable_data = NONE,
      .blob_relocation_size = NONE,
      .nmethod_metadata = 80,
      .nmethod_metadata_width = 4,
      .nmethod_dependencies = 84,
      .nmethod_scopes_data = NONE,
      .nmethod_scopes_begin = 96,
      .nmethod_immutable = NONE,
      CACHE_ENTRIES,
      SAME },
    { .major = 23,
      .blob_mutable_data = NONE,
      .blob_relocation_size = NONE,
      .nmethod_metadata = 80,
      .nmethod_metadata_width = 2,
      .nmethod_dependencies = NONE,
      .nmethod_scopes_data = 92,
      .nmethod_scopes_begin = NONE,
      .nmethod_immutable = 96,
      RESOLVED_ENTRIES,
      SAME },
    { .major = 25,
      .blob_mutable_data = 16,
      .blob_relocation_size = 28,
      .nmethod_metadata = NONE,
      .nmethod_metadata_width = NONE,
      .nmethod_dependencies = NONE,
      .nmethod_scopes_data = 92,
      .nmethod_scopes_begin = NONE,
      .nmethod_immutable = 96,
      RESOLVED_ENTRIES,
      SAME },
};

static void name_scope(const struct hotspot_layout *layout, const struct hotspot_scope *scope)
{
    struct hotspot_method m;

    if (!hotspot_method_read(getpid(), layout, scope->method, scope->check, &m))
        return;
    if (!m.name || strlen(m.name) > 2 * HOTSPOT_NAME_MAX + 1 || m.n_lines > HOTSPOT_LINES_MAX ||
        hotspot_method_line(&m, scope->bci) > UINT16_MAX)
        abort();
    hotspot_method_release(&m);
}

static void read_lines(const uint8_t *data, size_t size)
{
    unsigned char *lines = malloc(size);
    struct hotspot_method m = { .lines = lines, .n_lines = size, .no_zero = data[0] & 1 };

    if (!lines)
        return;
    memcpy(lines, data, size);
    if (hotspot_method_line(&m, data[0]) > UINT16_MAX)
        abort();
    free(lines);
}

/* Over the same bytes as machine code, with notes at the first ones' numbers. */
static void follow(const uint8_t *data, size_t size)
{
    enum { NOTES = 3 };
    struct hotspot_note notes[NOTES];
    struct hotspot_flow flow;
    uint32_t pc = 0;

    for (int i = 0; i < NOTES; i++)
        notes[i] = (struct hotspot_note){ pc += data[i], 1, true };
    if (!hotspot_flow_read(data, size, notes, NOTES, data[3], &flow))
        return;
    if (flow.here < -1 || flow.here >= NOTES || flow.before < -1 || flow.before >= NOTES ||
        flow.behind < -1 || flow.behind >= NOTES)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct hotspot_layout *layout;
    struct hotspot_loops loops = { 0 };
    struct hotspot_scopes s;
    uint32_t id;

    if (size < 4)
        return 0;
    read_lines(data, size);
    follow(data, size);
    layout = &layouts[data[0] % VERSIONS];

    uint64_t base = target_words_make(data + 3, size - 3, words);

    memcpy(&id, (const char *)words + layout->nmethod_compile_id, sizeof(id));
    if (!hotspot_scopes_read(getpid(), layout, &loops, base, id, data[1] | (uint32_t)data[2] << 8,
                             &s))
        return 0;
    if (s.n == 0 || s.n > HOTSPOT_SCOPES_MAX)
        abort();
    for (size_t i = 0; i < s.n; i++)
        name_scope(layout, &s.scopes[i]);
    return 0;
}
