/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/unwind/go_table.h"

#include <string.h>

enum { FUNCTION_SIZE_MAX = 44, INLINED_CALL_MAX = 20 };

/* internal/abi/symtab.go: PCDATA_InlTreeIndex, FUNCDATA_InlTree. */
enum { INLINED_VALUES = 2, INLINED_TREE = 3 };

/* Where the fields of runtime._func and runtime.inlinedCall are. */
static const struct layout {
    uint8_t index_word; /* of an entry of the index: half of the entry */
    uint8_t size;       /* of _func */
    uint8_t name, sp_values, n_pc_data, flags, n_func_data;
    uint8_t call_size; /* of inlinedCall */
    uint8_t call_name, call_pc;
} layouts[GO_FORMAT_COUNT] = {
    [GO_1_16] = { 8, 44, 8, 20, 32, 41, 43, 20, 12, 16 },
    [GO_1_18] = { 4, 40, 4, 16, 28, 37, 39, 20, 12, 16 },
    [GO_1_20] = { 4, 44, 4, 16, 28, 41, 43, 16, 4, 8 },
};

static const struct layout *layout_of(const struct go_table *table)
{
    return &layouts[table->location.header.format];
}

static uint32_t u32_at(const uint8_t *bytes, size_t off)
{
    uint32_t value;

    memcpy(&value, bytes + off, sizeof(value));
    return value;
}

/* The pointer-sized or half as wide words of the index: an address, and where its function is. */
static bool read_index(struct go_table *table, uint64_t i, uint64_t *to, size_t n)
{
    const struct go_location *l = &table->location;
    size_t word = layout_of(table)->index_word;
    uint8_t bytes[3 * 8];

    if (!file_reader_read(&table->reader, l->off + l->header.functions + i * 2 * word, bytes,
                          n * word))
        return false;
    for (size_t k = 0; k < n; k++) {
        to[k] = 0;
        memcpy(&to[k], bytes + k * word, word);
    }
    return true;
}

bool go_table_open(int fd, struct go_table *ret_table)
{
    struct go_table table = { 0 };
    uint64_t first, last;
    const struct go_location *l = &table.location;

    file_reader_init(&table.reader, fd);
    if (!go_locate(fd, &table.reader, &table.location) || !read_index(&table, 0, &first, 1) ||
        !read_index(&table, l->header.n_functions, &last, 1) ||
        !go_location_is_code(l, l->text + first, l->text + last)) {
        go_table_release(&table);
        return false;
    }
    *ret_table = table;
    return true;
}

void go_table_release(struct go_table *table)
{
    file_reader_release(&table->reader);
    *table = (struct go_table){ 0 };
}

bool go_table_function(struct go_table *table, uint64_t i, struct go_function *ret)
{
    const struct go_location *l = &table->location;
    const struct layout *layout = layout_of(table);
    uint64_t index[3]; /* the start, where the function is, the end */
    uint8_t bytes[FUNCTION_SIZE_MAX];

    if (i >= l->header.n_functions || !read_index(table, i, index, 3) || index[2] <= index[0] ||
        index[1] > l->size - l->header.functions)
        return false;

    uint64_t off = l->off + l->header.functions + index[1];

    if (!go_location_is_code(l, l->text + index[0], l->text + index[2]) ||
        !file_reader_read(&table->reader, off, bytes, layout->size))
        return false;
    *ret = (struct go_function){
        .start = l->text + index[0],
        .end = l->text + index[2],
        .name = u32_at(bytes, layout->name),
        .sp_values = u32_at(bytes, layout->sp_values),
        .n_pc_data = u32_at(bytes, layout->n_pc_data),
        .n_func_data = bytes[layout->n_func_data],
        .data_off = off + layout->size,
        .flags = bytes[layout->flags],
    };
    return true;
}

bool go_table_find(struct go_table *table, uint64_t vaddr, struct go_function *ret)
{
    uint64_t low = 0, high = table->location.header.n_functions, start;
    uint64_t text = table->location.text;

    if (vaddr < text)
        return false;
    while (low < high) { /* the first that starts above vaddr */
        uint64_t middle = low + (high - low) / 2;

        if (!read_index(table, middle, &start, 1))
            return false;
        if (start <= vaddr - text)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 && go_table_function(table, low - 1, ret) && vaddr >= ret->start &&
           vaddr < ret->end;
}

size_t go_table_name(struct go_table *table, uint32_t name, char *to, size_t max)
{
    const struct go_location *l = &table->location;

    *to = '\0';
    if (name >= l->header.names_size)
        return 0;
    if (max > l->header.names_size - name)
        max = l->header.names_size - name;
    return file_reader_text(&table->reader, l->off + l->header.names + name, to, max);
}

void go_values_start(struct go_table *table, const struct go_function *function, uint32_t values,
                     struct go_values *ret)
{
    const struct go_location *l = &table->location;
    uint64_t start = l->off + l->header.pc_values, end = start + l->header.pc_values_size;

    *ret = (struct go_values){ .table = table,
                               .at = values != 0 && values < end - start ? start + values : end,
                               .end = end,
                               .size = function->end - function->start,
                               .value = -1 };
}

/* encoding/binary, Uvarint, of at most 32 bits. */
static bool take_number(struct go_values *v, uint32_t *ret)
{
    size_t len = 0;
    const uint8_t *at = NULL;

    *ret = 0;
    for (unsigned shift = 0; shift < 35 && v->at < v->end; shift += 7, v->at++, at++, len--) {
        if (len == 0)
            at = file_reader_at(&v->table->reader, v->at, &len);
        if (!at)
            return false;
        *ret |= (uint32_t)(*at & 0x7f) << shift;
        if (!(*at & 0x80)) {
            v->at++;
            return true;
        }
    }
    return false;
}

/* runtime/symtab.go, step(): differences of the value, zigzag, and of the address. */
bool go_values_next(struct go_values *v)
{
    uint32_t value, pc;

    if (v->to >= v->size || !take_number(v, &value) || (value == 0 && v->to > 0) ||
        !take_number(v, &pc) || pc == 0)
        return false;
    v->value = (int32_t)((uint32_t)v->value + (value >> 1 ^ -(value & 1)));
    v->from = v->to;
    v->to += (uint64_t)pc * v->table->location.header.quantum;
    if (v->to > v->size)
        v->to = v->size;
    return true;
}

static bool value_at(struct go_table *table, const struct go_function *function, uint32_t values,
                     uint64_t pc, int32_t *ret)
{
    struct go_values v;

    go_values_start(table, function, values, &v);
    while (go_values_next(&v)) {
        if (pc < v.to) {
            *ret = v.value;
            return true;
        }
    }
    return false;
}

/* Function data is named by its address up to 1.17, by an offset later; behind all the offsets of
 * values. 0: there is none. */
static uint64_t find_tree(struct go_table *table, const struct go_function *function)
{
    const struct go_location *l = &table->location;
    uint64_t at = function->data_off + UINT64_C(4) * function->n_pc_data, off, tree = 0;

    if (function->n_func_data <= INLINED_TREE)
        return 0;
    if (l->header.format == GO_1_16) {
        at = l->off + (at - l->off + 7) / 8 * 8;
        if (!file_reader_read(&table->reader, at + UINT64_C(8) * INLINED_TREE, &tree, 8))
            return 0;
        return go_location_off(l, tree, &off) ? off : 0;
    }
    if (!file_reader_read(&table->reader, at + UINT64_C(4) * INLINED_TREE, &tree, 4) ||
        tree == UINT32_MAX || l->funcdata == 0)
        return 0;
    return go_location_off(l, l->funcdata + tree, &off) ? off : 0;
}

void go_inlined_start(struct go_table *table, const struct go_function *function, uint64_t vaddr,
                      struct go_inlined *ret)
{
    uint64_t at = function->data_off + UINT64_C(4) * INLINED_VALUES;

    *ret =
        (struct go_inlined){ .table = table, .function = *function, .pc = vaddr - function->start };
    if (function->n_pc_data > INLINED_VALUES &&
        file_reader_read(&table->reader, at, &ret->values, sizeof(ret->values)))
        ret->tree_off = find_tree(table, function);
}

/* runtime/symtabinl.go */
bool go_inlined_next(struct go_inlined *inlined, uint32_t *ret_name)
{
    const struct layout *layout = layout_of(inlined->table);
    uint8_t call[INLINED_CALL_MAX];
    int32_t index;

    if (inlined->tree_off == 0 ||
        !value_at(inlined->table, &inlined->function, inlined->values, inlined->pc, &index) ||
        index < 0 ||
        !file_reader_read(&inlined->table->reader,
                          inlined->tree_off + (uint64_t)index * layout->call_size, call,
                          layout->call_size))
        return false;
    *ret_name = u32_at(call, layout->call_name);
    inlined->pc = u32_at(call, layout->call_pc);
    return true;
}
