/* SPDX-License-Identifier: Apache-2.0 */
/* Hosts: APR thread pools used in the one way that is free of their traps.
 *
 * A host is made with no initial threads and an idle limit of 0, so one push starts one thread, and the thread ends
 * when its drain returns. APR forgets 48 bytes for every thread that comes and goes, and it can be destroyed safely
 * only when every thread has ended to its last touch. Hence several hosts in the process, few at a time: a host is used
 * for so many threads, and destroyed some time after the last of them: when a thread is started or waited for, or when
 * the process exits.
 *
 * Three of APR's traps are kept away from here:
 *   - A new thread allocates from the host's pool before it takes APR's lock. So a host starts one thread at a time,
 *     and meanwhile another host serves.
 *   - A thread whose drain has returned looks for another task before it ends, and could run a drain that was pushed
 *     for a new thread, which would then come and go unseen. So a host starts a thread only if each of its threads
 *     whose drain has returned has ended, and no drain returns while its host is starting one.
 *   - Whoever pushes, cancels or destroys joins the threads that have ended, and nobody else does. So that is done
 *     without the hosts' lock, which an ending thread needs; only while no thread is between its drain's return and its
 *     exit hook, for destructors of the user's run there, which may wait for others; and not by a thread that has run
 *     its hook. A drain that returns has those joined that ended before it, so dead threads do not pile up.
 * With all this, every thread is started for exactly one drain, and `alive` (threads whose exit hook has not run) is
 * exact. To APR, a thread that is kept for other drains (thread_cache.c) is in its first one still.
 *
 * All fields belong to the hosts' lock, but whoever has counted himself in `users` calls APR without it. */
#include "executor/host.h"

#include <apr_allocator.h>
#include <apr_general.h>
#include <apr_thread_mutex.h>
#include <apr_thread_pool.h>

#include "base/alloc.h"
#include "executor/lot.h"
#include "executor/thread_cache.h"

enum { THREADS_OF_A_HOST = 512, THREADS_MAX = 1 << 20 };

typedef struct fy_host {
    struct fy_host *next;
    apr_allocator_t *allocator; /* the pool's; APR's own pointer to it lies where no leak checker looks */
    apr_pool_t *pool;
    apr_thread_pool_t *threads;
    size_t started; /* ever */
    size_t running; /* drains that have not returned */
    size_t alive;   /* threads that have not ended */
    struct fy_hosted *starting; /* until it runs: what only APR knows, no leak checker finds */
    unsigned users; /* who starts a thread, and the thread itself until its drain runs; or who joins */
    bool is_uncertain; /* a thread's end could not be hooked: never used again, never destroyed */
} fy_host;

/* A thread, from before its start until its exit hook. */
typedef struct fy_hosted {
    fy_host *host;
    fy_drain *drain; /* that does not know yet that the thread ends; may be NULL */
    unsigned generation;
    fy_exit_call at_exit;
    fy_kept_thread kept;
} fy_hosted;

static fy_host *hosts;
static unsigned hosts_generation;
static bool is_apr_open;
static _Thread_local bool is_hosted;
static _Thread_local bool has_ended; /* this thread has run its exit hook: to join those that ended is to join itself */

/* A pool of its own with an allocator of its own. The threads' pools are its children: they come and go at any time,
 * and APR guards the list of children by the allocator's mutex, if it has one. */
static ferry_status create_apr_pool(apr_allocator_t **ret_allocator, apr_pool_t **ret_pool) {
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
    *ret_allocator = allocator;
    *ret_pool = pool;
    return 0;
}

/* The mutex lies in the pool, so it is not used to destroy it. */
static void destroy_apr_pool(fy_host *host) {
    apr_allocator_mutex_set(host->allocator, NULL);
    apr_pool_destroy(host->pool);
}

static ferry_status create_host(fy_host **ret_host) {
    fy_host *host = fy_calloc(sizeof *host);
    if (!host)
        return APR_ENOMEM;
    ferry_status status = create_apr_pool(&host->allocator, &host->pool);
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
    destroy_apr_pool(host);
fail_pool:
    fy_free(host);
    return status;
}

/* Destroys hosts whose threads have all ended. Without the lock. */
static void destroy_hosts(fy_host *host) {
    while (host) {
        fy_host *next = host->next;
        apr_thread_pool_destroy(host->threads);
        destroy_apr_pool(host);
        fy_free(host);
        host = next;
    }
}

/* Takes hosts without threads out of the list: with `and_spare` all, else those that have served their time, and all
 * but one of the others. Under the lock. */
static fy_host *take_empty(bool and_spare) {
    fy_host *taken = NULL;
    bool has_spare = and_spare;
    for (fy_host **link = &hosts; *link;) {
        fy_host *host = *link;
        bool is_empty = !host->alive && !host->users && !host->is_uncertain;
        if (is_empty && (has_spare || host->started >= THREADS_OF_A_HOST)) {
            *link = host->next;
            host->next = taken;
            taken = host;
        } else {
            has_spare |= is_empty;
            link = &host->next;
        }
    }
    return taken;
}

/* Whether each of its threads that ends has run its exit hook; while somebody uses the host no other drain returns. */
static bool is_settled(const fy_host *host) {
    return !host->users && !host->is_uncertain && host->alive == host->running;
}

/* Has APR join the threads that have ended, if that is safe now; no task has this owner. Under the lock, which is given
 * up meanwhile. */
static void join_ended(fy_host *host) {
    if (!is_settled(host))
        return;
    host->users = 1;
    fy_mutex_unlock(fy_hosts_lock());
    apr_thread_pool_tasks_cancel(host->threads, host);
    fy_mutex_lock(fy_hosts_lock());
    host->users = 0;
}

/* A child made by fork leaves its parent's hosts alone. */
static ferry_status open_apr(void) {
    if (hosts_generation != fy_fork_generation()) {
        hosts = NULL;
        fy_thread_cache_forget();
        hosts_generation = fy_fork_generation();
    }
    if (is_apr_open)
        return 0;
    ferry_status status = apr_initialize();
    is_apr_open = !status;
    return status;
}

static bool can_start(const fy_host *host) {
    return is_settled(host) && host->started < THREADS_OF_A_HOST;
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

/* ---- a thread ---- */

static ferry_status create_hosted(fy_drain *drain, fy_hosted **ret_self) {
    fy_hosted *self = fy_calloc(sizeof *self);
    if (!self)
        return APR_ENOMEM;
    ferry_status status = fy_kept_thread_init(&self->kept);
    if (status) {
        fy_free(self);
        return status;
    }
    self->drain = drain;
    self->generation = fy_fork_generation();
    *ret_self = self;
    return 0;
}

static void destroy_hosted(fy_hosted *self) {
    fy_kept_thread_fini(&self->kept);
    fy_free(self);
}

/* A drain has forked and returned in the child: host, cache and whoever waits for the drain are the parent's. */
static bool is_forked(const fy_hosted *self) {
    return !fy_is_fork_generation(self->generation);
}

static void thread_has_ended(void *arg) {
    fy_hosted *self = arg;
    fy_drain *drain = self->drain;
    has_ended = true;
    if (is_forked(self))
        return;
    fy_mutex_lock(fy_hosts_lock());
    self->host->alive--;
    if (!drain)
        fy_thread_cache_left();
    fy_mutex_unlock(fy_hosts_lock());
    destroy_hosted(self);
    if (drain)
        drain->gone(drain);
}

/* Who uses the host is done with it within a moment. */
static void note_returned(const fy_hosted *self) {
    fy_host *host = self->host;
    if (is_forked(self))
        return;
    fy_mutex_lock(fy_hosts_lock());
    while (host->users) {
        fy_mutex_unlock(fy_hosts_lock());
        fy_thread_yield();
        fy_mutex_lock(fy_hosts_lock());
    }
    join_ended(host);
    host->running--;
    fy_mutex_unlock(fy_hosts_lock());
}

/* One drain, and those that the thread is kept for. The last one is told by the exit hook, unless the thread ends
 * because no other has come. */
static void run_drains(fy_hosted *self, bool may_be_kept) {
    fy_drain *drain = self->drain;
    drain->run(drain);
    while (may_be_kept && drain->shares_threads && !is_forked(self) && fy_thread_cache_enter(&self->kept)) {
        drain->gone(drain);
        self->drain = drain = fy_thread_cache_wait(&self->kept);
        if (!drain)
            return;
        drain->run(drain);
    }
}

static void *APR_THREAD_FUNC run_thread(apr_thread_t *thread, void *arg) {
    (void)thread;
    fy_hosted *self = arg;
    fy_host *host = self->host;
    is_hosted = true;
    self->at_exit = (fy_exit_call){thread_has_ended, self};
    bool is_hooked = fy_thread_at_exit(&self->at_exit) == 0;
    fy_mutex_lock(fy_hosts_lock());
    host->starting = NULL;
    host->users--;
    host->is_uncertain |= !is_hooked;
    fy_mutex_unlock(fy_hosts_lock());
    run_drains(self, is_hooked);
    note_returned(self);
    if (!is_hooked)
        thread_has_ended(self);
    return NULL;
}

/* ---- starting ---- */

static void begin_start(fy_host *host, fy_hosted *thread) {
    thread->host = host;
    host->starting = thread;
    host->users = 2;
    host->started++;
    host->running++;
    host->alive++;
}

/* A failed push has queued its task all the same; it must not run later. */
static ferry_status push(fy_host *host, fy_hosted *thread) {
    ferry_status status =
        apr_thread_pool_push(host->threads, run_thread, thread, APR_THREAD_TASK_PRIORITY_NORMAL, thread);
    if (status)
        apr_thread_pool_tasks_cancel(host->threads, thread);
    fy_mutex_lock(fy_hosts_lock());
    host->users--;
    if (status) {
        host->starting = NULL;
        host->users--;
        host->running--;
        host->alive--;
    }
    fy_mutex_unlock(fy_hosts_lock());
    return status ? FERRY_ENOTHREAD : 0;
}

ferry_status fy_host_start(fy_drain *drain) {
    if (has_ended)
        return FERRY_ENOTHREAD;
    fy_hosted *thread = NULL;
    fy_host *host = NULL;
    ferry_status status = create_hosted(drain, &thread);
    if (status)
        return status;
    fy_mutex_lock(fy_hosts_lock());
    status = find_host(&host);
    if (!status)
        begin_start(host, thread);
    fy_host *spent = take_empty(false);
    fy_mutex_unlock(fy_hosts_lock());
    if (!status)
        status = push(host, thread);
    if (status)
        destroy_hosted(thread);
    destroy_hosts(spent);
    return status;
}

ferry_status fy_host_start_shared(fy_drain *drain, fy_kept_thread **ret_held) {
    *ret_held = NULL;
    if (!has_ended) {
        fy_mutex_lock(fy_hosts_lock());
        *ret_held = hosts_generation == fy_fork_generation() ? fy_thread_cache_reserve() : NULL;
        fy_mutex_unlock(fy_hosts_lock());
    }
    return *ret_held ? 0 : fy_host_start(drain);
}

void fy_host_go(fy_drain *drain, fy_kept_thread *held) {
    fy_mutex_lock(fy_hosts_lock());
    fy_thread_cache_go(held, drain);
    fy_mutex_unlock(fy_hosts_lock());
}

/* ---- after threads have ended ---- */

bool fy_host_has_this_thread(void) {
    return is_hosted;
}

void fy_hosts_tidy(void) {
    fy_host *spent = NULL;
    if (has_ended)
        return;
    fy_mutex_lock(fy_hosts_lock());
    if (hosts_generation == fy_fork_generation()) {
        for (fy_host *host = hosts; host; host = host->next)
            join_ended(host);
        spent = take_empty(false);
    }
    fy_mutex_unlock(fy_hosts_lock());
    destroy_hosts(spent);
}

void fy_hosts_end(void) {
    fy_host *empty = NULL;
    fy_mutex_lock(fy_hosts_lock());
    if (hosts_generation == fy_fork_generation()) {
        fy_thread_cache_end();
        empty = take_empty(true);
    }
    fy_mutex_unlock(fy_hosts_lock());
    destroy_hosts(empty);
}
