/* SPDX-License-Identifier: Apache-2.0 */
/* W7 on Ferry's process pool, with two workers: public calls only. Pipelined, each result is a future of the loop,
 * whose done callback submits the next job; one at a time, also without a loop. */
#include "bench.h"
#include "ferry_check.h"
#include "processes.h"

static ferry_loop *loop;
static ferry_executor *pool;
static uint64_t *argument;
static size_t message;
static long submitted, completed, total;

static ferry_status work(void *arg, ferry_call *call)
{
    size_t size = ferry_call_arg_size(call);
    process_work(arg, arg, size);
    return ferry_return_arg(call, size);
}

static void open_loop_and_pool(size_t bytes)
{
    ferry_process_pool_options options = {FERRY_PROCESS_POOL_OPTIONS, .max_workers = BENCH_WORKERS};
    check(ferry_loop_create(NULL, &loop));
    check(ferry_process_pool_create(&options, &pool));
    argument = bench_need(calloc(1, bytes));
    message = bytes;
}

static void close_loop_and_pool(void)
{
    check(ferry_executor_close(pool));
    check(ferry_loop_close(loop));
    ferry_loop_unref(loop);
    free(argument);
}

/* The argument of the next job, which is copied by whoever is given this. */
static ferry_job_options next_job(void)
{
    process_argument(argument, message, (uint64_t)submitted++);
    return (ferry_job_options){FERRY_JOB_OPTIONS, .function = work, .arg = argument, .arg_size = message};
}

static void submit(ferry_done_callback *done)
{
    ferry_future *future;
    void *number = (void *)(intptr_t)submitted;
    ferry_job_options options = next_job();
    check(ferry_run_in_executor_with(loop, pool, &options, &future));
    check(ferry_future_add_done_callback(future, done, number, NULL));
    ferry_future_unref(future);
}

static void collect(ferry_future *future, void *number)
{
    size_t size = 0;
    check(ferry_future_status(future));
    const uint64_t *result = ferry_future_bytes(future, &size);
    BENCH_CHECK(size == message);
    process_check(result, size, (uint64_t)(intptr_t)number);
    if (++completed == total)
        check(ferry_loop_stop(loop));
}

/* ---- pipelined ---- */

static ferry_status collect_and_refill(ferry_future *future, void *number)
{
    collect(future, number);
    if (submitted < total)
        submit(collect_and_refill);
    return 0;
}

static void run(long size)
{
    total = size;
    submitted = completed = 0;
    while (submitted < process_in_flight(message) && submitted < total)
        submit(collect_and_refill);
    check(ferry_loop_run_forever(loop));
    BENCH_CHECK(completed == total);
}

static void pipelined(long size, size_t bytes)
{
    open_loop_and_pool(bytes);
    run(process_in_flight(bytes)); /* both workers are there, and their memory is */
    int64_t begin = bench_now_ns();
    run(size);
    bench_print("rate", bench_rate(size, bench_now_ns() - begin), "jobs/s");
    close_loop_and_pool();
}

static void process_throughput(long size)
{
    pipelined(size, PROCESS_SMALL);
}

static void process_large(long size)
{
    pipelined(size, PROCESS_LARGE);
}

/* ---- one at a time ---- */

static bench_samples latency;
static int64_t sent_ns;

static void print_latency(void)
{
    bench_print("p50", bench_percentile(&latency, 50), "us");
    bench_print("p99", bench_percentile(&latency, 99), "us");
}

static void submit_next(ferry_done_callback *done)
{
    sent_ns = bench_now_ns();
    submit(done);
}

static ferry_status collect_and_time(ferry_future *future, void *number)
{
    bench_sample(&latency, (double)(bench_now_ns() - sent_ns) / 1e3);
    collect(future, number);
    if (submitted < total)
        submit_next(collect_and_time);
    return 0;
}

static void process_latency(long size)
{
    bench_samples_init(&latency, size);
    open_loop_and_pool(PROCESS_SMALL);
    run(1);
    total = size;
    submitted = completed = 0;
    submit_next(collect_and_time);
    check(ferry_loop_run_forever(loop));
    BENCH_CHECK(completed == total);
    close_loop_and_pool();
    print_latency();
}

static void process_latency_of_jobs(long size)
{
    bench_samples_init(&latency, size);
    open_loop_and_pool(PROCESS_SMALL);
    run(1);
    for (submitted = 0; submitted < size;) {
        ferry_job *job;
        size_t bytes = 0;
        sent_ns = bench_now_ns();
        ferry_job_options options = next_job();
        check(ferry_executor_submit_with(pool, &options, &job));
        check(ferry_job_result(job, FERRY_FOREVER));
        bench_sample(&latency, (double)(bench_now_ns() - sent_ns) / 1e3);
        const uint64_t *result = ferry_job_bytes(job, &bytes);
        BENCH_CHECK(bytes == message);
        process_check(result, bytes, (uint64_t)submitted - 1);
        ferry_job_unref(job);
    }
    close_loop_and_pool();
    print_latency();
}

int main(int argc, char **argv)
{
    static const ferry_portable functions[] = {{"work", work, 0}, {NULL, NULL, 0}};
    static const bench_workload workloads[] = {
        {"process-throughput", process_throughput},
        {"process-latency", process_latency},
        {"process-latency-of-jobs", process_latency_of_jobs},
        {"process-large", process_large},
        {NULL, NULL},
    };
    bench_keep_memory();
    check(ferry_worker_init(argc, argv, functions));
    return bench_main(argc, argv, workloads);
}
