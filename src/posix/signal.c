/* SPDX-License-Identifier: Apache-2.0 */
/* Signals by sigaction. It decides how an arrival and a thread that changes who wants what keep apart: by a lock that
 * spins, since an arrival interrupts a thread at any instruction and must not sleep.
 *
 * The lock's word is 0 or the fork generation of the process whose thread holds it, so in a child a lock that a thread
 * of the parent held is free. A thread that takes it blocks all signals first, and an arrival runs with all blocked: so
 * nobody who holds it is interrupted by somebody who wants it. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "seam/platform.h"

static _Atomic unsigned lock_word;

/* Under the lock. */
static sigset_t blocked_before; /* of the thread that holds it */
static struct sigaction before[FY_SIGNALS];
static void (*tell_arrival)(int signum);

static void acquire(void) {
    unsigned mine = fy_fork_generation();
    for (;;) {
        unsigned holder = atomic_load_explicit(&lock_word, memory_order_relaxed);
        if (holder != mine &&
            atomic_compare_exchange_weak_explicit(&lock_word, &holder, mine, memory_order_acquire,
                                                  memory_order_relaxed))
            return;
        fy_cpu_relax();
    }
}

static void release(void) {
    atomic_store_explicit(&lock_word, 0, memory_order_release);
}

void fy_signals_lock(void) {
    sigset_t all, blocked;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &blocked);
    acquire();
    blocked_before = blocked;
}

void fy_signals_unlock(void) {
    sigset_t blocked = blocked_before;
    release();
    pthread_sigmask(SIG_SETMASK, &blocked, NULL);
}

/* Whom it interrupts may be about to look at errno. */
static void handle_signal(int signum) {
    int error = errno;
    acquire();
    if (tell_arrival)
        tell_arrival(signum);
    release();
    errno = error;
}

/* A thread that has a stack for signals may be on one of its own that has no room for them. */
ferry_status fy_signal_open(int signum, void (*arrived)(int signum)) {
    struct sigaction action = {.sa_handler = handle_signal, .sa_flags = SA_RESTART | SA_ONSTACK};
    sigfillset(&action.sa_mask);
    tell_arrival = arrived;
    return sigaction(signum, &action, &before[signum]) == 0 ? 0 : errno;
}

bool fy_signal_is_default(int signum) {
    struct sigaction action;
    return sigaction(signum, NULL, &action) == 0 && !(action.sa_flags & SA_SIGINFO) && action.sa_handler == SIG_DFL;
}

void fy_signal_close(int signum) {
    (void)sigaction(signum, &before[signum], NULL); /* cannot fail: the signal was caught */
}
