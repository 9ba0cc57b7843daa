/* SPDX-License-Identifier: Apache-2.0 */
/* Signals as far as Windows has them: those that the C library makes of Ctrl-C and Ctrl-Break, on a thread of the
 * system's, and those that a program raises itself. The others are faults, or never come. */
#include <errno.h>
#include <signal.h>

#include "seam/platform.h"

static SRWLOCK lock = SRWLOCK_INIT;

/* Under the lock. */
static bool is_open[FY_SIGNALS];
static void (*before[FY_SIGNALS])(int);
static void (*tell_arrival)(int signum);

void fy_signals_lock(void) {
    AcquireSRWLockExclusive(&lock);
}

void fy_signals_unlock(void) {
    ReleaseSRWLockExclusive(&lock);
}

/* The C library forgets a handler when it calls it. Whoever wanted the signal may have gone since, and what was set
 * before is back: then it stays. */
static void handle_signal(int signum) {
    fy_signals_lock();
    if (is_open[signum])
        (void)signal(signum, handle_signal);
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
    is_open[signum] = true;
    before[signum] = previous;
    tell_arrival = arrived;
    return 0;
}

#if defined(_MSC_VER)

bool fy_signal_is_default(int signum) {
    return signal(signum, SIG_GET) == SIG_DFL;
}

#else

/* Other C libraries tell what is set only to whoever sets something. */
bool fy_signal_is_default(int signum) {
    void (*now)(int) = signal(signum, SIG_DFL);
    if (now == SIG_DFL)
        return true;
    if (now != SIG_ERR)
        (void)signal(signum, now);
    return false;
}

#endif

void fy_signal_close(int signum) {
    is_open[signum] = false;
    (void)signal(signum, before[signum]);
}
