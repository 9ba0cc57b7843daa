/* SPDX-License-Identifier: Apache-2.0 */
/* A process pool in a process that does much else: many threads that allocate, lock and use APR pools while workers are
 * started; what is open before and after; and a process that is killed with its workers at work. */
#include <apr_thread_mutex.h>

#include "support/child.h"
#include "support/processes.h"
#include "support/threads.h"

/* ---- many threads ---- */

enum { THREADS = 50, SCARCE_THREADS = 8, STARTS = 1000, SCARCE_STARTS = 12 };

typedef struct crowd {
    helper_thread threads[THREADS];
    apr_pool_t *shared; /* other threads make and destroy its children while a worker is started */
    apr_thread_mutex_t *lock;
    atomic_bool over;
    atomic_int rounds;
} crowd;

/* Blocks of many sizes, a lock that all want, and pools of APR, of which its own way of starting a process frees some
 * in the child. */
static void be_busy(void *arg) {
    crowd *self = arg;
    for (size_t round = 1; !atomic_load(&self->over); round++) {
        char *block = malloc(round * 37 % 5000 + 1);
        apr_pool_t *pool;
        CHECK(block != NULL);
        apr_thread_mutex_lock(self->lock);
        CHECK_STATUS(apr_pool_create(&pool, self->shared), 0);
        apr_pool_cleanup_register(pool, block, apr_pool_cleanup_null, apr_pool_cleanup_null);
        apr_pool_destroy(pool);
        apr_thread_mutex_unlock(self->lock);
        free(block);
        atomic_fetch_add(&self->rounds, 1);
        ferry_thread_sleep(50);
    }
}

static void begin_crowd(crowd *self, size_t threads) {
    atomic_init(&self->over, false);
    atomic_init(&self->rounds, 0);
    CHECK_STATUS(apr_pool_create(&self->shared, NULL), 0);
    CHECK_STATUS(apr_thread_mutex_create(&self->lock, APR_THREAD_MUTEX_DEFAULT, self->shared), 0);
    for (size_t i = 0; i < threads; i++)
        thread_start(&self->threads[i], be_busy, self);
    FY_AWAIT(atomic_load(&self->rounds) > (int)threads);
}

static void end_crowd(crowd *self, size_t threads) {
    atomic_store(&self->over, true);
    for (size_t i = 0; i < threads; i++)
        thread_join(&self->threads[i]);
    apr_pool_destroy(self->shared);
}

/* FERRY_TEST_STARTS asks for another number. */
static int wanted_starts(void) {
    const char *wanted = getenv("FERRY_TEST_STARTS");
    if (wanted)
        return atoi(wanted);
    return FY_SANITIZED || fy_system_threads_are_dear() ? SCARCE_STARTS : STARTS;
}

static void workers_start_amid_busy_threads(void) {
    static crowd busy;
    size_t threads = fy_system_threads_are_dear() ? SCARCE_THREADS : THREADS;
    ferry_process_pool_options options = {FERRY_PROCESS_POOL_OPTIONS, .max_workers = 2, .max_tasks_per_child = 1};
    ferry_executor *pool = fy_processes_with(&options);
    int starts = wanted_starts();
    begin_crowd(&busy, threads);
    for (int i = 0; i < starts; i++)
        CHECK_INT(fy_call(pool, fy_square, i), (int64_t)i * i);
    end_crowd(&busy, threads);
    CHECK_STATUS(ferry_executor_shutdown(pool, true, false, FERRY_FOREVER), 0);
    CHECK_INT(fy_stats_of(pool).workers_started, starts);
    ferry_executor_unref(pool);
}

static void submit_many(void *pool) {
    for (int i = 0; i < 200; i++)
        CHECK_INT(fy_call(pool, fy_square, i), i * i);
}

static void many_threads_may_submit(void) {
    enum { SUBMITTERS = 8 };
    helper_thread threads[SUBMITTERS];
    ferry_executor *pool = fy_processes_of(2);
    for (int i = 0; i < SUBMITTERS; i++)
        thread_start(&threads[i], submit_many, pool);
    for (int i = 0; i < SUBMITTERS; i++)
        thread_join(&threads[i]);
    CHECK_INT(fy_stats_of(pool).done, SUBMITTERS * 200);
    fy_processes_end(pool);
}

/* ---- nothing stays open ---- */

static void use_a_pool(void) {
    ferry_process_pool_options options = {FERRY_PROCESS_POOL_OPTIONS, .max_workers = 2, .max_tasks_per_child = 4};
    ferry_executor *pool = fy_processes_with(&options);
    for (int i = 0; i < 10; i++) {
        ferry_job *job = fy_send(pool, fy_make_bytes, 100000);
        CHECK_STATUS(fy_outcome_of(job), 0);
        ferry_job_unref(job);
    }
    fy_take_failure(fy_send(pool, fy_kill_here, 0), FERRY_EBROKEN, NULL);
    ferry_job *running = fy_occupy_worker(pool, 0, 1);
    ferry_job_cancel(running);
    fy_take_failure(running, FERRY_ECANCELED, NULL);
    fy_processes_end(pool);
}

static void nothing_stays_open(void) {
    use_a_pool(); /* what a process makes once and keeps */
    unsigned handles = fy_system_handle_count(), memories = fy_system_shared_memory_count();
    for (int i = 0; i < 5; i++)
        use_a_pool();
    CHECK_INT(fy_system_shared_memory_count(), memories);
    CHECK(fy_system_handle_count() <= handles + 1); /* a thread that is just ending may have one on some systems */
}

/* ---- a parent that is killed ---- */

static void note_workers(ferry_executor *pool) {
    ferry_process_worker_stats stats[2];
    size_t count = ferry_process_pool_get_workers(pool, stats, 2);
    for (size_t i = 0; i < count; i++)
        atomic_store(&fy_board()->notes[i], (int64_t)stats[i].pid);
    fy_system_kill(fy_system_process_id());
    ferry_thread_sleep(60000000);
}

static ferry_executor *left_pool;

static int is_killed_with_jobs(void) {
    left_pool = fy_processes_of(2);
    fy_occupy_worker(left_pool, 0, 1);
    fy_occupy_worker(left_pool, 0, 2);
    note_workers(left_pool);
    return 0;
}

static int is_killed_with_idle_workers(void) {
    left_pool = fy_processes_of(2);
    CHECK(fy_call(left_pool, fy_pid, 0) > 0);
    note_workers(left_pool);
    return 0;
}

static void check_no_worker_survives(const char *mode, int workers) {
    fy_child child;
    fy_board_clear();
    fy_child_run(mode, &child);
    CHECK(child.code != 0);
    for (int i = 0; i < workers; i++) {
        CHECK(atomic_load(&fy_board()->notes[i]) > 0);
        FY_AWAIT(!fy_system_is_alive(atomic_load(&fy_board()->notes[i])));
    }
}

static void no_worker_survives_its_parent(void) {
    check_no_worker_survives("is_killed_with_jobs", 2);
    check_no_worker_survives("is_killed_with_idle_workers", 1);
}

static const fy_child_mode modes[] = {
    FY_CHILD_MODE(is_killed_with_jobs),
    FY_CHILD_MODE(is_killed_with_idle_workers),
};

static const fy_test tests[] = {
    FY_TEST(workers_start_amid_busy_threads),
    FY_TEST(many_threads_may_submit),
    FY_TEST(nothing_stays_open),
    FY_TEST(no_worker_survives_its_parent),
};

FY_PROCESS_CHILD_TEST_MAIN("process_crowd", tests, modes)
