/* SPDX-License-Identifier: Apache-2.0 */
/* Hosts: APR thread pools used in the one way that is free of their traps.
 *
 * A host is made with no initial threads and an idle limit of 0, so one push starts one thread, and the thread ends
 * when its drain returns. APR forgets 48 bytes for every thread that comes and goes, and it can be destroyed safely
 * only when every thread has ended to its last touch. Hence several hosts in the process, few at a time: a host is used
 * for so many threads, and destroyed by the last of them.
 *
 * Two of APR's races are kept away here:
 *   - A new thread allocates from the host's pool before it takes APR's lock. So a host starts one thread at a time:
 *     `starting` holds until the drain runs, and meanwhile another host serves.
 *   - A thread whose drain has returned looks for another task before it ends, and could run a drain that was pushed
 *     for a new thread, which would then come and go unseen. So a host is used only when the threads that APR counts
 *     are exactly those whose drains have not returned, and no drain returns while its host is starting a thread.
 * With both, every thread runs exactly one drain, and `alive` (threads whose exit hook has not run) is exact.
 *
 * All fields belong to the hosts' lock. */
#include "executor/host.h"

#include <apr_allocator.h>
#include <apr_general.h>
#include <apr_thread_mutex.h>
#include <apr_thread_pool.h>

#include "base/alloc.h"
#include "executor/lot.h"

enum { THREADS_OF_A_HOST = 512, THREADS_MAX = 1 << 20 };

struct fy_host {
    fy_host *next;
    apr_pool_t *pool;
    apr_thread_pool_t *threads;
    size_t started; /* ever */
    size_t running; /* drains that have not returned */
    size_t alive;   /* threads that have not ended */
    bool starting;
    bool is_uncertain; /* a thread's end could not be hooked: never destroyed */
};

static fy_host *hosts;
static unsigned hosts_generation;
static bool is_apr_open;

/* A pool of its own with an allocator of its own. The threads' pools are its children: they come and go at any time, and
 * APR guards the list of children by the allocator's mutex, if it has one. */
static ferry_status create_apr_pool(apr_pool_t **ret_pool) {
    apr_allocator_t *allocator = NULL;
    ferry_status status = apr_allocator_create(&allocator);
    if (status)
        return status;
    apr_pool_t *pool = NULL;
    status = apr_pool_create_unmanaged_ex(&pool, NULL, allocator);
    if (status) {
        apr_allocator_destroy(allocator);
        return status;
    }
    apr_allocator_owner_set(allocator, pool);
    apr_thread_mutex_t *mutex = NULL;
    status = apr_thread_mutex_create(&mutex, APR_THREAD_MUTEX_DEFAULT, pool);
    if (status) {
        apr_pool_destroy(pool);
        return status;
    }
    apr_allocator_mutex_set(allocator, mutex);
    *ret_pool = pool;
    return 0;
}

/* The mutex lies in the pool, so it is not used to destroy it. */
static void destroy_apr_pool(apr_pool_t *pool) {
    apr_allocator_mutex_set(apr_pool_allocator_get(pool), NULL);
    apr_pool_destroy(pool);
}

static ferry_status create_host(fy_host **ret_host) {
    fy_host *host = fy_calloc(sizeof *host);
    if (!host)
        return APR_ENOMEM;
    ferry_status status = create_apr_pool(&host->pool);
    if (status)
        goto fail_pool;
    status = apr_thread_pool_create(&host->threads, 0, THREADS_MAX, host->pool);
    if (status)
        goto fail_threads;
    apr_thread_pool_idle_max_set(host->threads, 0);
    host->next = hosts;
    hosts = host;
    *ret_host = host;
    return 0;

fail_threads:
    destroy_apr_pool(host->pool);
fail_pool:
    fy_free(host);
    return status;
}

static void destroy_host(fy_host *host) {
    fy_host **link = &hosts;
    while (*link != host)
        link = &(*link)->next;
    *link = host->next;
    apr_thread_pool_destroy(host->threads);
    destroy_apr_pool(host->pool);
    fy_free(host);
}

/* A child made by fork leaves its parent's hosts alone. */
static ferry_status open_apr(void) {
    if (hosts_generation != fy_fork_generation()) {
        hosts = NULL;
        hosts_generation = fy_fork_generation();
    }
    if (is_apr_open)
        return 0;
    ferry_status status = apr_initialize();
    is_apr_open = !status;
    return status;
}

static bool can_start(const fy_host *host) {
    return !host->starting && host->started < THREADS_OF_A_HOST &&
           apr_thread_pool_threads_count(host->threads) == host->running;
}

static ferry_status find_host(fy_host **ret_host) {
    ferry_status status = open_apr();
    if (status)
        return status;
    for (fy_host *host = hosts; host; host = host->next)
        if (can_start(host)) {
            *ret_host = host;
            return 0;
        }
    return create_host(ret_host);
}

/* One host without threads is kept for the next start. */
static bool is_spare(const fy_host *host) {
    if (host->started >= THREADS_OF_A_HOST)
        return true;
    for (const fy_host *other = hosts; other; other = other->next)
        if (other != host && !other->alive && other->started < THREADS_OF_A_HOST)
            return true;
    return false;
}

static void thread_has_ended(void *arg) {
    fy_drain *drain = arg;
    fy_mutex_lock(fy_hosts_lock());
    fy_host *host = drain->host;
    host->alive--;
    if (!host->alive && !host->is_uncertain && is_spare(host))
        destroy_host(host);
    fy_mutex_unlock(fy_hosts_lock());
    drain->gone(drain);
}

/* A thread that is being started takes its task within a moment. */
static void note_returned(fy_host *host) {
    fy_mutex_lock(fy_hosts_lock());
    while (host->starting) {
        fy_mutex_unlock(fy_hosts_lock());
        fy_thread_yield();
        fy_mutex_lock(fy_hosts_lock());
    }
    host->running--;
    fy_mutex_unlock(fy_hosts_lock());
}

static void *APR_THREAD_FUNC run_drain(apr_thread_t *thread, void *arg) {
    (void)thread;
    fy_drain *drain = arg;
    fy_host *host = drain->host;
    bool is_hooked = fy_thread_at_exit(thread_has_ended, drain) == 0;
    fy_mutex_lock(fy_hosts_lock());
    host->starting = false;
    host->is_uncertain |= !is_hooked;
    fy_mutex_unlock(fy_hosts_lock());
    drain->run(drain);
    note_returned(host);
    if (!is_hooked)
        thread_has_ended(drain);
    return NULL;
}

ferry_status fy_host_start(fy_drain *drain) {
    fy_host *host = NULL;
    fy_mutex_lock(fy_hosts_lock());
    ferry_status status = find_host(&host);
    if (!status) {
        drain->host = host;
        host->starting = true;
        host->started++;
        host->running++;
        host->alive++;
        status = apr_thread_pool_push(host->threads, run_drain, drain, APR_THREAD_TASK_PRIORITY_NORMAL, drain);
        if (status) {
            /* A failed push has queued its task all the same; it must not run later. */
            apr_thread_pool_tasks_cancel(host->threads, drain);
            host->starting = false;
            host->running--;
            host->alive--;
            status = FERRY_ENOTHREAD;
        }
    }
    fy_mutex_unlock(fy_hosts_lock());
    return status;
}
