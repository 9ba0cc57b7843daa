/* SPDX-License-Identifier: Apache-2.0 */
/* What a port supplies besides a backend: clock, threads, locks, parking and what the machine offers. Chosen at link
 * time by folder (src/posix, src/win32), so that common code calls plain functions and never asks which system this is.
 * The public ferry_thread_sleep of ferry/base.h is the port's too.
 *
 * native.h is the port's as well. It defines, because their size or their speed needs it in a header: the types
 * fy_handle, fy_file_native, fy_op_native, fy_mutex, fy_cond and fy_parker, and the functions marked "inline" below. */
#ifndef FERRY_SEAM_PLATFORM_H
#define FERRY_SEAM_PLATFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ferry/base.h"
#include "native.h"

/* ---- clock ---- */

/* Microseconds on the monotonic clock that every loop uses. Never goes back.
 * Thread: any, signal-safe. */
int64_t fy_clock_now(void);

/* The time so long after another one; FERRY_FOREVER if that is beyond all times. */
static inline int64_t fy_time_after(int64_t time_us, int64_t delay_us) {
    return delay_us < FERRY_FOREVER - time_us ? time_us + delay_us : FERRY_FOREVER;
}

/* These two follow from the clock, whatever port it is (deadline.c).
 *
 * The deadline of a timeout that begins now; FERRY_FOREVER of that, without a look at the clock.
 * Thread: any, signal-safe. */
int64_t fy_deadline_after(int64_t timeout_us);

/* Microseconds from now until `deadline_us`: 0 if it has passed (without a look at the clock if the deadline is not
 * positive), FERRY_FOREVER if it is that.
 * Thread: any, signal-safe. */
int64_t fy_clock_left(int64_t deadline_us);

/* A counter that is cheap to read (some 10 ns) and only good for coarse intervals: it may stand still while the machine
 * sleeps, and two processors may disagree a little, so a difference may come out negative. For spinning and statistics,
 * never for deadlines. Inline.
 * Thread: any, signal-safe. */
static inline uint64_t fy_clock_ticks(void);

/* How many ticks make a microsecond, at least 1, rounded. The first call may take 100 µs to measure it.
 * Thread: any. */
uint64_t fy_clock_ticks_per_us(void);

/* ---- threads ---- */

/* A number that no other living thread has. A thread made later may have it again. Inline.
 * Thread: any, signal-safe. */
static inline uintptr_t fy_thread_self(void);

/* Names the calling thread for debuggers and process lists. The system may keep only the beginning (15 bytes on Linux);
 * a system that cannot name threads ignores it. */
void fy_thread_set_name(const char *name);

/* Which signals a thread holds back, as fy_signal_mask (native.h): what of its starter's state a new thread inherits,
 * and one that is kept must be given. Where a thread has no such thing, nothing happens. */
fy_signal_mask fy_thread_signals(void);
void fy_thread_set_signals(const fy_signal_mask *mask);

/* Holds all of them back. */
void fy_thread_hold_signals(void);

typedef struct fy_exit_call {
    void (*run)(void *arg);
    void *arg;
} fy_exit_call;

/* Has `call->run(call->arg)` called when the calling thread has ended but for its last few instructions: after its
 * start function has returned and whatever library made the thread is done with it. Once per thread. What `call` points
 * to is the caller's, and lives until then; thread-local variables may not.
 * Returns: 0, APR_ENOMEM, or an OS code. */
ferry_status fy_thread_at_exit(fy_exit_call *call);

/* Has `run` called when the process exits by exit() or by the end of main, while its other threads still run. Once per
 * process.
 *
 * Returns: 0, APR_ENOMEM. */
ferry_status fy_process_at_exit(void (*run)(void));

/* Offers the processor to another thread that is ready to run. */
void fy_thread_yield(void);

/* Tells the processor that this is a spinning loop. Inline. */
static inline void fy_cpu_relax(void);

/* Has the processor begin to fetch the cache line at `address`, to be written soon. Any address will do. Inline. */
static inline void fy_cpu_fetch_to_write(const void *address);

/* Differs between a process and its children by fork, and from every value that the child's parents had. An object that
 * notes it when it is made can tell later that it was inherited. Not 0. Does not see children made by vfork or by a
 * bare clone. Inline.
 * Thread: any. */
static inline unsigned fy_fork_generation(void);

/* Whether that is still the generation that fy_fork_generation has told once. One comparison. Inline. */
static inline bool fy_is_fork_generation(unsigned generation);

/* ---- signals ---- */

/* Their numbers are <signal.h>'s, from 1 to FY_SIGNALS - 1. */
enum { FY_SIGNALS = 128 };

/* Has `arrived(signum)` called whenever the signal comes in: with the lock below held; on POSIX in signal context, on
 * any thread; on Windows on a thread of the system's. One function for all signals.
 *
 * Returns: 0, APR_EINVAL (no such signal, or one that cannot be caught), or an OS code.
 * Thread:  any, with the lock held. */
ferry_status fy_signal_open(int signum, void (*arrived)(int signum));

/* Whether the signal does what it does by itself: the process neither handles nor ignores it.
 * Thread: any, with the lock held. */
bool fy_signal_is_default(int signum);

/* Puts back what the process had set for the signal. Thread: any, with the lock held. */
void fy_signal_close(int signum);

/* What is changed under this lock may be read by `arrived`: whoever holds it is not interrupted by a signal. It is held
 * for a few instructions at a time, and free in a child made by fork. */
void fy_signals_lock(void);
void fy_signals_unlock(void);

/* ---- environment ---- */

/* More of a variable is not looked at. */
enum { FY_ENVIRONMENT_SIZE = 1024 };

/* The variable's value, or NULL. It may stand in `buffer`. Here, because a C library may keep a copy of its own, which
 * shows nothing of what the program has set by the system's call.
 * Thread: any, while nobody changes the environment. */
const char *fy_environment(const char *name, char buffer[FY_ENVIRONMENT_SIZE]);

/* Takes it out, if it is there. Thread: any, while nobody else looks at the environment. */
void fy_environment_unset(const char *name);

/* ---- processors ---- */

/* How many processors this process may run on, by the calling thread's affinity mask. At least 1. */
unsigned fy_cpu_affinity(void);

/* How many processors' worth of time it may use: the affinity, or the quota of its control groups (rounded up) if that
 * is less. At least 1. Reads files: ask once. */
unsigned fy_cpu_usable(void);

/* ---- locks ----
 *
 * fy_mutex is not recursive. Both may be moved only while nobody uses them. All are inline but for the timed wait. */

/* Returns: 0, APR_ENOMEM, or an OS code. */
static inline ferry_status fy_mutex_init(fy_mutex *mutex);
static inline void fy_mutex_fini(fy_mutex *mutex);
static inline void fy_mutex_lock(fy_mutex *mutex);
static inline void fy_mutex_unlock(fy_mutex *mutex);

/* Returns: 0, APR_ENOMEM, or an OS code. */
ferry_status fy_cond_init(fy_cond *cond);

/* Nobody waits. Not in a child made by fork while the parent's threads waited: it could block for ever. */
static inline void fy_cond_fini(fy_cond *cond);

/* Waits with the mutex held; may return with no signal. */
static inline void fy_cond_wait(fy_cond *cond, fy_mutex *mutex);

/* The same until `deadline_us` on fy_clock_now's clock at the latest, never early for its sake; FERRY_FOREVER is no
 * limit. Returns false once the deadline has passed. */
bool fy_cond_wait_until(fy_cond *cond, fy_mutex *mutex, int64_t deadline_us);

static inline void fy_cond_signal(fy_cond *cond);
static inline void fy_cond_broadcast(fy_cond *cond);

/* ---- parking ----
 *
 * A parker holds at most one token. Only its owner parks on it; anyone unparks. What was written before the unpark that
 * left a token is seen after the park that took it. */

/* Returns: 0, APR_ENOMEM, or an OS code. */
ferry_status fy_parker_init(fy_parker *parker);

/* No unpark is under way and none will come. */
void fy_parker_fini(fy_parker *parker);

/* Takes the token and returns true; blocks for it until `deadline_us` on fy_clock_now's clock (a time in the past does
 * not block, FERRY_FOREVER is no limit). False: no token was there; either the deadline has passed or the return is
 * spurious, so the caller looks at what it waits for and at the clock. */
bool fy_park(fy_parker *parker, int64_t deadline_us);

/* Leaves a token, or does nothing if one is there, and lets a parked owner go. The parker must live until this returns.
 * Thread: any. */
void fy_unpark(fy_parker *parker);

#endif
