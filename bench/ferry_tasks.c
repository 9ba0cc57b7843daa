/* SPDX-License-Identifier: Apache-2.0 */
/* Ferry's tasks: making one, running it and giving it back; giving way to others; standing still; and waiting for
 * jobs, as W1 does with callbacks. */
#include "bench.h"

#include <ferry.h>

#include "ferry_check.h"

static ferry_loop *loop;

static ferry_future *run(ferry_function *function, long size)
{
    ferry_task *task;
    check(ferry_task_create(loop, function, (void *)(intptr_t)size, &task));
    check(ferry_loop_run_until_complete(loop, task));
    check(ferry_future_status(task));
    return task;
}

/* ---- a task's life ---- */

static long lived;

static ferry_status live(void *arg, ferry_call *call)
{
    (void)arg;
    (void)call;
    lived++;
    return 0;
}

static ferry_status make_many(void *size, ferry_call *call)
{
    (void)call;
    for (long i = 0; i < (long)(intptr_t)size; i++) {
        ferry_task *task;
        check(ferry_task_create(NULL, live, NULL, &task));
        check(FERRY_AWAIT(task, NULL));
        ferry_future_unref(task);
    }
    return 0;
}

static void task_life(long size)
{
    check(ferry_loop_create(NULL, &loop));
    int64_t begin = bench_now_ns();
    ferry_future_unref(run(make_many, size));
    bench_print("life_rate", bench_rate(size, bench_now_ns() - begin), "tasks/s");
    BENCH_CHECK(lived == size);
    check(ferry_loop_close(loop));
    ferry_loop_unref(loop);
}

/* ---- giving way ---- */

static long turns;

static ferry_status give_way(void *times, ferry_call *call)
{
    (void)call;
    for (long i = 0; i < (long)(intptr_t)times; i++) {
        turns++;
        check(ferry_sleep(0));
    }
    return 0;
}

static ferry_status give_way_together(void *size, ferry_call *call)
{
    ferry_task *tasks[BENCH_TASKS];
    (void)call;
    for (int i = 0; i < BENCH_TASKS; i++)
        check(ferry_task_create(NULL, give_way, (void *)((intptr_t)size / BENCH_TASKS), &tasks[i]));
    check(ferry_await_all(tasks, BENCH_TASKS, 0));
    ferry_future_unref_all(tasks, BENCH_TASKS);
    return 0;
}

static void task_yield(long size)
{
    check(ferry_loop_create(NULL, &loop));
    int64_t begin = bench_now_ns();
    ferry_future_unref(run(give_way_together, size));
    bench_print("yield", (double)(bench_now_ns() - begin) / (double)size, "ns");
    BENCH_CHECK(turns == size);
    check(ferry_loop_close(loop));
    ferry_loop_unref(loop);
}

/* ---- a task that stands still ---- */

static ferry_status stand_still(void *future, ferry_call *call)
{
    (void)call;
    return ferry_await(future);
}

static void memory_task(long size)
{
    ferry_future *never;
    ferry_task **tasks = bench_need(malloc((size_t)size * sizeof *tasks));
    memset(tasks, 1, (size_t)size * sizeof *tasks);
    check(ferry_loop_create(NULL, &loop));
    check(ferry_future_create(loop, &never));
    bench_memory before = bench_memory_now();
    for (long i = 0; i < size; i++)
        check(ferry_task_create(loop, stand_still, never, &tasks[i]));
    check(ferry_loop_run_once(loop, 0));
    bench_print_memory(before, size);
    check(ferry_future_set_result(never));
    check(ferry_loop_run_once(loop, 0));
    for (long i = 0; i < size; i++)
        BENCH_CHECK(ferry_future_done(tasks[i]));
    ferry_future_unref_all(tasks, (size_t)size);
    ferry_future_unref(never);
    check(ferry_loop_close(loop));
    ferry_loop_unref(loop);
    free(tasks);
}

/* ---- W1's shape: so many tasks, each with one job in flight ---- */

static ferry_executor *pool;
static long submitted, done;
static uint64_t sum;

static ferry_status work(void *arg, ferry_call *call)
{
    return ferry_return_integer(call, (int64_t)bench_job_work((uint64_t)(uintptr_t)arg));
}

static ferry_future *submit_one(void)
{
    ferry_future *job;
    check(ferry_run_in_executor(loop, NULL, work, (void *)(intptr_t)submitted++, &job));
    return job;
}

static ferry_status offload(void *size, ferry_call *call)
{
    (void)call;
    while (submitted < (long)(intptr_t)size) {
        ferry_future *job = submit_one();
        check(ferry_await(job));
        sum += (uint64_t)ferry_future_integer(job);
        done++;
        ferry_future_unref(job);
    }
    return 0;
}

static void open_loop_and_pool(void)
{
    const ferry_thread_pool_options options = {FERRY_THREAD_POOL_OPTIONS, .max_workers = BENCH_WORKERS};
    check(ferry_loop_create(NULL, &loop));
    check(ferry_thread_pool_create(&options, &pool));
    check(ferry_loop_set_default_executor(loop, pool));
}

static void close_loop_and_pool(long size)
{
    BENCH_CHECK(done == size && sum == bench_job_sum(size));
    check(ferry_executor_close(pool));
    check(ferry_loop_close(loop));
    ferry_loop_unref(loop);
}

static void task_offload(long size)
{
    ferry_task *tasks[BENCH_IN_FLIGHT];
    ferry_future *all;
    open_loop_and_pool();
    int64_t begin = bench_now_ns();
    for (int i = 0; i < BENCH_IN_FLIGHT; i++)
        check(ferry_task_create(loop, offload, (void *)(intptr_t)size, &tasks[i]));
    check(ferry_gather(loop, tasks, BENCH_IN_FLIGHT, 0, &all));
    check(ferry_loop_run_until_complete(loop, all));
    check(ferry_future_status(all));
    bench_print("offload_rate", bench_rate(size, bench_now_ns() - begin), "jobs/s");
    ferry_future_unref(all);
    ferry_future_unref_all(tasks, BENCH_IN_FLIGHT);
    close_loop_and_pool(size);
}

/* ---- the same by one task, which awaits the oldest of so many jobs again and again ---- */

static ferry_status await_each(void *arg, ferry_call *call)
{
    ferry_future *jobs[BENCH_IN_FLIGHT];
    long size = (long)(intptr_t)arg;
    (void)call;
    while (submitted < BENCH_IN_FLIGHT && submitted < size)
        jobs[submitted % BENCH_IN_FLIGHT] = submit_one();
    while (done < size) {
        ferry_future **oldest = &jobs[done++ % BENCH_IN_FLIGHT];
        check(ferry_await(*oldest));
        sum += (uint64_t)ferry_future_integer(*oldest);
        ferry_future_unref(*oldest);
        if (submitted < size)
            *oldest = submit_one();
    }
    return 0;
}

static void task_await(long size)
{
    ferry_task *task;
    open_loop_and_pool();
    int64_t begin = bench_now_ns();
    check(ferry_task_create(loop, await_each, (void *)(intptr_t)size, &task));
    check(ferry_loop_run_until_complete(loop, task));
    check(ferry_future_status(task));
    bench_print("await_rate", bench_rate(size, bench_now_ns() - begin), "jobs/s");
    ferry_future_unref(task);
    close_loop_and_pool(size);
}

int main(int argc, char **argv)
{
    static const bench_workload workloads[] = {
        {"task-life", task_life},
        {"task-yield", task_yield},
        {"task-offload", task_offload},
        {"task-await", task_await},
        {"memory-task", memory_task},
        {NULL, NULL},
    };
    return bench_main(argc, argv, workloads);
}
