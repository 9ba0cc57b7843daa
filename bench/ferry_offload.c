/* SPDX-License-Identifier: Apache-2.0 */
/* Ferry's blocking work: jobs on a thread pool of two, each result a future of the loop. Public calls only, and the way
 * a program would use them: the argument travels as a number, the result comes back as one. */
#include "bench.h"
#include "ferry_check.h"

#include <semaphore.h>

static ferry_loop *loop;
static ferry_executor *pool;
static long submitted, completed, total;
static uint64_t sum;

static ferry_status work(void *arg, ferry_call *call)
{
    return ferry_return_integer(call, (int64_t)bench_job_work((uint64_t)(intptr_t)arg));
}

static void begin_jobs(long size)
{
    total = size;
    submitted = completed = 0;
    sum = 0;
}

static void end_jobs(void)
{
    BENCH_CHECK(completed == total && submitted == total && sum == bench_job_sum(total));
}

static void open_loop_and_pool(void)
{
    ferry_thread_pool_options options = {FERRY_THREAD_POOL_OPTIONS, .max_workers = BENCH_WORKERS};
    check(ferry_loop_create(NULL, &loop));
    check(ferry_thread_pool_create(&options, &pool));
}

static void close_loop_and_pool(void)
{
    check(ferry_executor_close(pool));
    check(ferry_loop_close(loop));
    ferry_loop_unref(loop);
}

static void submit(ferry_done_callback *done)
{
    ferry_future *future;
    check(ferry_run_in_executor(loop, pool, work, (void *)(intptr_t)submitted, &future));
    submitted++;
    check(ferry_future_add_done_callback(future, done, NULL, NULL));
    ferry_future_unref(future);
}

static void collect(ferry_future *future)
{
    sum += (uint64_t)ferry_future_integer(future);
    if (++completed == total)
        check(ferry_loop_stop(loop));
}

/* ---- W1 ---- */

static ferry_status collect_and_refill(ferry_future *future, void *arg)
{
    (void)arg;
    collect(future);
    if (submitted < total)
        submit(collect_and_refill);
    return 0;
}

static void offload_throughput(long size)
{
    open_loop_and_pool();
    begin_jobs(size);
    int64_t begin = bench_now_ns();
    while (submitted < BENCH_IN_FLIGHT && submitted < total)
        submit(collect_and_refill);
    check(ferry_loop_run_forever(loop));
    bench_print("rate", bench_rate(size, bench_now_ns() - begin), "jobs/s");
    end_jobs();
    close_loop_and_pool();
}

/* ---- W2 ---- */

static bench_samples latency;
static int64_t sent_ns;

static ferry_status collect_and_time(ferry_future *future, void *arg)
{
    (void)arg;
    bench_sample(&latency, (double)(bench_now_ns() - sent_ns) / 1e3);
    collect(future);
    if (submitted < total) {
        sent_ns = bench_now_ns();
        submit(collect_and_time);
    }
    return 0;
}

static void offload_latency(long size)
{
    bench_samples_init(&latency, size);
    open_loop_and_pool();
    begin_jobs(size);
    sent_ns = bench_now_ns();
    submit(collect_and_time);
    check(ferry_loop_run_forever(loop));
    end_jobs();
    close_loop_and_pool();
    bench_print("p50", bench_percentile(&latency, 50), "us");
    bench_print("p99", bench_percentile(&latency, 99), "us");
}

static int64_t next_tick_us;

static ferry_status collect_only(ferry_future *future, void *arg)
{
    (void)arg;
    collect(future);
    return 0;
}

static ferry_status tick(void *arg)
{
    submit(collect_only);
    next_tick_us += BENCH_IDLE_PERIOD_US;
    if (submitted < total)
        check(ferry_call_at(loop, next_tick_us, tick, arg, NULL));
    return 0;
}

static void offload_idle(long size)
{
    open_loop_and_pool();
    begin_jobs(size);
    next_tick_us = ferry_now() + BENCH_IDLE_PERIOD_US;
    check(ferry_call_at(loop, next_tick_us, tick, NULL, NULL));
    int64_t cpu = bench_cpu_us();
    check(ferry_loop_run_forever(loop));
    bench_print("cpu", (double)(bench_cpu_us() - cpu) / (double)size, "us/job");
    end_jobs();
    close_loop_and_pool();
}

/* ---- W2b ---- */

/* Submits `size` jobs into `futures`, gathers them, adds up what they returned. */
static void submit_and_gather(ferry_future **futures, long size)
{
    ferry_future *gathered;
    for (; submitted < size; submitted++)
        check(ferry_run_in_executor(loop, pool, work, (void *)(intptr_t)submitted, &futures[submitted]));
    check(ferry_gather(loop, futures, (size_t)size, 0, &gathered));
    check(ferry_loop_run_until_complete(loop, gathered));
    check(ferry_future_status(gathered));
    for (; completed < size; completed++)
        sum += (uint64_t)ferry_future_integer(futures[completed]);
    ferry_future_unref(gathered);
    ferry_future_unref_all(futures, (size_t)size);
}

static void offload_batch(long size)
{
    bench_samples rates;
    bench_keep_memory();
    bench_repeats_init(&rates, size);
    open_loop_and_pool();
    while (bench_repeats_left(&rates)) {
        begin_jobs(size);
        int64_t begin = bench_now_ns();
        ferry_future **futures = bench_need(malloc((size_t)size * sizeof *futures));
        submit_and_gather(futures, size);
        free(futures);
        bench_sample(&rates, bench_rate(size, bench_now_ns() - begin));
        end_jobs();
    }
    close_loop_and_pool();
    bench_print_repeats("rate", &rates, "jobs/s");
}

/* ---- W9: a queued job with its future ---- */

static sem_t gate;

static ferry_status hold(void *arg, ferry_call *call)
{
    (void)arg;
    (void)call;
    while (sem_wait(&gate) != 0)
        ;
    return 0;
}

static void memory_job(long size)
{
    ferry_future **futures = bench_need(malloc((size_t)size * sizeof *futures));
    ferry_future *holders[BENCH_WORKERS];
    memset(futures, 1, (size_t)size * sizeof *futures);
    open_loop_and_pool();
    begin_jobs(size);
    BENCH_CHECK(sem_init(&gate, 0, 0) == 0);
    for (int i = 0; i < BENCH_WORKERS; i++)
        check(ferry_run_in_executor(loop, pool, hold, NULL, &holders[i]));
    bench_memory before = bench_memory_now();
    for (; submitted < size; submitted++)
        check(ferry_run_in_executor(loop, pool, work, (void *)(intptr_t)submitted, &futures[submitted]));
    bench_print_memory(before, size);
    for (int i = 0; i < BENCH_WORKERS; i++)
        sem_post(&gate);
    submit_and_gather(futures, size);
    end_jobs();
    ferry_future_unref_all(holders, BENCH_WORKERS);
    close_loop_and_pool();
    free(futures);
}

/* ---- W11: the default executor is waited for, as asio's pool is joined ---- */

static void one_life(long number)
{
    ferry_future *job, *shut_down;
    check(ferry_loop_create(NULL, &loop));
    check(ferry_run_in_executor(loop, NULL, work, (void *)(intptr_t)number, &job));
    check(ferry_loop_run_until_complete(loop, job));
    sum += (uint64_t)ferry_future_integer(job);
    ferry_future_unref(job);
    check(ferry_loop_shutdown_default_executor(loop, FERRY_FOREVER, &shut_down));
    check(ferry_loop_run_until_complete(loop, shut_down));
    check(ferry_future_status(shut_down));
    ferry_future_unref(shut_down);
    check(ferry_loop_close(loop));
    ferry_loop_unref(loop);
}

static void life_cycle(long size)
{
    bench_samples_init(&latency, size);
    for (long i = 0; i < size; i++) {
        int64_t begin = bench_now_ns();
        one_life(i);
        bench_sample(&latency, (double)(bench_now_ns() - begin) / 1e6);
    }
    BENCH_CHECK(sum == bench_job_sum(size));
    bench_print("cycle_p50", bench_percentile(&latency, 50), "ms");
}

int main(int argc, char **argv)
{
    static const bench_workload workloads[] = {
        {"offload-throughput", offload_throughput},
        {"offload-latency", offload_latency},
        {"offload-idle", offload_idle},
        {"offload-batch", offload_batch},
        {"memory-job", memory_job},
        {"life-cycle", life_cycle},
        {NULL, NULL},
    };
    return bench_main(argc, argv, workloads);
}
