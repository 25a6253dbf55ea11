/* SPDX-License-Identifier: Apache-2.0 */
/*
 * err: the one way a function says why it failed.
 *
 * A fallible function returns 0 or a negative errno and takes a caller-owned `struct err` last. The
 * message says what was being done, on which object, quoted; callers prefix their own context with
 * err_wrap(). Nothing allocates on the failing path. Library code never logs: the caller that ends
 * the chain (a loop, an HTTP handler, main) logs once.
 */
#pragma once

#define PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define WARN_UNUSED       __attribute__((warn_unused_result))

struct err {
    int code; /* 0 or a negative errno */
    char msg[512];
};

/* Sets code (negative errno) and message; returns code. A too long message is cut, never overrun.
 */
int err_set(struct err *e, int code, const char *fmt, ...) PRINTF(3, 4);

/* Prefixes "<context>: " to the message; returns the code that was set before. */
int err_wrap(struct err *e, const char *fmt, ...) PRINTF(2, 3);

/* The text of a positive or negative errno; thread-safe, never NULL. */
const char *err_text(int errnum);
