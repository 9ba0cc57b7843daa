/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks: functions that run on a stack of their own on the loop's thread and may wait in the middle (`asyncio.Task`).
 *
 * A task is a future: whatever takes a future takes it, and it ends as its function does. Where it waits (ferry_await
 * and everything that blocks the calling task) the loop goes on with others. Cancelling is a request: counted,
 * delivered once, at the next wait that suspends, as FERRY_ECANCELED; the function cleans up, waiting if it must, and
 * returns that status; or it does not, and goes on.
 *
 * The modes of floating point (<fenv.h>: how is rounded, what traps) are each task's own. It begins with the loop's
 * thread's, and an eager one with its maker's.
 *
 * In C++ a task may wait inside a catch block and while an exception unwinds; on Windows only with MinGW's runtime, and
 * if that is linked into the program, after ferry_use_cxx_runtime. A loop whose tasks have begun is best run by one
 * thread: a function that goes on on another one may still have the former's thread-local addresses. */
#ifndef FERRY_TASK_H
#define FERRY_TASK_H

#include "ferry/context.h"
#include "ferry/executor.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef ferry_future ferry_task;
FERRY_AUTO_BY(ferry_task, ferry_future_unref)

/* ---- making ---- */

typedef struct ferry_task_options {
    size_t size;             /* of this struct; FERRY_TASK_OPTIONS sets it */
    ferry_function *function;
    void *arg;
    size_t arg_size;         /* not 0: that many bytes at arg are copied into the task, aligned for any type */
    ferry_free *arg_free;    /* called once with the argument (the copy, if one was made) when the task ends, however */
    const char *name;        /* copied; NULL: "Task-" and a number */
    size_t stack_size;       /* bytes; 0: the loop's; see ferry_loop_set_task_stack_size */
    ferry_context *context;  /* whose values the task sees and changes; NULL: its own, at first its maker's */
    bool eager;              /* the first step is made at once, inside the call, if the loop runs */
} ferry_task_options;

#define FERRY_TASK_OPTIONS .size = sizeof(ferry_task_options)

/* Thread: any. */
FERRY_API void ferry_task_options_init(ferry_task_options *options);

/* Makes a task that begins in the next turn (`asyncio.create_task`). `loop` NULL: the running one. What the function
 * returns is the task's outcome: 0, an error, or FERRY_ECANCELED: then it ends cancelled.
 *
 * Owns:    *ret_task is one reference (ret_task may be NULL: nobody asks). The loop holds the task until it has ended.
 *          A task that is refused leaves the argument the caller's.
 * Returns: 0, APR_EINVAL (also: no loop is given and none runs), APR_ENOMEM, FERRY_ECLOSED, FERRY_EWRONGTHREAD,
 *          FERRY_EFORKED. A stack for which there is no memory when it begins is its outcome, APR_ENOMEM.
 * Thread:  loop. */
#define ferry_task_create(loop, function, arg, ret_task) \
    ferry_task_create_from(FERRY_HERE, loop, function, arg, ret_task)
FERRY_API ferry_status ferry_task_create_from(const char *origin, ferry_loop *loop_or_null, ferry_function *function,
                                              void *arg, ferry_task **ret_task);
#define ferry_task_create_with(...) ferry_task_create_with_from(FERRY_HERE, __VA_ARGS__)
FERRY_API ferry_status ferry_task_create_with_from(const char *origin, ferry_loop *loop_or_null,
                                                   const ferry_task_options *options, ferry_task **ret_task);

/* How large the stacks of tasks made from now on are: address space; memory is taken as it is touched. At first 256
 * KiB.
 *
 * Units:   bytes.
 * Returns: 0, APR_EINVAL (less than 16 KiB, or absurd), FERRY_ECLOSED, FERRY_EWRONGTHREAD.
 * Thread:  loop. */
FERRY_API ferry_status ferry_loop_set_task_stack_size(ferry_loop *loop, size_t stack_size);

/* Which C++ runtime's exceptions are each task's own. It is found without this but on Windows, where one that is linked
 * into the program (MinGW's -static, -static-libstdc++) must be named before the first task begins:
 *
 *     ferry_use_cxx_runtime(reinterpret_cast<ferry_cxx_runtime *>(abi::__cxa_get_globals)); // <cxxabi.h>
 *
 * NULL: the one that is found. Visual Studio's runtime has no such function.
 *
 * Thread: any, while no task has begun. */
typedef void *ferry_cxx_runtime(void);
FERRY_API void ferry_use_cxx_runtime(ferry_cxx_runtime *get_globals);

/* ---- looking ---- */

/* Whether the future is a task. Thread: loop. */
FERRY_API bool ferry_future_is_task(const ferry_future *future);

/* The name (borrowed until the next set_name); NULL if it is no task (`get_name`). Thread: loop. */
FERRY_API const char *ferry_task_name(ferry_task *task);

/* Copies the name. Returns: 0, APR_EINVAL (no task, no name), APR_ENOMEM, FERRY_EWRONGTHREAD. Thread: loop. */
FERRY_API ferry_status ferry_task_set_name(ferry_task *task, const char *name);

/* The task whose function makes this call, or NULL (`asyncio.current_task`). Borrowed. Thread: any. */
FERRY_API ferry_task *ferry_current_task(void);

/* The loop's tasks that have not ended, oldest first (`asyncio.all_tasks`): writes at most `size` of them (borrowed)
 * and returns how many there are. Thread: loop. */
FERRY_API size_t ferry_all_tasks(const ferry_loop *loop, ferry_task **tasks, size_t size);

/* Writes the loop's tasks as a tree of who waits for whom, with names, origins and where each waits
 * (`asyncio.print_call_graph`), each tree once; in debug mode also how deep the stacks of tasks that have ended were,
 * by origin. `file` is a FILE * of <stdio.h>; NULL: stderr.
 *
 * Returns: 0, APR_EINVAL, FERRY_ECLOSED, FERRY_EWRONGTHREAD.
 * Thread:  loop. */
FERRY_API ferry_status ferry_loop_dump(ferry_loop *loop, void *file);

/* ---- cancelling ---- */

/* A task is cancelled as any future, by ferry_future_cancel: true says that the request was accepted, not that it has
 * ended. Each request counts; a task may undo them. One that is not delivered before the function returns makes a 0 of
 * its a cancellation; an error stays the task's outcome.
 *
 * How many requests have not been undone (`cancelling`); 0 if it is no task. Thread: loop. */
FERRY_API size_t ferry_task_cancelling(const ferry_task *task);

/* Undoes one request and returns how many are left (`uncancel`). With none left, one that has ended no wait yet never
 * will; a wait that it has ended returns FERRY_ECANCELED all the same. Thread: loop. */
FERRY_API size_t ferry_task_uncancel(ferry_task *task);

/* ---- waiting: these block the calling task, and nobody else ---- */

/* Waits until the future is done, and says only how the waiting went; the outcome is the future's to tell. Cancelling
 * the waiting task cancels the future (see ferry_shield for one that is not to be); if that is a task, or made of
 * tasks, and answers with another end, the wait is no longer cancelled, either. A socket's operation that was over by
 * then does not answer: the wait is cancelled, and what was received, or accepted, is the future's to tell all the
 * same. A future that is done already is no wait.
 *
 * Owns:    the future stays yours.
 * Returns: 0 once it is done, FERRY_ECANCELED (this task was cancelled), FERRY_ENOTASK (no task is calling),
 *          APR_EINVAL, FERRY_EWRONGLOOP, FERRY_EDEADLK (it waits for this task).
 * Thread:  loop, in a task. */
#define ferry_await(...) ferry_await_from(FERRY_HERE, __VA_ARGS__)
FERRY_API ferry_status ferry_await_from(const char *origin, ferry_future *future);

/* Where a value is put, and of which kind it is to be: FERRY_PLACE(&value) for an int, an int64_t (long, long long), a
 * double, or a pointer of any kind; for any other number (size_t, float) it does not compile. FERRY_PLACE(NULL), in C++
 * of nullptr: it is not wanted. */
typedef struct ferry_place {
    void *address;
    int kind;
} ferry_place;

enum { FERRY_PLACE_POINTER, FERRY_PLACE_INT, FERRY_PLACE_LONG, FERRY_PLACE_INT64, FERRY_PLACE_REAL };

/* FERRY_AWAIT(future, &value): waits, then takes the value, and returns both in one status: FERRY_ECANCELED only if
 * this task was cancelled, FERRY_EAWAITED_CANCELED if the future was, else its own outcome. A pointer is borrowed from
 * the future.
 *
 * Returns: as ferry_await; the future's error; FERRY_EWRONGTYPE: the value is of another kind, or too large for its
 *          place.
 * Thread:  loop, in a task. */
#define FERRY_AWAIT(future, ret_value) ferry_await_value_from(FERRY_HERE, future, FERRY_PLACE(ret_value))
FERRY_API ferry_status ferry_await_value_from(const char *origin, ferry_future *future, ferry_place place);

/* Waits for all of them, and then returns the first failure among them, by their order. A cancellation of this task
 * cancels all that are pending, at once, and is returned when these have ended, however they have.
 *
 * Returns: 0; as FERRY_AWAIT. With FERRY_RETURN_EXCEPTIONS only how the waiting went.
 * Thread:  loop, in a task. */
#define ferry_await_all(...) ferry_await_all_from(FERRY_HERE, __VA_ARGS__)
FERRY_API ferry_status ferry_await_all_from(const char *origin, ferry_future *const *futures, size_t count, int flags);

/* Waits until so much time has passed (`asyncio.sleep`). Not positive: the others that are ready have their turn.
 *
 * Units:   µs; FERRY_FOREVER: until it is cancelled.
 * Returns: 0, FERRY_ECANCELED, FERRY_ENOTASK, APR_ENOMEM.
 * Thread:  loop, in a task. */
#define ferry_sleep(duration_us) ferry_sleep_from(FERRY_HERE, duration_us)
FERRY_API ferry_status ferry_sleep_from(const char *origin, int64_t duration_us);

/* Delivers a cancellation that has not been delivered yet, without waiting for anything: for long computations.
 * Returns: 0, FERRY_ECANCELED, FERRY_ENOTASK. Thread: loop, in a task. */
FERRY_API ferry_status ferry_task_checkpoint(void);

/* Has `function(arg)` called when the calling task's function has returned, the last one first; it may wait. A
 * cancellation that comes to such a wait, or was not delivered before, and is not undone, makes a 0 of the task's
 * function a cancellation.
 *
 * Returns: 0, APR_EINVAL, APR_ENOMEM (then it is called at once), FERRY_ENOTASK. Thread: loop, in a task. */
FERRY_API ferry_status ferry_defer(ferry_free *function, void *arg);

/* ---- timeout scopes ---- */

/* A part of a task that must be over by a deadline (`asyncio.timeout`). Scopes nest; the one opened last is closed
 * first, by the task that opened it.
 *
 *     ferry_timeout *timeout;
 *     ferry_status status = ferry_timeout_open(1000000, &timeout);
 *     if (status)
 *         return status;
 *     status = fetch_both();
 *     return ferry_timeout_close(timeout, status); */
typedef struct ferry_timeout ferry_timeout;

/* Opens a scope that cancels the calling task once so much time has passed; not positive: at its next wait.
 *
 * Units:   µs; FERRY_FOREVER: no deadline yet, see reschedule. The second one: on the loop's clock (`timeout_at`).
 * Owns:    *ret_timeout is yours: ferry_timeout_close it.
 * Returns: 0, APR_EINVAL, APR_ENOMEM, FERRY_ENOTASK.
 * Thread:  loop, in a task. */
FERRY_API ferry_status ferry_timeout_open(int64_t timeout_us, ferry_timeout **ret_timeout);
FERRY_API ferry_status ferry_timeout_open_at(int64_t when_us, ferry_timeout **ret_timeout);

/* Moves the deadline (`reschedule`); FERRY_FOREVER takes it away.
 * Returns: 0, APR_EINVAL, APR_ENOMEM (the old one stays), FERRY_EINVALIDSTATE (it has expired). Thread: loop. */
FERRY_API ferry_status ferry_timeout_reschedule(ferry_timeout *timeout, int64_t when_us);

/* The deadline on the loop's clock, or FERRY_FOREVER (`when`). Thread: loop. */
FERRY_API int64_t ferry_timeout_when(const ferry_timeout *timeout);

/* Whether the deadline has passed while the scope was open (`expired`). Thread: loop. */
FERRY_API bool ferry_timeout_expired(const ferry_timeout *timeout);

/* Closes the scope, frees it, and returns the status with which the scope ends, given the one with which what stands in
 * it has ended: FERRY_ETIMEDOUT in place of FERRY_ECANCELED if that was this scope's own doing, and nobody else has
 * cancelled the task; else the same. Takes NULL. One that is open when the loop is closed is freed with its task, after
 * the task's deferred calls, which may close it. Thread: loop, in the task that opened it. */
FERRY_API ferry_status ferry_timeout_close(ferry_timeout *timeout, ferry_status status);

/* ---- task groups ---- */

/* Tasks that end before their group does (`asyncio.TaskGroup`). A child that fails cancels the others and interrupts
 * the task that owns the group, unless the group collects failures.
 *
 *     ferry_task_group *group;
 *     ferry_status status = ferry_task_group_open(0, &group);
 *     if (status)
 *         return status;
 *     status = ferry_task_group_create_task(group, fetch, "a", NULL);
 *     if (!status)
 *         status = ferry_task_group_create_task(group, fetch, "b", NULL);
 *     return ferry_task_group_close(group, status); */
typedef struct ferry_task_group ferry_task_group;

/* Opens a group of the calling task's; with FERRY_RETURN_EXCEPTIONS it collects failures: no child cancels another.
 *
 * Owns:    *ret_group is yours: ferry_task_group_close it.
 * Returns: 0, APR_EINVAL, APR_ENOMEM, FERRY_ENOTASK.
 * Thread:  loop, in a task. */
FERRY_API ferry_status ferry_task_group_open(int flags, ferry_task_group **ret_group);

/* Makes a task of the group's (`create_task`).
 *
 * Returns: as ferry_task_create; FERRY_EINVALIDSTATE: the children were cancelled, after a failure or by a call.
 * Thread:  loop. */
#define ferry_task_group_create_task(...) ferry_task_group_create_task_from(FERRY_HERE, __VA_ARGS__)
FERRY_API ferry_status ferry_task_group_create_task_from(const char *origin, ferry_task_group *group,
                                                         ferry_function *function, void *arg, ferry_task **ret_task);
#define ferry_task_group_create_task_with(...) ferry_task_group_create_task_with_from(FERRY_HERE, __VA_ARGS__)
FERRY_API ferry_status ferry_task_group_create_task_with_from(const char *origin, ferry_task_group *group,
                                                              const ferry_task_options *options,
                                                              ferry_task **ret_task);

/* Cancels the children that have not ended, and no more can be made. One that ends cancelled is no failure; one that
 * answers with an error is, and the group ends with that. Thread: loop. */
FERRY_API void ferry_task_group_cancel(ferry_task_group *group);

/* The children that have failed, by the order in which they did (borrowed until the group is closed), or NULL.
 * Thread: loop. */
FERRY_API ferry_task *ferry_task_group_failed(const ferry_task_group *group, size_t index);

/* Waits until every child has ended, whatever happens, then frees the group and returns the status with which it ends,
 * given the one with which what stands in it has ended: the error that came first, of a child or the given one; else
 * FERRY_ECANCELED if this task was cancelled by others. A status other than 0 cancels the children. Takes NULL. One
 * that is open when the loop is closed is freed as a timeout is; closing it then, or in a child made by fork, waits for
 * nobody, and returns the given status.
 *
 * Thread: loop, in the task that opened it. */
#define ferry_task_group_close(...) ferry_task_group_close_from(FERRY_HERE, __VA_ARGS__)
FERRY_API ferry_status ferry_task_group_close_from(const char *origin, ferry_task_group *group, ferry_status status);

/* The same, but *ret_failed is one reference to the first child that failed, for its words; or NULL. Thread: as
 * close. */
#define ferry_task_group_join(...) ferry_task_group_join_from(FERRY_HERE, __VA_ARGS__)
FERRY_API ferry_status ferry_task_group_join_from(const char *origin, ferry_task_group *group, ferry_status status,
                                                  ferry_task **ret_failed);

#ifdef __cplusplus
}

/* In C++ an overload for each kind of value. */
inline ferry_place ferry_place_of(int *address) {
    return {address, FERRY_PLACE_INT};
}
inline ferry_place ferry_place_of(long *address) {
    return {address, FERRY_PLACE_LONG};
}
inline ferry_place ferry_place_of(long long *address) {
    return {address, FERRY_PLACE_INT64};
}
inline ferry_place ferry_place_of(double *address) {
    return {address, FERRY_PLACE_REAL};
}
template <typename T>
inline ferry_place ferry_place_of(T **address) {
    return {static_cast<void *>(address), FERRY_PLACE_POINTER};
}
inline ferry_place ferry_place_of(decltype(nullptr)) {
    return {nullptr, FERRY_PLACE_POINTER};
}
#define FERRY_PLACE(ret_value) ferry_place_of(ret_value)
template <typename... Futures>
inline ferry_status ferry_await_each_from(const char *origin, Futures *...futures) {
    ferry_future *const all[] = {futures...};
    return ferry_await_all_from(origin, all, sizeof...(futures), 0);
}
#define FERRY_AWAIT_ALL(...) ferry_await_each_from(FERRY_HERE, __VA_ARGS__)
#else
/* What is no kind, and does not compile as one. */
struct ferry_no_place {
    char nothing;
};
#define FERRY_NO_PLACE ((struct ferry_no_place){0})
#define FERRY_PLACE(ret_value)                                                                                \
    ((ferry_place){(ret_value), _Generic((ret_value), int *: FERRY_PLACE_INT, long *: FERRY_PLACE_LONG,       \
                                         long long *: FERRY_PLACE_INT64, double *: FERRY_PLACE_REAL,          \
                                         _Bool *: FERRY_NO_PLACE, char *: FERRY_NO_PLACE,                     \
                                         signed char *: FERRY_NO_PLACE, unsigned char *: FERRY_NO_PLACE,      \
                                         short *: FERRY_NO_PLACE, unsigned short *: FERRY_NO_PLACE,           \
                                         unsigned *: FERRY_NO_PLACE, unsigned long *: FERRY_NO_PLACE,         \
                                         unsigned long long *: FERRY_NO_PLACE, float *: FERRY_NO_PLACE,       \
                                         long double *: FERRY_NO_PLACE, default: FERRY_PLACE_POINTER)})
#define FERRY_AWAIT_ALL(...)                                                            \
    ferry_await_all((ferry_future *const[]){__VA_ARGS__},                               \
                    sizeof((ferry_future *const[]){__VA_ARGS__}) / sizeof(ferry_future *), 0)
#endif

#endif
