/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/runtimes/hotspot/hotspot_method.h"

#include "agent/runtimes/hotspot/hotspot_compressed.h"
#include "agent/runtimes/target_memory.h"
#include "lib/cleanup.h"
#include "lib/mem.h"

#include <stdlib.h>
#include <string.h>

enum { WORD = 8, FLAG_LINES = 1 };

static uint16_t u16_at(const unsigned char *bytes, uint16_t off)
{
    uint16_t value;

    memcpy(&value, bytes + off, sizeof(value));
    return value;
}

static uint32_t u32_at(const unsigned char *bytes, uint16_t off)
{
    uint32_t value;

    memcpy(&value, bytes + off, sizeof(value));
    return value;
}

static uint64_t u64_at(const unsigned char *bytes, uint16_t off)
{
    uint64_t value;

    memcpy(&value, bytes + off, sizeof(value));
    return value;
}

/* A Symbol's text; NULL: it is none. */
static char *read_symbol(pid_t pid, const struct hotspot_layout *l, uint64_t symbol)
{
    uint16_t len = 0;

    if (symbol == 0 || !target_memory_read(pid, symbol + l->symbol_length, &len, sizeof(len)) ||
        len == 0)
        return NULL;
    if (len > HOTSPOT_NAME_MAX)
        len = HOTSPOT_NAME_MAX;
    _cleanup_free_ char *text = mem_zalloc((size_t)len + 1);
    if (!target_memory_read(pid, symbol + l->symbol_body, text, len))
        return NULL;
    return take_ptr(text);
}

/* A name among a class's constants. */
static char *read_constant(pid_t pid, const struct hotspot_layout *l, uint64_t pool, uint16_t index)
{
    uint64_t symbol = 0;
    uint32_t n = 0;

    if (!target_memory_read(pid, pool + l->pool_length, &n, sizeof(n)) || index == 0 ||
        index >= n ||
        !target_memory_u64(pid, pool + l->pool_size + (uint64_t)index * WORD, &symbol))
        return NULL;
    return read_symbol(pid, l, symbol);
}

static char *read_class_name(pid_t pid, const struct hotspot_layout *l, uint64_t pool)
{
    uint64_t klass = 0, symbol = 0;

    if (!target_memory_u64(pid, pool + l->pool_holder, &klass) || klass == 0 ||
        !target_memory_u64(pid, klass + l->klass_name, &symbol))
        return NULL;
    return read_symbol(pid, l, symbol);
}

/* The byte code is followed by the table of lines, and that by tables of other things. */
static void read_lines(pid_t pid, const struct hotspot_layout *l, uint64_t at,
                       const unsigned char *header, struct hotspot_method *m)
{
    uint64_t begin = (uint64_t)l->const_size + u16_at(header, l->const_code_size);
    uint64_t end = (uint64_t)u32_at(header, l->const_words) * WORD;

    if (!(header[l->const_flags] & FLAG_LINES) || end <= begin)
        return;

    size_t size = end - begin < HOTSPOT_LINES_MAX ? (size_t)(end - begin) : HOTSPOT_LINES_MAX;

    _cleanup_free_ unsigned char *lines = mem_alloc(size);
    if (!target_memory_read(pid, at + begin, lines, size))
        return;
    m->lines = take_ptr(lines);
    m->n_lines = size;
    m->no_zero = l->major >= HOTSPOT_NO_ZERO_SINCE;
}

bool hotspot_method_read(pid_t pid, const struct hotspot_layout *l, uint64_t method, uint32_t check,
                         struct hotspot_method *ret_method)
{
    unsigned char header[HOTSPOT_CONST_MAX] = { 0 };
    struct hotspot_method m = { 0 };
    uint64_t at = 0;

    if (!target_memory_u64(pid, method + l->method_const, &at) || hotspot_check(at) != check ||
        !target_memory_read(pid, at, header, l->const_size))
        return false;

    uint64_t pool = u64_at(header, l->const_constants);
    _cleanup_free_ char *class_name = read_class_name(pid, l, pool);
    _cleanup_free_ char *name = read_constant(pid, l, pool, u16_at(header, l->const_name));

    if (!class_name || !name)
        return false;
    m.name = hotspot_name(class_name, name);
    read_lines(pid, l, at, header, &m);
    *ret_method = m;
    return true;
}

void hotspot_method_release(struct hotspot_method *method)
{
    free(method->name);
    free(method->lines);
    *method = (struct hotspot_method){ 0 };
}

/* A byte that says both, 5 bits the distance in byte code and 3 bits that in lines; or 0xff, and
 * two numbers. 0 ends the table. A place before or between entries is of the entry before it. */
uint32_t hotspot_method_line(const struct hotspot_method *method, uint32_t bci)
{
    enum { END = 0, LONG = 0xff, LINE_BITS = 3, LINE_MASK = 7, LINE_MAX = UINT16_MAX };
    int64_t at = 0, line = 0, best_at = 0, best = 0;

    if (bci == HOTSPOT_BCI_UNKNOWN || !method->lines)
        return 0;

    struct hotspot_compressed c = { method->lines, method->lines + method->n_lines,
                                    method->no_zero };

    while (c.at < c.end && *c.at != END) {
        unsigned char byte = *c.at++;

        if (byte == LONG) {
            at += hotspot_compressed_i32(&c);
            line += hotspot_compressed_i32(&c);
        } else {
            at += byte >> LINE_BITS;
            line += byte & LINE_MASK;
        }
        if (at <= bci && at >= best_at) {
            best_at = at;
            best = line;
        }
    }
    return best > 0 && best <= LINE_MAX ? (uint32_t)best : 0;
}

static const char *after_digits(const char *text)
{
    return text + strspn(text, "0123456789");
}

/* Of a hidden class, "+0x00007f2ba8001000" where its name ends; what follows it, or NULL. */
static const char *after_address(const char *text)
{
    enum { DIGITS_MIN = 6 };
    size_t n;

    if ((*text != '+' && *text != '/') || text[1] != '0' || text[2] != 'x')
        return NULL;
    n = strspn(text + 3, "0123456789abcdef");
    return n >= DIGITS_MIN && text[3 + n] == '\0' ? text + 3 + n : NULL;
}

/* What a made class is a kind of, where its name says so at @text: how long that is; 0: not here.
 */
static size_t made_prefix(const char *text)
{
    static const char *const prefixes[] = {
        "$$Lambda",
        "LambdaForm$MH",
        "LambdaForm$DMH",
        "LambdaForm$BMH",
        "GeneratedMethodAccessor",
        "GeneratedConstructorAccessor",
        "GeneratedSerializationConstructorAccessor",
    };

    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
        size_t len = strlen(prefixes[i]);

        if (strncmp(text, prefixes[i], len) == 0)
            return len;
    }
    return 0;
}

/* Past the number of a made class, "$14" or "14"; @text itself: there is none. */
static const char *after_number(const char *text)
{
    const char *digits = *text == '$' ? text + 1 : text, *end = after_digits(digits);
    bool whole = *end == '\0' || *end == '+' || *end == '/';

    return end != digits && whole ? end : text;
}

char *hotspot_name(const char *class_name, const char *method_name)
{
    _cleanup_free_ char *text = mem_alloc(strlen(class_name) + 1);
    size_t n = 0;

    for (const char *at = class_name; *at;) {
        const char *end = after_address(at);
        size_t made = made_prefix(at);

        if (end) {
            at = end;
        } else if (made) {
            memcpy(text + n, at, made);
            n += made;
            at = after_number(at + made);
        } else {
            text[n++] = *at == '/' ? '.' : *at;
            at++;
        }
    }
    text[n] = '\0';
    return mem_printf("%s.%s", text, method_name);
}
