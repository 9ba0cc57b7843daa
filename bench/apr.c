/* SPDX-License-Identifier: Apache-2.0 */
/* A bare apr_thread_pool, which hosts Ferry's threads: jobs pushed straight onto its own queue, completions handed back
 * through a mutex-protected list. Its push walks the whole queue, so W2b is quadratic and wants a reduced size. */
#include "bench.h"
#include "mailbox.h"

#include <apr_general.h>
#include <apr_thread_pool.h>

typedef struct job {
    uint64_t input, output;
} job;

static apr_thread_pool_t *pool;
static mailbox box;
static pthread_mutex_t sleep_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t sleep_over = PTHREAD_COND_INITIALIZER;
static bool rung;
static long submitted, completed, refill_below;
static uint64_t sum;

static void submit(job *self);

static void collect(void *arg)
{
    job *self = arg;
    sum += self->output;
    completed++;
    if (submitted < refill_below)
        submit(self);
}

static void *APR_THREAD_FUNC work(apr_thread_t *thread, void *arg)
{
    job *self = arg;
    (void)thread;
    self->output = bench_job_work(self->input);
    if (mailbox_put(&box, collect, self)) {
        pthread_mutex_lock(&sleep_lock);
        rung = true;
        pthread_mutex_unlock(&sleep_lock);
        pthread_cond_signal(&sleep_over);
    }
    return NULL;
}

static void submit(job *self)
{
    self->input = (uint64_t)submitted++;
    BENCH_CHECK(apr_thread_pool_push(pool, work, self, APR_THREAD_TASK_PRIORITY_NORMAL, NULL) == APR_SUCCESS);
}

/* The loop: sleeps until a completion comes, then takes all there are. */
static void run_until(long total)
{
    while (completed < total) {
        pthread_mutex_lock(&sleep_lock);
        while (!rung)
            pthread_cond_wait(&sleep_over, &sleep_lock);
        rung = false;
        pthread_mutex_unlock(&sleep_lock);
        mailbox_run(&box);
    }
}

static apr_pool_t *memory;

static void start_pool(apr_size_t init_threads, apr_size_t max_threads)
{
    BENCH_CHECK(apr_pool_create(&memory, NULL) == APR_SUCCESS);
    BENCH_CHECK(apr_thread_pool_create(&pool, init_threads, max_threads, memory) == APR_SUCCESS);
}

static void start(void)
{
    mailbox_init(&box);
    BENCH_CHECK(apr_initialize() == APR_SUCCESS);
    start_pool(BENCH_WORKERS, BENCH_WORKERS);
}

static void finish(long size)
{
    BENCH_CHECK(apr_thread_pool_destroy(pool) == APR_SUCCESS);
    BENCH_CHECK(completed == size && submitted == size && sum == bench_job_sum(size));
    mailbox_fini(&box);
}

static void offload_throughput(long size)
{
    job *jobs = bench_need(calloc(BENCH_IN_FLIGHT, sizeof *jobs));
    start();
    refill_below = size;
    int64_t begin = bench_now_ns();
    for (long i = 0; i < BENCH_IN_FLIGHT && submitted < size; i++)
        submit(&jobs[i]);
    run_until(size);
    bench_print("rate", bench_rate(size, bench_now_ns() - begin), "jobs/s");
    finish(size);
}

static void offload_batch(long size)
{
    start();
    int64_t begin = bench_now_ns();
    job *jobs = bench_need(malloc((size_t)size * sizeof *jobs));
    for (long i = 0; i < size; i++)
        submit(&jobs[i]);
    run_until(size);
    free(jobs);
    bench_print("rate", bench_rate(size, bench_now_ns() - begin), "jobs/s");
    finish(size);
}

/* ---- W11: no loop, only what any pool on it has to pay ---- */

static void life_cycle(long size)
{
    bench_samples cycles;
    job one;
    bench_samples_init(&cycles, size);
    mailbox_init(&box);
    BENCH_CHECK(apr_initialize() == APR_SUCCESS);
    for (long i = 0; i < size; i++) {
        int64_t begin = bench_now_ns();
        start_pool(0, 1);
        submit(&one);
        run_until(i + 1);
        BENCH_CHECK(apr_thread_pool_destroy(pool) == APR_SUCCESS);
        apr_pool_destroy(memory);
        bench_sample(&cycles, (double)(bench_now_ns() - begin) / 1e6);
    }
    BENCH_CHECK(sum == bench_job_sum(size));
    mailbox_fini(&box);
    bench_print("cycle_p50", bench_percentile(&cycles, 50), "ms");
}

int main(int argc, char **argv)
{
    static const bench_workload workloads[] = {
        {"offload-throughput", offload_throughput},
        {"offload-batch", offload_batch},
        {"life-cycle", life_cycle},
        {NULL, NULL},
    };
    return bench_main(argc, argv, workloads);
}
