/* SPDX-License-Identifier: Apache-2.0 */
/* Futures of a loop: a value, an error or a cancellation that will be there later, on the loop's thread.
 *
 * A future belongs to one loop and is touched on its thread only. Callbacks never run inline: they go through the
 * loop's queue. Whoever will resolve it holds a reference of its own, so dropping yours neither cancels nor frees too
 * early. */
#ifndef FERRY_FUTURE_H
#define FERRY_FUTURE_H

#include "ferry/loop.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Destroys a value: named by whoever made it. */
typedef void ferry_free(void *pointer);

/* Runs on the loop's thread after the future is done. A status other than 0 goes to the exception handler. */
typedef ferry_status ferry_done_callback(ferry_future *future, void *arg);

/* Makes a pending future (`loop.create_future`).
 *
 * Owns:    *ret_future is one reference.
 * Returns: 0, APR_EINVAL, APR_ENOMEM, FERRY_ECLOSED, FERRY_EWRONGTHREAD, FERRY_EFORKED.
 * Thread:  loop. */
#define ferry_future_create(loop, ret_future) ferry_future_create_from(FERRY_HERE, loop, ret_future)
FERRY_API ferry_status ferry_future_create_from(const char *origin, ferry_loop *loop, ferry_future **ret_future);

/* One more, one less reference; both take NULL. With the last one an error that nobody has looked at is reported to the
 * exception handler. Thread: loop. */
FERRY_API ferry_future *ferry_future_ref(ferry_future *future);
FERRY_API void ferry_future_unref(ferry_future *future);
FERRY_AUTO_BY(ferry_future, ferry_future_unref)
/* Unrefs each and sets it to NULL. Thread: loop. */
FERRY_API void ferry_future_unref_all(ferry_future **futures, size_t count);

/* ---- looking ---- */

/* Whether it is done: with a result, an error or a cancellation (`done`, `cancelled`). Thread: loop. */
FERRY_API bool ferry_future_done(const ferry_future *future);
FERRY_API bool ferry_future_cancelled(const ferry_future *future);

/* How it ended: 0 with a result; the error's status; FERRY_ECANCELED; FERRY_EINVALIDSTATE while it is pending. Counts
 * as having looked at the error. Thread: loop. */
FERRY_API ferry_status ferry_future_status(ferry_future *future);

/* The sentence that goes with the error or the cancellation, or NULL. Counts as having looked. Borrowed.
 * Thread: loop. */
FERRY_API const char *ferry_future_message(ferry_future *future);

/* Where the future, or the job behind it, was made. Thread: loop. */
FERRY_API const char *ferry_future_origin(const ferry_future *future);
/* The worker that ran the job behind a failed future, or NULL. Borrowed. Thread: loop. */
FERRY_API const char *ferry_future_worker(ferry_future *future);
FERRY_API ferry_loop *ferry_future_loop(const ferry_future *future);

/* The value (borrowed); 0, 0.0 or NULL where the future is not done with a value of that kind. Thread: loop. */
FERRY_API int64_t ferry_future_integer(ferry_future *future);
FERRY_API double ferry_future_real(ferry_future *future);
FERRY_API void *ferry_future_pointer(ferry_future *future);
FERRY_API const void *ferry_future_bytes(ferry_future *future, size_t *ret_size);

/* Moves a pointer or bytes out: the caller frees it from now on, the future answers NULL.
 *
 * Returns: 0, as ferry_future_status while there is no result, FERRY_EWRONGTYPE, FERRY_ENOTSUP (of ferry_wrap_future:
 *          the value is its job's; or the value is the job's own argument).
 * Thread:  loop. */
FERRY_API ferry_status ferry_future_take_pointer(ferry_future *future, void **ret_pointer);
FERRY_API ferry_status ferry_future_take_bytes(ferry_future *future, void **ret_bytes, size_t *ret_size);

/* ---- resolving ---- */

/* Resolve a future that one made (`set_result`, `set_exception`); the callbacks are posted to the loop.
 *
 * Owns:    on success the future owns pointer and bytes until they are taken; `free` may be NULL (nothing to free).
 *          On failure they stay yours.
 * Returns: 0, FERRY_EINVALIDSTATE (done already, or resolved by Ferry itself), APR_EINVAL (an error of status 0),
 *          FERRY_EWRONGTHREAD. An error for whose message there is no memory is set without it.
 * Thread:  loop. */
FERRY_API ferry_status ferry_future_set_result(ferry_future *future);
FERRY_API ferry_status ferry_future_set_integer(ferry_future *future, int64_t value);
FERRY_API ferry_status ferry_future_set_real(ferry_future *future, double value);
FERRY_API ferry_status ferry_future_set_pointer(ferry_future *future, void *pointer, ferry_free *free);
FERRY_API ferry_status ferry_future_set_bytes(ferry_future *future, void *bytes, size_t size, ferry_free *free);
FERRY_API ferry_status ferry_future_set_error(ferry_future *future, ferry_status status, const char *format, ...)
    FERRY_PRINTF(3, 4);

/* Cancels (`cancel`): a pending future is done at once, with FERRY_ECANCELED. A job behind it does not run if it has
 * not started; if it has, it may see ferry_call_is_cancelled, and what it returns is dropped. A gather or a wait_for
 * passes the request on and is done when what it waits for is. Takes NULL.
 *
 * Returns: true if this call made it so (a gather: if a child was cancelled); false if it was done already.
 * Thread:  loop. */
FERRY_API bool ferry_future_cancel(ferry_future *future);
/* The same with a sentence for ferry_future_message. */
FERRY_API bool ferry_future_cancel_with_message(ferry_future *future, const char *message);

/* ---- callbacks ---- */

/* Posts `callback` to the loop once the future is done, or at once if it is (`add_done_callback`); in the order of
 * adding. Cancelling the handle removes it, even when it is posted already.
 *
 * Owns:    as ferry_call_soon; the future stays alive until its callbacks have run or were cancelled.
 * Returns: 0, APR_EINVAL, APR_ENOMEM, FERRY_ECLOSED, FERRY_EWRONGTHREAD.
 * Thread:  loop. */
#define ferry_future_add_done_callback(future, callback, arg, ret_handle) \
    ferry_future_add_done_callback_from(FERRY_HERE, future, callback, arg, ret_handle)
FERRY_API ferry_status ferry_future_add_done_callback_from(const char *origin, ferry_future *future,
                                                           ferry_done_callback *callback, void *arg,
                                                           ferry_handle **ret_handle);

/* Removes every callback with this function and argument that has not run; returns how many (`remove_done_callback`).
 * Thread: loop. */
FERRY_API size_t ferry_future_remove_done_callback(ferry_future *future, ferry_done_callback *callback, void *arg);

/* ---- several at once ---- */

enum { FERRY_RETURN_EXCEPTIONS = 1 };

/* One future for all (`asyncio.gather`): done with a result once all are; by default the first error or cancellation
 * among them ends it, with its status and message, while the others go on unwatched (their errors count as looked at).
 * With FERRY_RETURN_EXCEPTIONS it waits for all and always has a result. Its integer is the number of children; their
 * values are read from the children, see ferry_gather_child. Of no children: done at once.
 *
 * Cancelling it cancels the children. It is cancelled once all are done; by default an error that one of them answers
 * with ends it as any other error does.
 *
 * Owns:    takes a reference to each child; the array stays yours.
 * Returns: 0, APR_EINVAL, APR_ENOMEM, FERRY_EWRONGLOOP, FERRY_ECLOSED, FERRY_EWRONGTHREAD.
 * Thread:  loop. */
#define ferry_gather(loop, futures, count, flags, ret_future) \
    ferry_gather_from(FERRY_HERE, loop, futures, count, flags, ret_future)
FERRY_API ferry_status ferry_gather_from(const char *origin, ferry_loop *loop, ferry_future *const *futures,
                                         size_t count, int flags, ferry_future **ret_future);

/* The index-th future that was given to the gather (borrowed), or NULL. Thread: loop. */
FERRY_API ferry_future *ferry_gather_child(ferry_future *gathered, size_t index);

/* When a wait is over (`asyncio.wait`'s return_when). */
typedef enum { FERRY_ALL_COMPLETED, FERRY_FIRST_COMPLETED, FERRY_FIRST_EXCEPTION } ferry_return_when;

/* Waits for several (`asyncio.wait`): never fails with a member's error, never cancels a member. The integer of the
 * result is how many are done; which ones, ferry_future_done tells. A timeout ends it with what is done by then.
 *
 * Units:   µs; FERRY_FOREVER for no limit.
 * Owns:    takes a reference to each until it is over; the array stays yours.
 * Returns: 0, APR_EINVAL (no members, an unknown return_when, a negative timeout), APR_ENOMEM, FERRY_EWRONGLOOP,
 *          FERRY_ECLOSED, FERRY_EWRONGTHREAD.
 * Thread:  loop. */
#define ferry_wait(futures, count, timeout_us, return_when, ret_future) \
    ferry_wait_from(FERRY_HERE, futures, count, timeout_us, return_when, ret_future)
FERRY_API ferry_status ferry_wait_from(const char *origin, ferry_future *const *futures, size_t count,
                                       int64_t timeout_us, ferry_return_when return_when, ferry_future **ret_future);

/* Hands out futures in the order in which they end (`asyncio.as_completed`). */
typedef struct ferry_as_completed ferry_as_completed;

/* Begins; members that are done already come first, in the order given. A member given twice is handed out once.
 *
 * Units:   µs for all of them together; FERRY_FOREVER for no limit.
 * Owns:    takes a reference to each; *ret_iterator is yours: ferry_as_completed_close it.
 * Returns: as ferry_wait; but to have no members is no error.
 * Thread:  loop. */
#define ferry_as_completed_open(loop, futures, count, timeout_us, ret_iterator) \
    ferry_as_completed_open_from(FERRY_HERE, loop, futures, count, timeout_us, ret_iterator)
FERRY_API ferry_status ferry_as_completed_open_from(const char *origin, ferry_loop *loop, ferry_future *const *futures,
                                                    size_t count, int64_t timeout_us,
                                                    ferry_as_completed **ret_iterator);

/* A future for the next one: its pointer is the member (borrowed from the iterator). FERRY_ETIMEDOUT when the time is
 * up.
 *
 * Returns: 0, FERRY_EEXHAUSTED (all were handed out), APR_ENOMEM, FERRY_ECLOSED, FERRY_EWRONGTHREAD.
 * Thread:  loop. */
FERRY_API ferry_status ferry_as_completed_next(ferry_as_completed *iterator, ferry_future **ret_future);

/* Ends the iteration; members are not cancelled, futures of next() that are pending are. Takes NULL. Thread: loop. */
FERRY_API void ferry_as_completed_close(ferry_as_completed *iterator);
FERRY_AUTO_BY(ferry_as_completed, ferry_as_completed_close)

/* ---- one, with a reserve ---- */

/* Stands for another future (`asyncio.shield`): ends as it does, but cancelling the shield leaves the other alone. If
 * that fails after the shield was cancelled, and nobody has looked at it, the error goes to the exception handler.
 *
 * Owns:    takes a reference to `inner`. A pointer or bytes are borrowed from it, and taken from it alone.
 * Returns: 0, APR_EINVAL, APR_ENOMEM, FERRY_ECLOSED, FERRY_EWRONGTHREAD, FERRY_EFORKED.
 * Thread:  loop. */
#define ferry_shield(inner, ret_future) ferry_shield_from(FERRY_HERE, inner, ret_future)
FERRY_API ferry_status ferry_shield_from(const char *origin, ferry_future *inner, ferry_future **ret_future);

/* Waits for a future with a limit (`asyncio.wait_for`): ends as `inner` does; when the time is up it cancels `inner`,
 * and still ends only when that has: with FERRY_ETIMEDOUT if it was cancelled, else with the value or the error that it
 * answered with. With no time left it is cancelled before this returns. Cancelling the wait cancels `inner`, and the
 * wait ends cancelled when that has ended, however it did; its value can still be read from it.
 *
 * Units:   µs; FERRY_FOREVER for no limit.
 * Owns, Returns, Thread: as ferry_shield. */
#define ferry_wait_for(inner, timeout_us, ret_future) ferry_wait_for_from(FERRY_HERE, inner, timeout_us, ret_future)
FERRY_API ferry_status ferry_wait_for_from(const char *origin, ferry_future *inner, int64_t timeout_us,
                                           ferry_future **ret_future);

#ifdef __cplusplus
}
#endif
#endif
