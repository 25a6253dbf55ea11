/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flame: stacks in, a flame graph out. Pure: no clock, no descriptor, no log.
 *
 * Stacks are merged into a tree as they are added. The tree is written as folded text, or as one
 * self-contained HTML page. Names come from the target and are hostile: any bytes; they are made
 * one line of valid UTF-8 when they are added (text.h), and each writer escapes them for its
 * format. Memory is bounded: past FLAME_NODES_MAX nodes, FLAME_NAMES_BYTES_MAX bytes of names or
 * FLAME_DEPTH_MAX frames, what is left of a stack is counted under a [pruned] child of the deepest
 * node that was found. The output depends on the set of stacks alone, not on their order. Not
 * thread-safe.
 */
#pragma once

#include "lib/buf.h"
#include "lib/err.h"

#include <stdint.h>
#include <stdio.h>

enum {
    FLAME_NAME_MAX = 1024,
    FLAME_NODES_MAX =
        3 << 16, /* about what RESULT_PAGE_MAX holds, and 16 MiB while it is written */
    FLAME_DEPTH_MAX = 4096,
    FLAME_NAMES_BYTES_MAX = 16 << 20,
    FLAME_NOTES_MAX = 48,
};

/* What a page's script can count exactly; samples past it are dropped. */
#define FLAME_SAMPLES_MAX ((UINT64_C(1) << 53) - 1)

/* What kind of code a frame is: colour and legend. The order is part of the page's data. */
#define FLAME_KINDS(X)                                                                             \
    X(PROCESS, "process")                                                                          \
    X(THREAD, "thread")                                                                            \
    X(KERNEL, "kernel")                                                                            \
    X(NATIVE, "native")                                                                            \
    X(GO, "go")                                                                                    \
    X(JIT, "jit") /* named by a perf map */                                                        \
    X(INTERPRETED, "interpreted")                                                                  \
    X(BASELINE, "baseline")   /* compiled at run time, quickly: Java's C1 */                       \
    X(OPTIMISED, "optimised") /* the same, slowly: Java's C2 */                                    \
    X(INLINED, "inlined")                                                                          \
    X(UNKNOWN, "unknown") /* [module+0x1234] */                                                    \
    X(NOTE, "note")       /* [truncated], [pruned] */

enum flame_kind {
#define X(id, name) FLAME_##id,
    FLAME_KINDS(X)
#undef X
        FLAME_KIND_COUNT,
};

struct flame_frame {
    const char *name; /* borrowed for the call */
    enum flame_kind kind;
};

/* The page's header. Strings are borrowed; NULL or "" is left out. */
struct flame_header {
    const char *pod, *container, *node; /* "namespace/name", ... */
    const char *target;                 /* by hand: "pid 1234 (redis-server)" */
    const char *started;                /* RFC 3339, UTC */
    const char *kernel;                 /* release of the node's kernel */
    const char *version;                /* of the agent */
    int64_t duration_ms, frequency;
    int64_t samples, lost, truncated, unknown, processes;
    const char *notes[FLAME_NOTES_MAX]; /* what limited the profile, "12 samples ..."; NULL ends */
};

struct flame;
struct flame *flame_new(void);
void flame_free(struct flame *f); /* NULL is fine */

/* Adds one stack, root first, seen @count times. n == 0 is ignored. */
void flame_add(struct flame *f, const struct flame_frame *frames, size_t n, uint64_t count);

uint64_t flame_samples(const struct flame *f);

/* "root;caller;leaf count\n" lines, depth first, siblings by name; ';' in names becomes ':'. The
 * counts add up to flame_samples(). -EIO when out fails. */
int flame_write_folded(const struct flame *f, FILE *out, struct err *e) WARN_UNUSED;

/* The page, raw. -ENOSPC past out's cap. */
int flame_write_html(const struct flame *f, const struct flame_header *header, struct buf *out,
                     struct err *e) WARN_UNUSED;

/*
 * The page gzip'ed, at most @max bytes. The smallest frames are merged into [pruned] frames until
 * it fits; *ret_pruned is the number of samples whose leaf was lost that way or to the bounds
 * above, and the page says it too. -EFBIG when even a page with nothing but the root does not fit;
 * @out is then unchanged. Appends; -ENOSPC past the cap of @out.
 */
int flame_write_html_gz(const struct flame *f, const struct flame_header *header, size_t max,
                        struct buf *out, int64_t *ret_pruned, struct err *e) WARN_UNUSED;
