/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps SIGPIPE away from a program that never asked for it. Ignoring the signal for the whole process would be the
 * program's decision, not a library's: so either the descriptor is told not to raise it, or the one thread that writes
 * blocks it and takes back the one it has raised. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "posix/sigpipe.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <time.h>
#include <unistd.h>

#if defined(F_SETNOSIGPIPE)

void fy_sigpipe_prepare(int fd) {
    /* A descriptor that refuses is of a kind that raises no SIGPIPE. */
    (void)fcntl(fd, F_SETNOSIGPIPE, 1);
}

ssize_t fy_sigpipe_write(int fd, const void *data, size_t size) {
    return write(fd, data, size);
}

#else

void fy_sigpipe_prepare(int fd) {
    (void)fd;
}

static bool is_pending(void) {
    sigset_t pending;
    return sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1;
}

static void take_back(const sigset_t *sigpipe) {
#if defined(__OpenBSD__)
    int taken;
    if (is_pending())
        sigwait(sigpipe, &taken);
#else
    while (sigtimedwait(sigpipe, NULL, &(struct timespec){0}) < 0 && errno == EINTR)
        continue;
#endif
}

ssize_t fy_sigpipe_write(int fd, const void *data, size_t size) {
    sigset_t sigpipe, mask;
    sigemptyset(&sigpipe);
    sigaddset(&sigpipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &sigpipe, &mask);
    /* One that is pending already is the program's, and only a program that blocks it has one. */
    bool was_pending = sigismember(&mask, SIGPIPE) == 1 && is_pending();
    ssize_t written = write(fd, data, size);
    int error = errno;
    if (written < 0 && error == EPIPE && !was_pending)
        take_back(&sigpipe);
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    errno = error;
    return written;
}

#endif
