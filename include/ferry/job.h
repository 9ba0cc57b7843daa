/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs: what an executor runs, and the one type of function for all work (`concurrent.futures.Future`).
 *
 * A job is thread-safe and needs no loop: any thread may wait for it, read it, cancel it. Its done callbacks run in the
 * thread that completes it. States: pending -> running -> finished, or pending -> cancelled. A worker claims a job
 * before running it; the claim and the cancel are the same atomic step, so exactly one of them wins. */
#ifndef FERRY_JOB_H
#define FERRY_JOB_H

#include "ferry/future.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ferry_job ferry_job;
typedef struct ferry_executor ferry_executor;

/* ---- the function ---- */

/* What a running function is given to answer through, and to ask whether it should stop. */
typedef struct ferry_call ferry_call;

/* A job's (later also a task's) function. Its value is set with ferry_return_...; what it returns is its status, 0 for
 * success. A status without ferry_return_error is an error without a sentence. */
typedef ferry_status ferry_function(void *arg, ferry_call *call);

/* Set the value and return 0, to be used as `return ferry_return_integer(call, 42);`. The last one counts; a value that
 * is replaced, or followed by an error, is freed.
 *
 * Owns:   pointer and bytes belong to the job from here on and are freed with `free` (NULL: nothing to free).
 * Thread: the function's. */
FERRY_API ferry_status ferry_return_integer(ferry_call *call, int64_t value);
FERRY_API ferry_status ferry_return_real(ferry_call *call, double value);
FERRY_API ferry_status ferry_return_pointer(ferry_call *call, void *pointer, ferry_free *free);
FERRY_API ferry_status ferry_return_bytes(ferry_call *call, void *bytes, size_t size, ferry_free *free);

/* Returns the first `size` bytes of the argument, as the function has left them: for arguments that were copied
 * (`arg_size` of the options) and that it turns into its result in place. Nothing is copied to return them, not even in
 * a worker process. They live as long as the job, or its future, and cannot be taken from it where it has run in this
 * process (FERRY_ENOTSUP); an `arg_free` of the job is called all the same.
 *
 * Returns: 0; APR_EINVAL: the argument has fewer bytes, or is a pointer.
 * Thread:  the function's. */
FERRY_API ferry_status ferry_return_arg(ferry_call *call, size_t size);

/* Sets the error's sentence and returns `status` (APR_EGENERAL's value if it is 0). Thread: the function's. */
FERRY_API ferry_status ferry_return_error(ferry_call *call, ferry_status status, const char *format, ...)
    FERRY_PRINTF(3, 4);

/* Whether somebody cancelled the job, its future or its executor's running jobs, or its time limit has passed: a long
 * function polls it and returns FERRY_ECANCELED. Thread: the function's. */
FERRY_API bool ferry_call_is_cancelled(const ferry_call *call);

/* Sleeps for at most `duration_us`, until the job is cancelled.
 *
 * Returns: 0 when the time has passed, FERRY_ECANCELED.
 * Thread:  the function's. */
FERRY_API ferry_status ferry_call_sleep(ferry_call *call, int64_t duration_us);

/* How many bytes were copied for the argument (`arg_size` of the options); 0: it is a pointer.
 * Thread: the function's. */
FERRY_API size_t ferry_call_arg_size(const ferry_call *call);

/* The name of the worker that runs it, e.g. "resize_0"; "" where the executor has no names. Thread: the function's. */
FERRY_API const char *ferry_call_worker(const ferry_call *call);

/* ---- looking and waiting ---- */

typedef enum { FERRY_JOB_PENDING, FERRY_JOB_RUNNING, FERRY_JOB_CANCELLED, FERRY_JOB_FINISHED } ferry_job_state;

/* One more, one less reference; both take NULL. Dropping the last one neither cancels the job nor stops it.
 * Thread: any. */
FERRY_API ferry_job *ferry_job_ref(ferry_job *job);
FERRY_API void ferry_job_unref(ferry_job *job);
FERRY_AUTO_BY(ferry_job, ferry_job_unref)
/* Unrefs each and sets it to NULL. Thread: any. */
FERRY_API void ferry_job_unref_all(ferry_job **jobs, size_t count);

/* Thread: any. */
FERRY_API ferry_job_state ferry_job_get_state(const ferry_job *job);
FERRY_API bool ferry_job_done(const ferry_job *job);
FERRY_API bool ferry_job_running(const ferry_job *job);
FERRY_API bool ferry_job_cancelled(const ferry_job *job);

/* State, outcome and value read together, as they were at one moment. */
typedef struct ferry_job_snapshot {
    size_t size;            /* of this struct; set it before the call */
    ferry_job_state state;
    bool cancel_requested;
    ferry_status status;    /* FERRY_EINVALIDSTATE while not done */
    int64_t integer;        /* 0 if the result is no integer */
    const char *message;    /* of an error, or NULL; borrowed from the job */
} ferry_job_snapshot;

/* Returns: 0, APR_EINVAL. Thread: any. */
FERRY_API ferry_status ferry_job_get_snapshot(ferry_job *job, ferry_job_snapshot *ret_snapshot);

/* Blocks until the job is done: how the waiting went. A worker that waits for a job which nobody has claimed yet runs
 * it itself; one that waits for a job which waits for it is told.
 *
 * Units:   µs; FERRY_FOREVER for no limit, 0 to look only.
 * Returns: 0 once it is done, FERRY_ETIMEDOUT (the job goes on), FERRY_EDEADLK, APR_EINVAL, FERRY_EFORKED.
 * Thread:  any but a running loop's (FERRY_EDEADLK there if it would block; await the future instead). */
FERRY_API ferry_status ferry_job_wait(ferry_job *job, int64_t timeout_us);

/* Blocks like ferry_job_wait, then tells the outcome (`result`): the wait's error, else the job's own status. Where a
 * job may itself fail with FERRY_ETIMEDOUT, use ferry_job_wait and ferry_job_status to tell the two apart.
 * Returns: as ferry_job_wait and ferry_job_status. Thread: as ferry_job_wait. */
FERRY_API ferry_status ferry_job_result(ferry_job *job, int64_t timeout_us);

/* The outcome without waiting: 0, the error's status, FERRY_ECANCELED, or FERRY_EINVALIDSTATE while it is not done.
 * Thread: any. */
FERRY_API ferry_status ferry_job_status(ferry_job *job);

/* The error's sentence or NULL; where the job was made; the worker that ran it, or NULL. Borrowed. Thread: any. */
FERRY_API const char *ferry_job_message(ferry_job *job);
FERRY_API const char *ferry_job_origin(const ferry_job *job);
FERRY_API const char *ferry_job_worker(ferry_job *job);

/* The value (borrowed); 0, 0.0 or NULL where the job is not done with a value of that kind. Thread: any. */
FERRY_API int64_t ferry_job_integer(ferry_job *job);
FERRY_API double ferry_job_real(ferry_job *job);
FERRY_API void *ferry_job_pointer(ferry_job *job);
FERRY_API const void *ferry_job_bytes(ferry_job *job, size_t *ret_size);

/* Move a pointer or bytes out: the caller frees it, the job answers NULL from now on.
 *
 * Returns: 0, as ferry_job_status while there is no result, FERRY_EWRONGTYPE, FERRY_ENOTSUP (the value is the job's own
 *          argument).
 * Thread:  any, but not while another thread reads the same value. */
FERRY_API ferry_status ferry_job_take_pointer(ferry_job *job, void **ret_pointer);
FERRY_API ferry_status ferry_job_take_bytes(ferry_job *job, void **ret_bytes, size_t *ret_size);

/* Cancels a job that has not started (`cancel`): it never runs, and who waits is woken with FERRY_ECANCELED. One that
 * is running is asked to stop (ferry_call_is_cancelled). Takes NULL.
 *
 * Returns: true if it is cancelled (by this or an earlier call), false if it is running or finished.
 * Thread:  any. */
FERRY_API bool ferry_job_cancel(ferry_job *job);

/* Runs once the job is done: in the completing thread, or here and now if it is done already (`add_done_callback`). In
 * the order of adding. A status other than 0 is written to stderr with the job's origin and hinders nobody else.
 *
 * Returns: 0, APR_EINVAL, APR_ENOMEM.
 * Thread:  any. */
typedef ferry_status ferry_job_callback(ferry_job *job, void *arg);
FERRY_API ferry_status ferry_job_add_done_callback(ferry_job *job, ferry_job_callback *callback, void *arg);

/* A future of `loop` that ends as the job does (`asyncio.wrap_future`). Cancelling the future cancels the job; the
 * value is the job's: a number is copied, a pointer or bytes are borrowed from it.
 *
 * Owns:    the future holds a reference to the job.
 * Returns: 0, APR_EINVAL, APR_ENOMEM, FERRY_ECLOSED, FERRY_EWRONGTHREAD.
 * Thread:  loop. */
#define ferry_wrap_future(loop, job, ret_future) ferry_wrap_future_from(FERRY_HERE, loop, job, ret_future)
FERRY_API ferry_status ferry_wrap_future_from(const char *origin, ferry_loop *loop, ferry_job *job,
                                              ferry_future **ret_future);

/* ---- several at once, with no loop ---- */

/* Blocks until `return_when` holds or the time is up (`concurrent.futures.wait`); ferry_job_done tells which are done.
 * A cancelled job counts as done once its executor has acknowledged it (for a wait inside a job, at once), and never as
 * an exception. A job given twice counts twice.
 *
 * Owns:    ret_done_count may be NULL.
 * Returns: 0 (also when the time is up), APR_EINVAL, APR_ENOMEM, FERRY_EDEADLK (as ferry_job_wait).
 * Thread:  as ferry_job_wait. */
FERRY_API ferry_status ferry_jobs_wait(ferry_job *const *jobs, size_t count, int64_t timeout_us,
                                       ferry_return_when return_when, size_t *ret_done_count);

/* Hands out jobs in the order in which they end (`concurrent.futures.as_completed`). */
typedef struct ferry_jobs_as_completed ferry_jobs_as_completed;

/* Begins; the time limit is for all of them together, from here on. A job given twice is handed out once.
 *
 * Owns:    takes a reference to each; *ret_iterator is yours: ferry_jobs_as_completed_close it.
 * Returns: 0, APR_EINVAL, APR_ENOMEM.
 * Thread:  any; one thread at a time uses an iterator. */
FERRY_API ferry_status ferry_jobs_as_completed_open(ferry_job *const *jobs, size_t count, int64_t timeout_us,
                                                    ferry_jobs_as_completed **ret_iterator);

/* Blocks for the next one (borrowed from the iterator). What is done already is handed out even when the time is up.
 *
 * Returns: 0, FERRY_EEXHAUSTED, FERRY_ETIMEDOUT, FERRY_EDEADLK.
 * Thread:  as ferry_job_wait. */
FERRY_API ferry_status ferry_jobs_as_completed_next(ferry_jobs_as_completed *iterator, ferry_job **ret_job);

/* Ends the iteration; nothing is cancelled. Takes NULL. Thread: any. */
FERRY_API void ferry_jobs_as_completed_close(ferry_jobs_as_completed *iterator);
FERRY_AUTO_BY(ferry_jobs_as_completed, ferry_jobs_as_completed_close)

/* ---- for those who write an executor ---- */

/* What a job must be told before its function may run (`set_running_or_notify_cancel`): true: it is yours, run it and
 * ferry_job_finish it; false: it was cancelled, or its time is up: ferry_job_drop it. Thread: any. */
FERRY_API bool ferry_job_claim(ferry_job *job);

/* The call object of a claimed job, to set its value through from outside its function. Thread: the claimer's. */
FERRY_API ferry_call *ferry_job_call(ferry_job *job);

/* Completes a claimed job with its value (status 0) or an error; wakes who waits and runs the callbacks. On success the
 * executor's reference is used up.
 *
 * Returns: 0, FERRY_EINVALIDSTATE (not claimed, finished already, cancelled): the first outcome stays.
 * Thread:  any. */
FERRY_API ferry_status ferry_job_finish(ferry_job *job, ferry_status status);

/* Claim, run the function on this thread, finish, in one; `worker` (or NULL) is copied where an error needs it. A
 * job that was cancelled or is late is skipped. The executor's reference is used up. Thread: any. */
FERRY_API void ferry_job_run(ferry_job *job, const char *worker);

/* Ends a job that will never run: cancelled, or FERRY_ETIMEDOUT if its time is up; its waiters woken, the executor's
 * reference used up. Thread: any. */
FERRY_API void ferry_job_drop(ferry_job *job);

#ifdef __cplusplus
}
#endif
#endif
