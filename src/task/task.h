/* SPDX-License-Identifier: Apache-2.0 */
/* What is behind a ferry_task. It belongs to its loop's thread alone.
 *
 *   stage      context   what brings it on                                     self reference
 *   CREATED    none      `wake`, in the ready queue                            yes
 *   RUNNING    its own   it runs, or has made an eager task that does          yes
 *   SUSPENDED  its own   `wake`: in the ready queue, or in the callback list   yes
 *                        of `awaited`; or `timer`
 *   ENDED      none      -                                                     no
 *
 * A cancel request goes to what the task waits for, if that can still be cancelled; else it is kept (`must_cancel`) and
 * delivered at the next suspension. Either way `is_passed_on` says that it has ended, or will end, the present wait,
 * which is then cancelled whether or not the request is undone. */
#ifndef FERRY_TASK_TASK_H
#define FERRY_TASK_TASK_H

#include "executor/job.h"
#include "ferry/task.h"
#include "seam/context.h"

enum { FY_TASK_CREATED, FY_TASK_RUNNING, FY_TASK_SUSPENDED, FY_TASK_ENDED };

typedef struct fy_task fy_task;
typedef struct fy_defer fy_defer;
typedef struct fy_scope fy_scope;

struct fy_task {
    fy_async_job cell;        /* the call that the function is given, and the future */
    ferry_handle wake;        /* never freed by itself: one reference is the task's */
    /* what stopping and going on touches lies together, beside `wake` */
    fy_context *context;
    fy_task *resumer;         /* whose step this step was made in: eager; or NULL */
    ferry_future *awaited;    /* one reference; NULL: it waits for no future */
    const char *waits_at;     /* where it waits: the call's origin */
    fy_error *cancel_words;   /* of the last request, or NULL */
    fy_defer *defers;         /* last first */
    struct fy_values *values; /* its own; NULL: none */
    uint32_t cancelling;
    uint8_t stage;
    bool must_cancel;
    bool is_passed_on;
    bool is_passing_on;       /* only while the request is made */
    /* the rest */
    fy_task *next, *previous; /* of the loop's tasks that have not ended, oldest first */
    ferry_handle *timer;      /* one reference; it sleeps */
    fy_task *sibling, *previous_sibling; /* in a group */
    ferry_task_group *joined; /* whose children it waits for, or NULL */
    void (*ended)(fy_task *task, void *arg); /* told when the future has ended; or NULL */
    void *ended_arg;
    ferry_context *given;     /* or NULL: then these instead of `values`; one reference */
    char *name;               /* or NULL: made of the number */
    uint64_t number;
    size_t stack_size;
    bool is_shown;            /* only while the tasks are dumped */
    fy_scope *scopes;         /* that it has open, the innermost first */
};

/* How deep the stacks of the tasks made at one place have been. */
typedef struct fy_census {
    const char *origin;
    size_t deepest;
    size_t tasks;
} fy_census;

/* A loop's. */
typedef struct fy_tasks {
    ferry_loop *loop;
    fy_task *first, *last;    /* that have not ended */
    size_t count;
    fy_task *current;
    fy_context *own;          /* the thread's, while tasks run on it in this run of the loop */
    fy_context *free;         /* stacks of the loop's size */
    size_t free_count;
    size_t stack_size;
    uint64_t numbers;
    fy_census *census;        /* in debug mode */
    size_t census_count;
    char name[32];            /* what an unnamed task was called last */
} fy_tasks;

static inline fy_task *fy_task_of(const ferry_future *future) {
    return FY_CONTAINER(future, fy_task, cell.future);
}

static inline ferry_loop *fy_task_loop(const fy_task *task) {
    return task->wake.loop;
}

static inline fy_tasks *fy_task_tasks(const fy_task *task) {
    return fy_task_loop(task)->tasks.state;
}

/* task.c: the loop's tasks, made at the first one. Returns: 0, APR_ENOMEM. */
ferry_status fy_tasks_of(ferry_loop *loop, fy_tasks **ret_tasks);

/* Of the right size, and free of contradictions. */
bool fy_task_options_are_sane(const ferry_task_options *options);

/* Makes a task, perhaps in a group. */
ferry_status fy_task_create(const char *origin, ferry_loop *loop, const ferry_task_options *options,
                            ferry_task_group *group, ferry_task **ret_task);

/* The task that calls, or NULL. */
fy_task *fy_task_current(void);

/* The name, for a moment. */
const char *fy_task_show_name(fy_task *task);

/* Hands a cancel request to what the task waits for, or keeps it for its next suspension. */
void fy_task_pass_on(fy_task *task, const char *message);

/* The function has returned, or was never called: ends the future. */
void fy_task_end(fy_task *task, ferry_status status);
void fy_task_end_cancelled(fy_task *task);

/* task_group.c */
void fy_task_group_adopt(ferry_task_group *group, fy_task *child);
fy_task *fy_task_group_first(const ferry_task_group *group);

/* coroutine.c: makes the first, or the next step of the task, on its own stack, here and now; it may be gone then.
 * done: what it has waited for, whose reference is given up behind the step; or NULL. */
void fy_task_step(fy_task *task, ferry_future *done);

/* The turn of a task's `wake` has come. */
void fy_task_wake(ferry_handle *wake);

/* Queues the next step of a task that nothing else would bring on. */
void fy_task_make_ready(fy_task *task);

/* Stops the calling task until somebody steps it. */
void fy_task_suspend(fy_task *task, const char *origin);

/* Waits for a future of the task's loop that is not done; meanwhile a reference of the caller's is the task's: one that
 * never goes on gives it up. Returns: 0, FERRY_ECANCELED. */
ferry_status fy_task_wait_owned(fy_task *task, const char *origin, ferry_future *future);

/* The same for one of those that `all` stands for, which is pending, the task's meanwhile, and told of requests. */
ferry_status fy_task_wait_among(fy_task *task, const char *origin, ferry_future *future, ferry_future *all);

/* Takes the request that is to be delivered now. */
bool fy_task_take_cancel(fy_task *task);

/* The same behind a wait for no future, also if it was cut short by a request that has been undone since. */
bool fy_task_take_interruption(fy_task *task);

/* The thread leaves the loop; the stacks that nobody uses go. */
void fy_coroutine_leave(ferry_loop *loop);
void fy_coroutine_free_stacks(fy_tasks *tasks);

/* Takes the stack of a task away: it has ended, or never will. */
void fy_coroutine_release(fy_task *task);

/* await.c: as fy_task_wait_owned, of a future that stays the caller's. */
ferry_status fy_task_wait(fy_task *task, const char *origin, ferry_future *future);

/* place.c: puts the value of a future that is done with a result where it is wanted.
 * Returns: 0, FERRY_EWRONGTYPE. */
ferry_status fy_place_put(ferry_place place, const ferry_future *future);

/* defer.c: calls what was deferred; a request that came meanwhile is kept for the task's end. */
void fy_task_run_defers(fy_task *task);

/* task_close.c: cancels the loop's tasks, and makes turns until those that there were have ended, or so much time has
 * passed. On a thread that runs another loop, and in a child made by fork, it does nothing. */
void fy_tasks_end(ferry_loop *loop, int64_t timeout_us);

/* The loop is closing. */
void fy_tasks_close(ferry_loop *loop);
void fy_tasks_abandon(ferry_loop *loop);

#endif
