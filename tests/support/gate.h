/* SPDX-License-Identifier: Apache-2.0 */
/* Gates, which hold jobs where a test wants them. It decides how a test waits for something that another thread does:
 * for an event, with the watchdog as the deadline. It knows nothing of executors.
 *
 *     fy_gate_init(&door);
 *     ferry_executor_submit(pool, fy_gate_job, &door, &job);
 *     fy_gate_await(&door, 1);           the job runs, and stands at the gate
 *     ...
 *     fy_gate_open(&door);
 *     ferry_executor_close(pool);
 *     fy_gate_fini(&door); */
#ifndef FERRY_TESTS_SUPPORT_GATE_H
#define FERRY_TESTS_SUPPORT_GATE_H

#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>

#include "ferry/job.h"
#include "support/harness.h"

/* Waits for what can only be looked at, not waited for. */
#define FY_AWAIT(condition)           \
    do {                              \
        while (!(condition))          \
            ferry_thread_sleep(200);  \
    } while (0)

/* ---- which thread ---- */

static _Thread_local char fy_thread_mark;

/* Something that differs for every thread alive, and needs no system header. */
static inline void *fy_this_thread(void) {
    return &fy_thread_mark;
}

/* ---- gates ---- */

typedef struct fy_gate {
    apr_pool_t *pool;
    apr_thread_mutex_t *mutex;
    apr_thread_cond_t *changed;
    size_t arrived;
    bool is_open;
} fy_gate;

static inline void fy_gate_init(fy_gate *door) {
    *door = (fy_gate){0};
    CHECK_STATUS(apr_pool_create(&door->pool, NULL), 0);
    CHECK_STATUS(apr_thread_mutex_create(&door->mutex, APR_THREAD_MUTEX_DEFAULT, door->pool), 0);
    CHECK_STATUS(apr_thread_cond_create(&door->changed, door->pool), 0);
}

/* Nobody may use it any more: close what runs the jobs first. Taking the lock once more lets the last one go out of
 * it. */
static inline void fy_gate_fini(fy_gate *door) {
    apr_thread_mutex_lock(door->mutex);
    apr_thread_mutex_unlock(door->mutex);
    apr_pool_destroy(door->pool);
}

/* Tells who awaits the gate, and goes on. */
static inline void fy_gate_arrive(fy_gate *door) {
    apr_thread_mutex_lock(door->mutex);
    door->arrived++;
    apr_thread_cond_broadcast(door->changed);
    apr_thread_mutex_unlock(door->mutex);
}

/* Arrives, then waits until the gate is open. */
static inline void fy_gate_pass(fy_gate *door) {
    apr_thread_mutex_lock(door->mutex);
    door->arrived++;
    apr_thread_cond_broadcast(door->changed);
    while (!door->is_open)
        apr_thread_cond_wait(door->changed, door->mutex);
    apr_thread_mutex_unlock(door->mutex);
}

static inline void fy_gate_open(fy_gate *door) {
    apr_thread_mutex_lock(door->mutex);
    door->is_open = true;
    apr_thread_cond_broadcast(door->changed);
    apr_thread_mutex_unlock(door->mutex);
}

/* Waits until `count` have arrived, counted from the beginning. */
static inline void fy_gate_await(fy_gate *door, size_t count) {
    apr_thread_mutex_lock(door->mutex);
    while (door->arrived < count)
        apr_thread_cond_wait(door->changed, door->mutex);
    apr_thread_mutex_unlock(door->mutex);
}

static inline size_t fy_gate_arrived(fy_gate *door) {
    apr_thread_mutex_lock(door->mutex);
    size_t arrived = door->arrived;
    apr_thread_mutex_unlock(door->mutex);
    return arrived;
}

/* A job that passes the gate it is given. */
static inline ferry_status fy_gate_job(void *door, ferry_call *call) {
    (void)call;
    fy_gate_pass(door);
    return 0;
}

#endif
