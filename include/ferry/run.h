/* SPDX-License-Identifier: Apache-2.0 */
/* Running tasks: a program's main task with a loop made and ended around it (`asyncio.run`, `asyncio.Runner`). */
#ifndef FERRY_RUN_H
#define FERRY_RUN_H

#include "ferry/task.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- a program's main task ---- */

/* Makes a loop, runs `function(arg)` on it as a task to its end, and ends everything as ferry_runner_close does
 * (`asyncio.run`). An error of the function is also reported to stderr, with its sentence: nobody can ask for it.
 *
 * Returns: as ferry_runner_run: the function's own status, if it was run to its end.
 * Thread:  any on which no loop runs. */
#define ferry_run(function, arg) ferry_run_from(FERRY_HERE, function, arg)
FERRY_API ferry_status ferry_run_from(const char *origin, ferry_function *function, void *arg);

/* A loop that runs one main task after the other (`asyncio.Runner`). */
typedef struct ferry_runner ferry_runner;

typedef struct ferry_runner_options {
    size_t size;                    /* of this struct; FERRY_RUNNER_OPTIONS sets it */
    const ferry_loop_options *loop; /* NULL: the defaults */
    int64_t shutdown_timeout_us;    /* how long closing waits for the default executor; 0: five minutes; or
                                     * FERRY_FOREVER */
} ferry_runner_options;

#define FERRY_RUNNER_OPTIONS .size = sizeof(ferry_runner_options)

/* Thread: any. */
FERRY_API void ferry_runner_options_init(ferry_runner_options *options);

/* Makes a runner and its loop; NULL options are the defaults.
 *
 * Owns:    *ret_runner is yours: ferry_runner_close it.
 * Returns: 0, APR_EINVAL, APR_ENOMEM, and as ferry_loop_create.
 * Thread:  any; the runner is then that of one thread at a time, as its loop. */
FERRY_API ferry_status ferry_runner_create(const ferry_runner_options *options, ferry_runner **ret_runner);

/* The loop (borrowed; `get_loop`). Thread: any. */
FERRY_API ferry_loop *ferry_runner_loop(const ferry_runner *runner);

/* Runs `function(arg)` as a task, and the loop until that has ended (`Runner.run`).
 *
 * Ctrl-C (SIGINT), if the process neither handles nor ignores it by itself, cancels the main task: it may clean up, or
 * go on. The second one during the same run is a hard stop: the loop stops after the current turn, whatever the tasks
 * are about; what has not ended goes on in the next run, if there is one. So it is on one thread at a time; a run on
 * another one goes without, as it does where the system refuses.
 *
 * Owns:    *ret_task is one reference to the task, whose value, message and status can be read; untouched if it could
 *          not be made. NULL: nobody asks, and an error goes to the loop's exception handler.
 * Returns: the task's status: 0, its error, or FERRY_ECANCELED. APR_EINTR: it ended cancelled by Ctrl-C alone, or was
 *          stopped hard, and may not have ended. Where it was not run to its end: APR_EINVAL, APR_ENOMEM,
 *          FERRY_EINVALIDSTATE (a loop runs on this thread already; or the loop was stopped: the task goes on in the
 *          next run), FERRY_EWRONGTHREAD, FERRY_EFORKED, FERRY_ECLOSED, or what the system said.
 * Thread:  any on which no loop runs. */
#define ferry_runner_run(runner, function, arg, ret_task) \
    ferry_runner_run_from(FERRY_HERE, runner, function, arg, ret_task)
FERRY_API ferry_status ferry_runner_run_from(const char *origin, ferry_runner *runner, ferry_function *function,
                                             void *arg, ferry_task **ret_task);

/* Ends it (`Runner.close`), in this order: the tasks that are left are cancelled, and have ended before it goes on;
 * errors of theirs that nobody asks for go to the exception handler. The default executor is shut down and waited for,
 * for as long as the options say: what still runs then is named to the exception handler, and left to end by itself.
 * Stopping the loop does not cut this short. The loop is closed, and the runner is gone. If the last run was stopped
 * hard nothing is waited for: the loop is just closed. Takes NULL.
 *
 * Returns: 0; APR_ENOMEM (it was closed without waiting for the executor). Refused, and the runner stays:
 *          FERRY_EINVALIDSTATE (a loop runs on this thread), FERRY_EWRONGTHREAD.
 * Thread:  any on which no loop runs. */
FERRY_API ferry_status ferry_runner_close(ferry_runner *runner);

/* ---- work for other threads ---- */

/* Has a thread of the loop's default executor run a function that may block, and waits for its value
 * (`asyncio.to_thread`): ferry_run_in_executor, FERRY_AWAIT and the end of the future in one call. A task that is
 * cancelled meanwhile goes on at once; a job that has not started never does, one that runs sees
 * ferry_call_is_cancelled, and what it returns is dropped. So its argument must outlive the job, not the call.
 *
 * Owns:    arg stays yours; a pointer that is put into a place is yours, too: you free it. One that is not wanted is
 *          freed as the function said.
 * Returns: as ferry_run_in_executor and FERRY_AWAIT.
 * Thread:  loop, in a task. */
#define ferry_to_thread(function, arg, ret_value) ferry_call_in(NULL, function, arg, ret_value)

/* The same on an executor of any kind. The function sees the task's values (context.h) wherever it runs in this
 * process. A process pool takes a portable function whose argument is NULL, and runs it without them.
 *
 * Thread: loop, in a task. */
#define ferry_call_in(executor, function, arg, ret_value) \
    ferry_call_in_from(FERRY_HERE, executor, function, arg, FERRY_PLACE(ret_value))
FERRY_API ferry_status ferry_call_in_from(const char *origin, ferry_executor *executor_or_null,
                                          ferry_function *function, void *arg, ferry_place place);

/* ---- tasks for other threads ---- */

/* Has the loop run `function(arg)` as a task, and gives a job that ends as the task does
 * (`asyncio.run_coroutine_threadsafe`): with its value, its error, or cancelled. The job is pending until then, so
 * cancelling it, also after a wait that timed out, ends the job at once and cancels the task.
 *
 * Owns:    *ret_job is one reference (ret_job may be NULL: nobody asks, and an error goes to the loop's exception
 *          handler). A pointer or bytes are the job's, and the task itself answers NULL. The caller holds a reference
 *          to the loop.
 * Returns: 0, APR_EINVAL, APR_ENOMEM, FERRY_ECLOSED, FERRY_EFORKED, or an OS code. A loop that is closed before the
 *          task could begin, or that has no memory for it, is the job's outcome: FERRY_ECLOSED, APR_ENOMEM.
 * Thread:  any. */
#define ferry_run_coroutine_threadsafe(loop, function, arg, ret_job) \
    ferry_run_coroutine_threadsafe_from(FERRY_HERE, loop, function, arg, ret_job)
FERRY_API ferry_status ferry_run_coroutine_threadsafe_from(const char *origin, ferry_loop *loop,
                                                           ferry_function *function, void *arg, ferry_job **ret_job);

/* The same with options: an argument that is copied, or freed behind the task, on the loop's thread; a name; a stack.
 *
 * Owns:    what the options point to is copied; a refused argument is yours. That of a task that never began is freed
 *          once, too, on whichever thread finds that out.
 * Returns: as above; APR_EINVAL also for an eager task, and a given context: these are for the loop's own thread.
 * Thread:  any. */
#define ferry_run_coroutine_threadsafe_with(...) ferry_run_coroutine_threadsafe_with_from(FERRY_HERE, __VA_ARGS__)
FERRY_API ferry_status ferry_run_coroutine_threadsafe_with_from(const char *origin, ferry_loop *loop,
                                                                const ferry_task_options *options,
                                                                ferry_job **ret_job);

#ifdef __cplusplus
}
#endif

#endif
