/* SPDX-License-Identifier: Apache-2.0 */
/* The console's events as signals: Ctrl-C is SIGINT, Ctrl-Break is SIGBREAK, and the end of the console, of the session
 * or of the system is SIGTERM. The system calls the handler on a thread of its own, so a plain lock will do.
 *
 * The handler is installed once and stays: to remove it takes a lock of the system's that is held while handlers run,
 * and those want ours. While nobody wants a signal it passes the event on. */
#include <winsock2.h>
#include <windows.h>

#include <errno.h>
#include <signal.h>
#include <stdbool.h>

#include "seam/platform.h"

#ifndef SIGBREAK
#define SIGBREAK 21
#endif

static SRWLOCK lock = SRWLOCK_INIT;

/* Under the lock. */
static bool is_open[FY_SIGNALS];
static bool is_installed;
static void (*tell_arrival)(int signum);

static int signal_of(DWORD event) {
    switch (event) {
    case CTRL_C_EVENT:
        return SIGINT;
    case CTRL_BREAK_EVENT:
        return SIGBREAK;
    case CTRL_CLOSE_EVENT:
    case CTRL_LOGOFF_EVENT:
    case CTRL_SHUTDOWN_EVENT:
        return SIGTERM;
    default:
        return 0;
    }
}

/* After the end of the console the system ends the process as soon as this returns, and after a few seconds anyway:
 * those are the loop's. */
static BOOL WINAPI handle_event(DWORD event) {
    int signum = signal_of(event);
    fy_signals_lock();
    bool is_wanted = is_open[signum];
    if (is_wanted)
        tell_arrival(signum);
    fy_signals_unlock();
    if (is_wanted && signum == SIGTERM)
        Sleep(INFINITE);
    return is_wanted;
}

void fy_signals_lock(void) {
    AcquireSRWLockExclusive(&lock);
}

void fy_signals_unlock(void) {
    ReleaseSRWLockExclusive(&lock);
}

ferry_status fy_signal_open(int signum, void (*arrived)(int signum)) {
    if (signum != SIGINT && signum != SIGBREAK && signum != SIGTERM)
        return EINVAL;
    if (!is_installed && !SetConsoleCtrlHandler(handle_event, TRUE))
        return EINVAL;
    is_installed = true;
    tell_arrival = arrived;
    is_open[signum] = true;
    return 0;
}

void fy_signal_close(int signum) {
    is_open[signum] = false;
}
