/* SPDX-License-Identifier: Apache-2.0 */
/* The event loop: callbacks, timers, threads' one door into it, and how it is run, embedded and closed.
 *
 * A loop belongs to the thread that runs it. While it runs, "Thread: loop" calls made from another thread are refused
 * with FERRY_EWRONGTHREAD; while it does not run, whichever single thread uses it is its thread. In a child made by
 * fork every call answers FERRY_EFORKED; only close and unref are of use there. */
#ifndef FERRY_LOOP_H
#define FERRY_LOOP_H

#include "ferry/base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ferry_loop ferry_loop;
typedef struct ferry_future ferry_future;

/* Something that was posted and may be cancelled before it runs (`asyncio.Handle`, `asyncio.TimerHandle`). */
typedef struct ferry_handle ferry_handle;

/* What a loop runs. A status other than 0 is an error that escaped: it goes to the loop's exception handler. */
typedef ferry_status ferry_callback(void *arg);

/* ---- making and ending ---- */

typedef struct ferry_loop_options {
    size_t size;                        /* of this struct; FERRY_LOOP_OPTIONS sets it */
    const char *backend;                /* NULL: the environment's FERRY_BACKEND, else the platform's best */
    bool debug;                         /* as ferry_loop_set_debug */
    int64_t slow_callback_duration_us;  /* 0: 100,000 */
} ferry_loop_options;

#define FERRY_LOOP_OPTIONS .size = sizeof(ferry_loop_options)

/* Sets every option to its default, for languages without designated initializers.
 * Thread: any. */
FERRY_API void ferry_loop_options_init(ferry_loop_options *options);

/* Makes a loop (`asyncio.new_event_loop`); NULL options are the defaults.
 *
 * Owns:    *ret_loop is one reference: ferry_loop_close it, then ferry_loop_unref it.
 * Returns: 0, APR_EINVAL (options of an unknown size; an unknown backend, and then a line on stderr says which there
 *          are), APR_ENOMEM, or what the system said.
 * Thread:  any. */
FERRY_API ferry_status ferry_loop_create(const ferry_loop_options *options, ferry_loop **ret_loop);

/* One more, one less reference. The last one closes a loop that is still open, as ferry_loop_close would; one that
 * runs, when its run ends. Takes NULL. Thread: any; the last one: loop. */
FERRY_API ferry_loop *ferry_loop_ref(ferry_loop *loop);
FERRY_API void ferry_loop_unref(ferry_loop *loop);
FERRY_AUTO_BY(ferry_loop, ferry_loop_unref)

/* Closes the loop (`loop.close`): what is posted and not yet run is dropped, timers too; the default executor is shut
 * down without waiting, jobs already queued on it still run, and what they return is dropped. Closing again does
 * nothing. In debug mode whatever is still pending is reported to the exception handler by origin.
 *
 * Returns: 0, FERRY_EINVALIDSTATE (running), FERRY_EWRONGTHREAD.
 * Thread:  loop. */
FERRY_API ferry_status ferry_loop_close(ferry_loop *loop);

/* Thread: any. */
FERRY_API bool ferry_loop_is_running(const ferry_loop *loop);
FERRY_API bool ferry_loop_is_closed(const ferry_loop *loop);

/* The backend this loop runs on, e.g. "epoll". Thread: any. */
FERRY_API const char *ferry_loop_backend(const ferry_loop *loop);

/* The backends that are built in, best first, ended by NULL. Thread: any. */
FERRY_API const char *const *ferry_backend_names(void);

/* ---- running ---- */

/* Runs until ferry_loop_stop (`loop.run_forever`). If stop was called before, exactly one turn is made, without
 * blocking.
 *
 * Returns: 0, FERRY_ECLOSED, FERRY_EINVALIDSTATE (this or another loop runs on this thread already), FERRY_EWRONGTHREAD
 *          (it runs on another one), FERRY_EFORKED, or what the system said when it could not be waited for.
 * Thread:  loop. */
FERRY_API ferry_status ferry_loop_run_forever(ferry_loop *loop);

/* Runs until `future` is done (`loop.run_until_complete`). The future's outcome is for its own accessors to tell.
 *
 * Owns:    the future stays yours.
 * Returns: 0 once it is done; FERRY_EINVALIDSTATE (stopped before it was done; it stays pending and may be run again;
 *          or as run_forever), FERRY_EWRONGLOOP, APR_EINVAL, and as run_forever.
 * Thread:  loop. */
FERRY_API ferry_status ferry_loop_run_until_complete(ferry_loop *loop, ferry_future *future);

/* Ends run_forever after the current turn (`loop.stop`). On a loop that does not run: the next run makes one turn.
 * Thread: loop. */
FERRY_API ferry_status ferry_loop_stop(ferry_loop *loop);

/* The loop that is running on this thread, or NULL (`asyncio.get_running_loop`). Thread: any. */
FERRY_API ferry_loop *ferry_running_loop(void);

/* Microseconds on the loop's clock (`loop.time`), as it stood when the current turn last looked; fresh between turns.
 * Thread: loop. */
FERRY_API int64_t ferry_loop_time(ferry_loop *loop);

/* ---- signals ---- */

/* Runs `callback` on the loop after each arrival of the signal (`loop.add_signal_handler`), as any callback, never in
 * signal context. Arrivals in quick succession may run it once. A second call for the same signal replaces the first.
 * Every loop that has a handler for the signal runs it, whichever thread it came to. What the process had set for the
 * signal before is put back when the last handler is removed, or its loop closed. A child made by fork does not run the
 * parent's handlers.
 *
 * On Windows the signals are SIGINT (Ctrl-C), SIGBREAK (Ctrl-Break) and SIGTERM (the console is closed, the user logs
 * off, the system shuts down: the process then has a few seconds).
 *
 * Owns:    arg stays yours.
 * Returns: 0, APR_EINVAL (no such signal, or one that cannot be caught), APR_ENOMEM, FERRY_ECLOSED, FERRY_EWRONGTHREAD,
 *          FERRY_EFORKED, or what the system said.
 * Thread:  loop. */
#define ferry_add_signal_handler(loop, signum, callback, arg) \
    ferry_add_signal_handler_from(FERRY_HERE, loop, signum, callback, arg)
FERRY_API ferry_status ferry_add_signal_handler_from(const char *origin, ferry_loop *loop, int signum,
                                                     ferry_callback *callback, void *arg);

/* Takes it back (`loop.remove_signal_handler`): the callback will not run any more. Returns whether there was one.
 * Thread: loop. */
FERRY_API bool ferry_remove_signal_handler(ferry_loop *loop, int signum);

/* ---- embedding: another loop drives this one ---- */

/* Makes one turn, which blocks for at most `timeout_us` (0: not at all; FERRY_FOREVER: until there is something).
 *
 * Returns: as run_forever.
 * Thread:  loop. */
FERRY_API ferry_status ferry_loop_run_once(ferry_loop *loop, int64_t timeout_us);

/* What another loop polls for reading: it becomes readable when a turn has something to do that no deadline tells.
 * A file descriptor on POSIX; -1 where the backend has none: on Windows, and on the simulator.
 * Thread: loop. */
FERRY_API intptr_t ferry_loop_wait_handle(const ferry_loop *loop);

/* When the next turn is due: FERRY_FOREVER if nothing but the wait handle can tell; a time not after now if something
 * is ready already. Ask directly before blocking: the answer also arms the wait handle for posts from other threads.
 *
 * Units:  µs on the loop's clock.
 * Thread: loop. */
FERRY_API int64_t ferry_loop_next_deadline(ferry_loop *loop);

/* ---- callbacks ---- */

/* Runs `callback` in the next turn (`loop.call_soon`), in the order of posting.
 *
 * Owns:    arg stays yours. *ret_handle, if asked for (it may be NULL), is one reference: ferry_handle_unref it.
 * Returns: 0, APR_EINVAL, APR_ENOMEM, FERRY_ECLOSED, FERRY_EWRONGTHREAD, FERRY_EFORKED.
 * Thread:  loop. */
#define ferry_call_soon(loop, callback, arg, ret_handle) \
    ferry_call_soon_from(FERRY_HERE, loop, callback, arg, ret_handle)
FERRY_API ferry_status ferry_call_soon_from(const char *origin, ferry_loop *loop, ferry_callback *callback, void *arg,
                                            ferry_handle **ret_handle);

/* The same from any thread (`loop.call_soon_threadsafe`): wakes the loop, posts of one thread keep their order, none is
 * lost. Its handle may be cancelled from any thread; cancelling while it runs waits until it has ended.
 *
 * Owns:    as ferry_call_soon. The caller holds a reference to the loop.
 * Returns: as ferry_call_soon, but never FERRY_EWRONGTHREAD.
 * Thread:  any. */
#define ferry_call_soon_threadsafe(loop, callback, arg, ret_handle) \
    ferry_call_soon_threadsafe_from(FERRY_HERE, loop, callback, arg, ret_handle)
FERRY_API ferry_status ferry_call_soon_threadsafe_from(const char *origin, ferry_loop *loop, ferry_callback *callback,
                                                       void *arg, ferry_handle **ret_handle);

/* Runs `callback` once, not before `delay_us` have passed (`loop.call_later`). A delay that is not positive is due at
 * once. Timers run in the order of their deadlines, equal ones in the order of their making.
 *
 * Units:   µs; FERRY_FOREVER is refused.
 * Owns, Returns, Thread: as ferry_call_soon. */
#define ferry_call_later(loop, delay_us, callback, arg, ret_handle) \
    ferry_call_later_from(FERRY_HERE, loop, delay_us, callback, arg, ret_handle)
FERRY_API ferry_status ferry_call_later_from(const char *origin, ferry_loop *loop, int64_t delay_us,
                                             ferry_callback *callback, void *arg, ferry_handle **ret_handle);

/* The same with an absolute time on the loop's clock (`loop.call_at`).
 * Thread: loop. */
#define ferry_call_at(loop, when_us, callback, arg, ret_handle) \
    ferry_call_at_from(FERRY_HERE, loop, when_us, callback, arg, ret_handle)
FERRY_API ferry_status ferry_call_at_from(const char *origin, ferry_loop *loop, int64_t when_us,
                                          ferry_callback *callback, void *arg, ferry_handle **ret_handle);

/* Takes it back: once this returns it will not run any more (`Handle.cancel`). Cancelling again, or after it has run,
 * does nothing. Takes NULL.
 *
 * Thread: loop; of a call_soon_threadsafe: any. */
FERRY_API void ferry_handle_cancel(ferry_handle *handle);

/* Whether it was cancelled (`Handle.cancelled`). Thread: as cancel. */
FERRY_API bool ferry_handle_cancelled(const ferry_handle *handle);

/* The deadline of a timer's handle on the loop's clock (`TimerHandle.when`); 0 for the others. Thread: as cancel. */
FERRY_API int64_t ferry_handle_when(const ferry_handle *handle);

/* Where it was made, "file:line". Thread: as cancel. */
FERRY_API const char *ferry_handle_origin(const ferry_handle *handle);

/* One more, one less reference; the last one does not cancel. Take NULL. Thread: as cancel. */
FERRY_API ferry_handle *ferry_handle_ref(ferry_handle *handle);
FERRY_API void ferry_handle_unref(ferry_handle *handle);
FERRY_AUTO_BY(ferry_handle, ferry_handle_unref)

/* ---- errors nobody handled ---- */

/* What the exception handler is told. Everything in it is valid during the call only. */
typedef struct ferry_report {
    size_t size;            /* of this struct */
    const char *message;    /* a sentence: what happened */
    ferry_status status;    /* the error that escaped, or 0 */
    const char *origin;     /* where the culprit was made, "file:line", or NULL */
    ferry_handle *handle;   /* the culprit, or NULL */
    ferry_future *future;   /* the culprit, or NULL */
} ferry_report;

/* Handles a report. A status other than 0 says that the handler itself failed: then the default handler is told
 * both. */
typedef ferry_status ferry_exception_handler(ferry_loop *loop, const ferry_report *report, void *arg);

/* Sets the handler (`loop.set_exception_handler`); NULL restores the default, which writes to stderr.
 * Thread: loop. */
FERRY_API ferry_status ferry_loop_set_exception_handler(ferry_loop *loop, ferry_exception_handler *handler, void *arg);

/* Reports to the loop's handler (`loop.call_exception_handler`). Thread: loop. */
FERRY_API void ferry_loop_call_exception_handler(ferry_loop *loop, const ferry_report *report);

/* What is done where no handler is set (`loop.default_exception_handler`): one line on stderr. Thread: loop. */
FERRY_API ferry_status ferry_loop_default_exception_handler(ferry_loop *loop, const ferry_report *report);

/* ---- debug mode ---- */

/* Debug mode (`loop.set_debug`): a callback that takes longer than slow_callback_duration is reported with the place
 * that made it, and close reports what is still pending. Thread: loop. */
FERRY_API ferry_status ferry_loop_set_debug(ferry_loop *loop, bool debug);
FERRY_API bool ferry_loop_get_debug(const ferry_loop *loop);

/* Units: µs, at least 1. Returns: 0, APR_EINVAL, FERRY_EWRONGTHREAD. Thread: loop. */
FERRY_API ferry_status ferry_loop_set_slow_callback_duration(ferry_loop *loop, int64_t duration_us);

#ifdef __cplusplus
}
#endif
#endif
