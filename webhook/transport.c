/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/transport.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum { PIECES_MAX = 16 };

/* ---- from the socket ---- */

static ssize_t take_ahead(struct transport *t, void *to, size_t len)
{
    size_t n = t->n_ahead < len ? t->n_ahead : len;

    memcpy(to, t->ahead_bytes + t->ahead, n);
    t->ahead += n;
    t->n_ahead -= n;
    return (ssize_t)n;
}

static ssize_t pull(gnutls_transport_ptr_t ptr, void *to, size_t len)
{
    struct transport *t = ptr;
    struct iovec pieces[] = { { to, len }, { t->ahead_bytes, sizeof(t->ahead_bytes) } };
    bool is_head = len <= sizeof(t->ahead_bytes);
    struct msghdr message = { .msg_iov = pieces, .msg_iovlen = is_head ? 1 : 2 };

    if (t->n_ahead > 0)
        return take_ahead(t, to, len);
    ssize_t got = recvmsg(t->fd, &message, 0);
    if (got <= 0 || (size_t)got <= len)
        return got;
    t->ahead = 0;
    t->n_ahead = (size_t)got - len;
    return (ssize_t)len;
}

/* GnuTLS asks before it reads; bytes that are here already need no waiting. */
static int wait_for_bytes(gnutls_transport_ptr_t ptr, unsigned ms)
{
    const struct transport *t = ptr;
    struct pollfd p = { .fd = t->fd, .events = POLLIN };

    return t->n_ahead > 0 ? 1 : poll(&p, 1, ms == GNUTLS_INDEFINITE_TIMEOUT ? -1 : (int)ms);
}

/* ---- to the socket ---- */

static bool hold(struct transport *t, const giovec_t *pieces, int n, size_t len)
{
    if (!t->hold || len > sizeof(t->held_bytes) - t->n_held)
        return false;
    t->hold = false;
    for (int i = 0; i < n; i++) {
        memcpy(t->held_bytes + t->n_held, pieces[i].iov_base, pieces[i].iov_len);
        t->n_held += pieces[i].iov_len;
    }
    return true;
}

/* What of @sent bytes was held before, and stays for the next try when it is not gone. */
static ssize_t without_held(struct transport *t, ssize_t sent)
{
    if (sent < 0)
        return sent;
    if ((size_t)sent > t->n_held) {
        sent -= (ssize_t)t->n_held;
        t->n_held = 0;
        return sent;
    }
    t->n_held -= (size_t)sent;
    memmove(t->held_bytes, t->held_bytes + sent, t->n_held);
    errno = EAGAIN;
    return -1;
}

static ssize_t push(gnutls_transport_ptr_t ptr, const giovec_t *pieces, int n)
{
    struct transport *t = ptr;
    struct iovec all[PIECES_MAX + 1] = { { t->held_bytes, t->n_held } };
    struct msghdr message = { .msg_iov = all };
    size_t len = 0;

    n = n < PIECES_MAX ? n : PIECES_MAX; /* what is left is sent by the next call */
    for (int i = 0; i < n; i++) {
        all[i + 1] = (struct iovec){ pieces[i].iov_base, pieces[i].iov_len };
        len += pieces[i].iov_len;
    }
    if (hold(t, pieces, n, len))
        return (ssize_t)len;
    t->hold = false;
    message.msg_iovlen = (size_t)n + 1;
    return without_held(t, sendmsg(t->fd, &message, MSG_NOSIGNAL));
}

void transport_init(struct transport *t, int fd, gnutls_session_t session)
{
    t->fd = fd;
    t->hold = false;
    t->n_held = t->ahead = t->n_ahead = 0;
    gnutls_transport_set_ptr(session, t);
    gnutls_transport_set_pull_function(session, pull);
    gnutls_transport_set_pull_timeout_function(session, wait_for_bytes);
    gnutls_transport_set_vec_push_function(session, push);
}

void transport_hold_next(struct transport *t)
{
    t->hold = true;
}
