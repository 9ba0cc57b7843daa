/* SPDX-License-Identifier: Apache-2.0 */
/* The simulated executor, as its two files see it. All of it belongs to the loop's thread. */
#ifndef FERRY_SIM_EXECUTOR_H
#define FERRY_SIM_EXECUTOR_H

#include "executor/executor.h"
#include "executor/frame.h"
#include "loop/loop.h"
#include "sim/sim.h"

typedef struct fy_sim_executor fy_sim_executor;

/* A job in the queue. */
typedef struct fy_sim_task {
    fy_node node;
    ferry_job *job;      /* the executor's reference */
    int64_t deadline_us; /* of its start, on virtual time */
} fy_sim_task;

/* Why a job ends otherwise than its function does. */
typedef enum fy_sim_death { FY_SIM_LIVES, FY_SIM_DIES_BEFORE, FY_SIM_DIES_AFTER, FY_SIM_TOO_LATE } fy_sim_death;

typedef struct fy_sim_worker {
    fy_worker_view view;
    char name[24];
    fy_sim_executor *executor;
    ferry_job *job;           /* NULL: it is free */
    bool is_claimed;
    bool is_inside;           /* the job's function is being called */
    bool is_asked_to_stop;
    fy_sim_death death;
    int64_t deadline_us;      /* on virtual time: later it does not start, or is asked to stop */
    int64_t rest_us;          /* of the job's time, after its function was called */
    ferry_status status;      /* what that returned */
    ferry_callback *step;     /* what comes next */
    ferry_handle *timer;      /* when; one reference */
} fy_sim_worker;

/* Somebody awaits its end. */
typedef struct fy_sim_end {
    struct fy_sim_end *next;
    fy_sim_executor *executor;
    ferry_future *future;     /* one reference */
    ferry_handle *timer;      /* of the time limit, one reference, or NULL */
} fy_sim_end;

/* Each job that has not ended holds a reference to the executor. */
struct fy_sim_executor {
    ferry_executor base;
    ferry_loop *loop;         /* held */
    fy_close_hook close_hook;
    ferry_sim_executor_options options;
    fy_list queue;            /* of fy_sim_task */
    size_t jobs;              /* in the queue and with workers */
    bool is_closed;
    bool is_dispatching;
    bool is_hurrying;         /* every step is made at once */
    fy_sim_end *ends;
    uint64_t done, failed, cancelled, deaths;
    fy_sim_worker workers[];
};

static inline fy_sim_executor *fy_sim_executor_of(ferry_executor *executor) {
    return FY_CONTAINER(executor, fy_sim_executor, base);
}

/* The simulation under it. The loop's backend is open. */
static inline fy_sim *fy_sim_of_executor(fy_sim_executor *self) {
    return fy_sim_of(self->loop->backend);
}

/* ---- executor.c ---- */

/* Takes the job of a worker, which has not been claimed, back from it, and ends it unrun. */
void fy_sim_worker_drop(fy_sim_worker *worker);

/* The worker's job has ended. */
void fy_sim_worker_release(fy_sim_worker *worker);

/* Takes the oldest job out of the queue; the reference is the caller's. NULL: it is empty. */
ferry_job *fy_sim_queue_pop(fy_sim_executor *self, int64_t *ret_deadline_us);

/* One job less. To be called last: it may have been the last reference. */
void fy_sim_executor_forget_job(fy_sim_executor *self);

/* Makes the next step of every worker, and what follows from it, at once. */
void fy_sim_executor_hurry(fy_sim_executor *self);

/* ---- executor_end.c ---- */

ferry_status fy_sim_executor_shutdown(ferry_executor *executor, bool wait, bool cancel_futures, int64_t timeout_us);
ferry_status fy_sim_executor_check_default(ferry_executor *executor, const ferry_loop *loop);
ferry_status fy_sim_executor_end_default(ferry_executor *executor, const char *origin, ferry_loop *loop,
                                         int64_t timeout_us, ferry_future **ret_future);

/* The last job has ended: who awaited that is told. */
void fy_sim_executor_tell_end(fy_sim_executor *self);

/* The loop closes. */
void fy_sim_executor_loop_closes(fy_close_hook *hook);

#endif
