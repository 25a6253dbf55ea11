/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/runtimes/hotspot/hotspot_nmethod.h"

#include "agent/runtimes/hotspot/hotspot_compressed.h"
#include "agent/runtimes/hotspot/hotspot_method.h"
#include "agent/runtimes/target_memory.h"

#include <string.h>

enum {
    SIZE_MAX_BYTES = 64 << 20, /* of what one nmethod has of a thing */
    METADATA_MAX = 1 << 20,
    DEPTH_MAX = 256, /* HotSpot itself stops at 15, or some tens with method handles */
    WINDOW = 4096,
    WINDOWS_MAX = 16,
    WORD = 8,
};

static uint64_t word_of(const struct hotspot_nmethod *nm, uint16_t off)
{
    uint64_t value;

    memcpy(&value, nm->header + off, sizeof(value));
    return value;
}

static uint32_t int_of(const struct hotspot_nmethod *nm, uint16_t off)
{
    uint32_t value;

    memcpy(&value, nm->header + off, sizeof(value));
    return value;
}

static uint32_t sized_int_of(const struct hotspot_nmethod *nm, uint16_t off, uint16_t width)
{
    return width == 2 ? int_of(nm, off) & 0xffff : int_of(nm, off);
}

static bool has(uint16_t field)
{
    return field != HOTSPOT_NO_FIELD;
}

/* Where references to methods lie: behind the relocations (24), in the blob's data (23), or at an
 * offset of their own. */
static uint64_t metadata_of(const struct hotspot_nmethod *nm)
{
    const struct hotspot_layout *l = nm->layout;
    uint64_t off;

    if (has(l->blob_mutable_data) && has(l->blob_relocation_size))
        return word_of(nm, l->blob_mutable_data) + int_of(nm, l->blob_relocation_size);
    if (!has(l->nmethod_metadata))
        return 0;
    off = sized_int_of(nm, l->nmethod_metadata, l->nmethod_metadata_width);
    if (has(l->nmethod_immutable))
        off += int_of(nm, l->blob_data_offset);
    return nm->addr + off;
}

static bool find_places(struct hotspot_nmethod *nm)
{
    const struct hotspot_layout *l = nm->layout;
    nm->method = word_of(nm, l->nmethod_method);
    nm->metadata = metadata_of(nm);
    if (has(l->nmethod_immutable)) {
        uint64_t data = word_of(nm, l->nmethod_immutable);

        if (!has(l->nmethod_scopes_data))
            return false;
        nm->pcs = data + int_of(nm, l->nmethod_scopes_pcs);
        nm->pcs_end = nm->scopes = data + int_of(nm, l->nmethod_scopes_data);
    } else {
        nm->pcs = nm->addr + int_of(nm, l->nmethod_scopes_pcs);
        nm->pcs_end = nm->addr + int_of(nm, l->nmethod_dependencies);
        nm->scopes = has(l->nmethod_scopes_begin) ? word_of(nm, l->nmethod_scopes_begin)
                                                  : nm->addr + int_of(nm, l->nmethod_scopes_data);
    }
    return nm->pcs <= nm->pcs_end && nm->pcs_end - nm->pcs < SIZE_MAX_BYTES;
}

static bool read_int(const struct hotspot_nmethod *nm, uint64_t addr, int32_t *ret)
{
    return target_memory_read(nm->pid, addr, ret, sizeof(*ret));
}

static bool read_place(const struct hotspot_nmethod *nm, uint64_t i, uint16_t field, int32_t *ret)
{
    return read_int(nm, nm->pcs + i * nm->layout->pc_desc_size + field, ret);
}

/* Does the place before the one behind @pc tell more of it? C1 notes many places, and puts the test
 * of a loop behind that of its end; C2 notes none in a loop but that. */
static bool is_before_nearer(const struct hotspot_nmethod *nm, uint64_t behind, uint32_t pc)
{
    const struct hotspot_layout *l = nm->layout;
    int32_t from, to;

    return nm->header[l->nmethod_comp_level] <= HOTSPOT_LEVEL_C1_MAX && behind > 0 &&
           read_place(nm, behind - 1, l->pc_desc_pc, &from) &&
           read_place(nm, behind, l->pc_desc_pc, &to) && from >= 0 &&
           (int64_t)pc - from < to - (int64_t)pc;
}

/* By halves. */
uint32_t hotspot_nmethod_scope_at(const struct hotspot_nmethod *nm, uint32_t pc, bool *ret_is_exact)
{
    const struct hotspot_layout *l = nm->layout;
    uint64_t low = 0, n = (nm->pcs_end - nm->pcs) / l->pc_desc_size, high = n;
    int32_t value = 0;

    while (low < high) {
        uint64_t middle = low + (high - low) / 2;

        if (!read_place(nm, middle, l->pc_desc_pc, &value))
            return 0;
        if (value < (int32_t)pc)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == n || !read_place(nm, low, l->pc_desc_pc, &value))
        return 0;
    *ret_is_exact = value == (int32_t)pc;
    if (is_before_nearer(nm, low, pc))
        low--;
    return read_place(nm, low, l->pc_desc_scope, &value) && value > 0 ? (uint32_t)value : 0;
}

/* What is read of the scopes: callers lie before what they call, mostly near it. */
struct window {
    uint32_t start, end;
    unsigned n_read;
    unsigned char bytes[WINDOW];
};

static const unsigned char *look_at(const struct hotspot_nmethod *nm, struct window *w,
                                    uint32_t off)
{
    if (off < nm->n_all_scopes && nm->n_all_scopes - off >= HOTSPOT_SCOPE_BYTES)
        return nm->all_scopes + off;
    if (off < w->start || off + HOTSPOT_SCOPE_BYTES > w->end) {
        uint32_t start =
            off + HOTSPOT_SCOPE_BYTES > WINDOW ? off + HOTSPOT_SCOPE_BYTES - WINDOW : 0;

        w->end = 0;
        if (++w->n_read > WINDOWS_MAX || !target_memory_read(nm->pid, nm->scopes + start, w->bytes,
                                                             off + HOTSPOT_SCOPE_BYTES - start))
            return NULL;
        w->start = start;
        w->end = off + HOTSPOT_SCOPE_BYTES;
    }
    return w->bytes + (off - w->start);
}

struct entry {
    uint32_t caller; /* where it lies, before this one; 0: there is none */
    uint32_t method; /* among the metadata, from 1 on */
    uint32_t bci;    /* from -1 on, on entry */
};

static bool read_entry(const struct hotspot_nmethod *nm, struct window *w, uint32_t off,
                       struct entry *ret)
{
    const unsigned char *bytes = look_at(nm, w, off);
    struct hotspot_compressed c = { bytes, bytes ? bytes + HOTSPOT_SCOPE_BYTES : NULL,
                                    nm->layout->major >= HOTSPOT_NO_ZERO_SINCE };

    if (!bytes)
        return false;
    ret->caller = hotspot_compressed_u32(&c);
    ret->method = hotspot_compressed_u32(&c);
    ret->bci = hotspot_compressed_u32(&c);
    return ret->caller < off && ret->bci <= UINT16_MAX;
}

static bool read_scope(const struct hotspot_nmethod *nm, const struct entry *entry,
                       struct hotspot_scope *ret)
{
    uint64_t const_method = 0;

    if (entry->method == 0 || entry->method > METADATA_MAX ||
        !target_memory_u64(nm->pid, nm->metadata + (uint64_t)(entry->method - 1) * WORD,
                           &ret->method) ||
        !target_memory_u64(nm->pid, ret->method + nm->layout->method_const, &const_method))
        return false;
    ret->check = hotspot_check(const_method);
    ret->bci = entry->bci > 0 ? entry->bci - 1 : 0;
    return true;
}

bool hotspot_nmethod_scopes(const struct hotspot_nmethod *nm, uint32_t off,
                            struct hotspot_scopes *ret)
{
    struct window window = { .n_read = 0 };
    struct entry entry = { 0 };
    struct hotspot_scope root;

    ret->n = 0;
    for (int depth = 0; off != 0 && depth < DEPTH_MAX; depth++) {
        if (!read_entry(nm, &window, off, &entry))
            return false;
        if (ret->n < HOTSPOT_SCOPES_MAX && !read_scope(nm, &entry, &ret->scopes[ret->n++]))
            return false;
        off = entry.caller;
    }
    if (off != 0 || ret->n == 0 || !read_scope(nm, &entry, &root) || root.method != nm->method)
        return false;
    ret->scopes[ret->n - 1] = root;
    return true;
}

bool hotspot_nmethod_compiled(const struct hotspot_nmethod *nm, struct hotspot_scopes *ret)
{
    uint64_t const_method = 0;

    if (!target_memory_u64(nm->pid, nm->method + nm->layout->method_const, &const_method))
        return false;
    ret->scopes[0] = (struct hotspot_scope){ .method = nm->method,
                                             .check = hotspot_check(const_method),
                                             .bci = HOTSPOT_BCI_UNKNOWN };
    ret->n = 1;
    return true;
}

bool hotspot_nmethod_innermost(const struct hotspot_nmethod *nm, uint32_t off, uint32_t *ret_method,
                               uint32_t *ret_bci)
{
    struct window window = { .n_read = 0 };
    struct entry entry;

    if (!read_entry(nm, &window, off, &entry))
        return false;
    *ret_method = entry.method;
    *ret_bci = entry.bci > 0 ? entry.bci - 1 : 0;
    return true;
}

uint64_t hotspot_nmethod_code(const struct hotspot_nmethod *nm)
{
    const struct hotspot_layout *l = nm->layout;

    return has(l->blob_code_begin) ? word_of(nm, l->blob_code_begin)
                                   : nm->addr + int_of(nm, l->blob_code_offset);
}

bool hotspot_nmethod_read(pid_t pid, const struct hotspot_layout *layout, uint64_t addr,
                          uint32_t compile_id, struct hotspot_nmethod *ret)
{
    ret->pid = pid;
    ret->layout = layout;
    ret->addr = addr;
    ret->compile_id = compile_id;
    ret->all_scopes = NULL;
    ret->n_all_scopes = 0;
    if (!target_memory_read(pid, addr, ret->header, layout->nmethod_size) ||
        int_of(ret, layout->nmethod_compile_id) != compile_id)
        return false;
    ret->level = ret->header[layout->nmethod_comp_level];
    ret->has_notes = find_places(ret);
    return true;
}

bool hotspot_nmethod_is_there(const struct hotspot_nmethod *nm)
{
    uint32_t id = 0;

    return target_memory_read(nm->pid, nm->addr + nm->layout->nmethod_compile_id, &id,
                              sizeof(id)) &&
           id == nm->compile_id;
}
