/* SPDX-License-Identifier: Apache-2.0 */
/*
 * result: how an agent hands its result to the reconciler, through the log of its pod.
 *
 * The stream is text. Lines that start with RESULT_PREFIX belong to it; all others (log lines,
 * stderr of the same pod) are skipped. In order:
 *
 *   podflame/1 header {"bytes":N,"sha256":"...","profile":{...}}    N: length of the gzip'ed page
 *   podflame/1 data   <base64, at most RESULT_LINE_BYTES bytes decoded>   repeated
 *   podflame/1 end    {"lines":M}
 *
 * or, instead of all that, one line:
 *
 *   podflame/1 error  {"reason":"TargetGone","message":"..."}
 *
 * The reader believes nothing: a result counts only when the end line, the length and the digest
 * agree. Any bytes may be fed to the decoder, in pieces of any size; its memory is bounded.
 */
#pragma once

#include "lib/buf.h"
#include "lib/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RESULT_PREFIX "podflame/1 "

enum {
    RESULT_LINE_BYTES = 6144, /* 8 KiB of base64: half of where container runtimes split lines */
    RESULT_PAGE_MAX =
        768 * 1024, /* gzip'ed page: 1 MiB of base64, what a PodFlame's status may hold */
    RESULT_TEXT_LINE_MAX = 64 * 1024, /* a longer line is not ours and is skipped */
    RESULT_RUNTIMES_MAX = 16,
};

/* What the agent can fail with. Each is a condition reason, so the names are API. */
#define RESULT_REASONS(X)                                                                          \
    X(TARGET_GONE, "TargetGone")      /* no process of the container is left */                    \
    X(NO_PERMISSION, "NoPermission")  /* a capability is missing, or the kernel is locked down */  \
    X(KERNEL_TOO_OLD, "KernelTooOld") /* no BTF, no ring buffer, no perf events */                 \
    X(NO_SAMPLES, "NoSamples")        /* it ran, and the container used no CPU at all */           \
    X(RESULT_TOO_LARGE, "ResultTooLarge") /* pruning could not bring the page under the bound */   \
    X(INTERNAL, "AgentFailed")

enum result_reason {
#define X(id, name) RESULT_##id,
    RESULT_REASONS(X)
#undef X
        RESULT_REASON_COUNT,
};

const char *result_reason_name(enum result_reason reason);

/*
 * What limited a profile, by kind: its name in status.profile.notes, what is counted, and the text
 * for people. The names are API. A note that is 0 is not shown.
 */
#define RESULT_NOTES(X)                                                                            \
    X(LOST_BUFFER_FULL, "lostBufferFull", "sample", "lost: the ring buffer was full")              \
    X(LOST_EXITING, "lostExiting", "sample", "lost: the process had given back its pid")           \
    X(LOST_PROCESSES, "lostTooManyProcesses", "sample", "lost: too many processes ran at once")    \
    X(LOST_ROOM, "lostNoRoom", "sample", "lost: no room for another stack")                        \
    X(TOO_DEEP, "truncatedTooDeep", "sample", "truncated: more callers than are recorded")         \
    X(NO_CODE, "truncatedNoCode", "sample", "truncated: the caller lies in no code")               \
    X(NO_RULE, "truncatedNoRule", "sample", "truncated: nothing tells who the caller is")          \
    X(NO_READ, "truncatedUnreadable", "sample", "truncated: the stack could not be read")          \
    X(TOO_COSTLY, "truncatedTooCostly", "sample", "truncated: it takes too long to walk")          \
    X(NO_ROOM, "truncatedNoRoom", "sample", "truncated: too many different stacks")                \
    X(FRAME_POINTERS, "framePointersOnly", "sample", "walked by frame pointers alone")             \
    X(UNMAPPED, "unknownMapping", "sample", "in code of which nothing is known")                   \
    X(MERGED, "mergedProcesses", "process", "merged by name, without a pid")                       \
    X(NOT_FOLLOWED, "processesNotFollowed", "process", "not followed: too many ran at once")       \
    X(EVENTS_LOST, "eventsLost", "event", "lost (exec, exit): the ring buffer was full")           \
    X(PUT_OFF, "readingsPutOff", "look", "at memory maps put off: they changed too often")         \
    X(FUNCTIONS_PUT_OFF, "functionsPutOff", "look", "at functions put off: there were too many")   \
    X(MAPS_CUT, "mapsCut", "memory map", "read in part: too many mappings")                        \
    X(TABLES_FULL, "unwindTablesFull", "file or process", "without room in the unwind tables")     \
    X(IMAGES_UNREADABLE, "filesUnreadable", "file", "of the target that could not be opened")      \
    X(IMAGES_LEFT_OUT, "filesLeftOut", "mapping", "of files beyond the number that are kept open") \
    X(DEBUG_REFUSED, "debugFilesRefused", "debug file", "spoilt, or of another program")           \
    X(INLINES_CUT, "inlinedCut", "file", "whose inlined functions are not all shown")              \
    X(NAMES_MANGLED, "namesMangled", "name", "left as the linker has it")                          \
    X(NAMES_LEFT_OUT, "namesLeftOut", "name", "left out: they were too many, or took too long")

enum result_note {
#define X(id, name, unit, text) RESULT_NOTE_##id,
    RESULT_NOTES(X)
#undef X
        RESULT_NOTE_COUNT,
};

const char *result_note_name(enum result_note note);

/* "12 samples lost: the ring buffer was full" */
int result_note_print(enum result_note note, int64_t count, struct buf *out) WARN_UNUSED;

/* How good the profile is. Counts are of samples, except where the name says otherwise. */
struct result_profile {
    int64_t samples;     /* taken and kept */
    int64_t lost;        /* dropped because a buffer or table was full */
    int64_t truncated;   /* whose stack stops before its root */
    int64_t unknown;     /* whose leaf frame has no name */
    int64_t pruned;      /* merged into [pruned] frames to meet RESULT_PAGE_MAX */
    int64_t processes;   /* distinct processes seen */
    int64_t frequency;   /* Hz */
    int64_t duration_ms; /* measured, first to last moment of sampling */
    int64_t bytes;       /* of the gzip'ed page */
    char runtimes[RESULT_RUNTIMES_MAX][64]; /* "native", "go", "python 3.11"; "" ends the list */
    int64_t notes[RESULT_NOTE_COUNT];       /* by enum result_note */
};

/* Appends the whole stream of a success; -ENOSPC past out's cap, -EFBIG when len > RESULT_PAGE_MAX.
 */
int result_encode(const struct result_profile *profile, const void *page_gz, size_t len,
                  struct buf *out) WARN_UNUSED;

/* Appends the stream of a failure. */
int result_encode_error(enum result_reason reason, const char *message,
                        struct buf *out) WARN_UNUSED;

struct json_object;
/* {"samples":..., ...}: the form of status.profile and of the header line. Owned by the caller. */
struct json_object *result_profile_to_json(const struct result_profile *profile);

enum result_state {
    RESULT_NONE,       /* no line of the stream yet */
    RESULT_INCOMPLETE, /* header seen, no end line */
    RESULT_BROKEN,     /* the lines contradict each other; see decoder->why */
    RESULT_FAILED,     /* an error line: decoder->reason and ->message */
    RESULT_COMPLETE,   /* page_gz holds the page, digest checked */
};

struct result_decoder {
    enum result_state state;
    struct result_profile profile;
    struct buf page_gz;
    char reason[64]; /* of RESULT_FAILED: a valid condition reason (letters and digits) */
    char message[1024];
    char why[160]; /* of RESULT_BROKEN */
    struct buf line;
    int64_t expect_bytes, n_lines;
    char sha256[65];
    bool skipping; /* inside a line that is too long */
};

void result_decoder_init(struct result_decoder *d);
void result_decoder_release(struct result_decoder *d);
void result_decoder_feed(struct result_decoder *d, const void *data, size_t len);
/* Call at the end of the log: takes a last line without a newline in, then the state is final. */
enum result_state result_decoder_finish(struct result_decoder *d);
