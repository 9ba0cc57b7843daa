/* SPDX-License-Identifier: Apache-2.0 */
/* Signals as far as Windows has them: those that the C library makes of Ctrl-C and Ctrl-Break, on a thread of the
 * system's, and those that a program raises itself. The others are faults, or never come. */
#include <errno.h>
#include <signal.h>

#include "seam/platform.h"

static SRWLOCK lock = SRWLOCK_INIT;

/* Under the lock. */
static void (*before[FY_SIGNALS])(int);
static void (*tell_arrival)(int signum);

void fy_signals_lock(void) {
    AcquireSRWLockExclusive(&lock);
}

void fy_signals_unlock(void) {
    ReleaseSRWLockExclusive(&lock);
}

/* The C library forgets a handler when it calls it. */
static void handle_signal(int signum) {
    signal(signum, handle_signal);
    fy_signals_lock();
    if (tell_arrival)
        tell_arrival(signum);
    fy_signals_unlock();
}

ferry_status fy_signal_open(int signum, void (*arrived)(int signum)) {
    if (signum != SIGINT && signum != SIGTERM && signum != SIGBREAK)
        return EINVAL;
    void (*previous)(int) = signal(signum, handle_signal);
    if (previous == SIG_ERR)
        return errno;
    before[signum] = previous;
    tell_arrival = arrived;
    return 0;
}

/* The C library tells what is set only to whoever sets something. */
bool fy_signal_is_default(int signum) {
    void (*now)(int) = signal(signum, SIG_DFL);
    if (now == SIG_DFL)
        return true;
    if (now != SIG_ERR)
        (void)signal(signum, now);
    return false;
}

void fy_signal_close(int signum) {
    (void)signal(signum, before[signum]);
}
