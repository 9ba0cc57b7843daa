/* SPDX-License-Identifier: Apache-2.0 */
/* A thread and a gate for tests that need a second thread: started, joined and waited for in one line each. A gate that
 * stays shut fails the test rather than hanging it. */
#ifndef FERRY_TESTS_SUPPORT_THREADS_H
#define FERRY_TESTS_SUPPORT_THREADS_H

#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>
#include <apr_thread_proc.h>

#include "support/harness.h"

typedef struct helper_thread {
    void (*run)(void *arg);
    void *arg;
    apr_pool_t *pool;
    apr_thread_t *thread;
} helper_thread;

static inline void *APR_THREAD_FUNC helper_thread_main(apr_thread_t *thread, void *helper) {
    helper_thread *self = helper;
    self->run(self->arg);
    apr_thread_exit(thread, APR_SUCCESS);
    return NULL;
}

static inline void thread_start(helper_thread *helper, void (*run)(void *arg), void *arg) {
    helper->run = run;
    helper->arg = arg;
    CHECK_STATUS(apr_pool_create(&helper->pool, NULL), 0);
    CHECK_STATUS(apr_thread_create(&helper->thread, NULL, helper_thread_main, helper, helper->pool), 0);
}

static inline void thread_join(helper_thread *helper) {
    apr_status_t result;
    CHECK_STATUS(apr_thread_join(&result, helper->thread), 0);
    apr_pool_destroy(helper->pool);
}

/* Runs it on another thread from beginning to end. */
static inline void on_another_thread(void (*run)(void *arg), void *arg) {
    helper_thread helper;
    thread_start(&helper, run, arg);
    thread_join(&helper);
}

typedef struct gate {
    apr_pool_t *pool;
    apr_thread_mutex_t *mutex;
    apr_thread_cond_t *opened;
    bool open;
} gate;

static inline void gate_init(gate *door) {
    door->open = false;
    CHECK_STATUS(apr_pool_create(&door->pool, NULL), 0);
    CHECK_STATUS(apr_thread_mutex_create(&door->mutex, APR_THREAD_MUTEX_DEFAULT, door->pool), 0);
    CHECK_STATUS(apr_thread_cond_create(&door->opened, door->pool), 0);
}

static inline void gate_fini(gate *door) {
    apr_pool_destroy(door->pool);
}

static inline void gate_open(gate *door) {
    apr_thread_mutex_lock(door->mutex);
    door->open = true;
    apr_thread_cond_broadcast(door->opened);
    apr_thread_mutex_unlock(door->mutex);
}

/* Waits until somebody opens it, for a minute at most. */
static inline void gate_wait(gate *door) {
    apr_status_t status = APR_SUCCESS;
    apr_thread_mutex_lock(door->mutex);
    while (!door->open && !status)
        status = apr_thread_cond_timedwait(door->opened, door->mutex, 60 * APR_USEC_PER_SEC);
    bool open = door->open;
    apr_thread_mutex_unlock(door->mutex);
    CHECK(open);
}

#endif
