/* SPDX-License-Identifier: Apache-2.0 */
/* What the calling thread is running: a stack of jobs, for a job that waits may run another one meanwhile; and the
 * worker it is, if it is one. Each thread sees its own only. */
#ifndef FERRY_EXECUTOR_FRAME_H
#define FERRY_EXECUTOR_FRAME_H

#include <stdbool.h>

#include "ferry/executor.h"

typedef struct fy_frame {
    ferry_job *job;
    struct fy_frame *outer;
} fy_frame;

/* A thread of a pool, as the rest of the floor sees it. */
typedef struct fy_worker_view {
    const char *name;
    ferry_executor *executor;
    /* Whether the executor was asked to cancel what this worker runs now. */
    bool (*is_cancelled)(struct fy_worker_view *worker);
    /* It has ended its job and is about to run user code before it looks for the next one. May be NULL. */
    void (*will_call_back)(struct fy_worker_view *worker);
    /* What it waits for may need this very thread. */
    bool must_not_block;
    /* Has its job take that much longer in virtual time, instead of blocking. NULL: its thread may block. */
    void (*sleep)(struct fy_worker_view *worker, int64_t duration_us);
} fy_worker_view;

void fy_frame_push(fy_frame *frame, ferry_job *job);
void fy_frame_pop(fy_frame *frame);

/* The innermost one, or NULL. */
const fy_frame *fy_frame_current(void);

/* The name of the worker, or NULL. */
const char *fy_frame_worker(void);

/* Sets it for a thread that is no pool's; returns the former one. */
const char *fy_frame_set_worker(const char *name);

/* The pool's thread enters and leaves (NULL). */
void fy_frame_set_worker_view(fy_worker_view *worker);
fy_worker_view *fy_frame_worker_view(void);

/* Whether this thread is a worker whose executor was asked to cancel what it runs. */
bool fy_frame_is_cancelled(void);

#endif
