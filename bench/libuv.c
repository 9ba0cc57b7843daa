/* SPDX-License-Identifier: Apache-2.0 */
/* The workloads as a good user of libuv writes them: requests and handles embedded in arrays of the program's own, one
 * async handle beside a mutex-protected queue for posts, the global pool set to two threads. libuv has no call_soon, so
 * W3 is left out. */
#include "bench.h"
#include "mailbox.h"

#include <uv.h>

/* ---- W1, W2, W2b: uv_queue_work ---- */

typedef struct job {
    uv_work_t request;
    uint64_t input, output;
} job;

static uv_loop_t *loop;
static long submitted, completed, total;
static uint64_t sum;

static void work(uv_work_t *request)
{
    job *self = request->data;
    self->output = bench_job_work(self->input);
}

static void submit(job *self, uv_after_work_cb after)
{
    self->request.data = self;
    self->input = (uint64_t)submitted++;
    BENCH_CHECK(uv_queue_work(loop, &self->request, work, after) == 0);
}

static void collect(uv_work_t *request, int status)
{
    BENCH_CHECK(status == 0);
    sum += ((job *)request->data)->output;
    completed++;
}

static void begin_jobs(long size)
{
    loop = uv_default_loop();
    total = size;
    submitted = completed = 0;
    sum = 0;
}

static void end_jobs(void)
{
    BENCH_CHECK(completed == total && submitted == total && sum == bench_job_sum(total));
}

static void collect_and_refill(uv_work_t *request, int status)
{
    collect(request, status);
    if (submitted < total)
        submit(request->data, collect_and_refill);
}

static void offload_throughput(long size)
{
    job *jobs = bench_need(calloc(BENCH_IN_FLIGHT, sizeof *jobs));
    begin_jobs(size);
    int64_t begin = bench_now_ns();
    for (long i = 0; i < BENCH_IN_FLIGHT && submitted < total; i++)
        submit(&jobs[i], collect_and_refill);
    uv_run(loop, UV_RUN_DEFAULT);
    bench_print("rate", bench_rate(size, bench_now_ns() - begin), "jobs/s");
    end_jobs();
    free(jobs);
}

static bench_samples latency;
static int64_t sent_ns;

static void collect_and_time(uv_work_t *request, int status)
{
    bench_sample(&latency, (double)(bench_now_ns() - sent_ns) / 1e3);
    collect(request, status);
    if (submitted < total) {
        sent_ns = bench_now_ns();
        submit(request->data, collect_and_time);
    }
}

static void offload_latency(long size)
{
    job one;
    bench_samples_init(&latency, size);
    begin_jobs(size);
    sent_ns = bench_now_ns();
    submit(&one, collect_and_time);
    uv_run(loop, UV_RUN_DEFAULT);
    end_jobs();
    bench_print("p50", bench_percentile(&latency, 50), "us");
    bench_print("p99", bench_percentile(&latency, 99), "us");
}

static void tick(uv_timer_t *timer)
{
    job *jobs = timer->data; /* several: a late completion must not meet the next tick's job */
    submit(&jobs[submitted % BENCH_IN_FLIGHT], collect);
    if (submitted == total)
        uv_close((uv_handle_t *)timer, NULL);
}

static void offload_idle(long size)
{
    job jobs[BENCH_IN_FLIGHT];
    uv_timer_t timer;
    begin_jobs(size);
    uv_timer_init(loop, &timer);
    timer.data = jobs;
    uv_timer_start(&timer, tick, 1, BENCH_IDLE_PERIOD_US / 1000);
    int64_t cpu = bench_cpu_us();
    uv_run(loop, UV_RUN_DEFAULT);
    bench_print("cpu", (double)(bench_cpu_us() - cpu) / (double)size, "us/job");
    end_jobs();
}

static void offload_batch(long size)
{
    bench_samples rates;
    bench_keep_memory();
    bench_repeats_init(&rates, size);
    while (bench_repeats_left(&rates)) {
        begin_jobs(size);
        int64_t begin = bench_now_ns();
        job *jobs = bench_need(malloc((size_t)size * sizeof *jobs));
        for (long i = 0; i < size; i++)
            submit(&jobs[i], collect);
        uv_run(loop, UV_RUN_DEFAULT);
        free(jobs);
        bench_sample(&rates, bench_rate(size, bench_now_ns() - begin));
        end_jobs();
    }
    bench_print_repeats("rate", &rates, "jobs/s");
}

/* ---- W4: uv_timer ---- */

static void never(uv_timer_t *timer)
{
    (void)timer;
    bench_fail("a cancelled or far timer fired");
}

static uv_timer_t *create_timers(const bench_cancel_plan *plan)
{
    uv_timer_t *timers = bench_need(malloc((size_t)plan->count * sizeof *timers));
    for (long i = 0; i < plan->count; i++) {
        uv_timer_init(loop, &timers[i]);
        uv_timer_start(&timers[i], never, plan->delay_us[i] / 1000, 0);
    }
    return timers;
}

static void timers_cancelled(long size)
{
    bench_cancel_plan plan = bench_plan_cancels(size);
    loop = uv_default_loop();
    int64_t begin = bench_now_ns();
    uv_timer_t *timers = create_timers(&plan);
    bench_print("create_rate", bench_rate(size, bench_now_ns() - begin), "timers/s");
    begin = bench_now_ns();
    for (long i = 0; i < plan.cancelled; i++)
        uv_timer_stop(&timers[plan.order[i]]);
    uv_run(loop, UV_RUN_NOWAIT);
    bench_print("cancel_rate", bench_rate(plan.cancelled, bench_now_ns() - begin), "timers/s");
    for (long i = 0; i < size; i++)
        BENCH_CHECK(uv_is_active((uv_handle_t *)&timers[plan.order[i]]) == (i >= plan.cancelled));
}

static bench_fire_plan fires;

static void fire(uv_timer_t *timer)
{
    bench_fired(&fires, (intptr_t)timer->data);
}

static void timers_fired(long size)
{
    loop = uv_default_loop();
    bench_plan_fires(&fires, size);
    uv_timer_t *timers = bench_need(malloc((size_t)size * sizeof *timers));
    uv_update_time(loop);
    for (long i = 0; i < size; i++) {
        uv_timer_init(loop, &timers[i]);
        timers[i].data = (void *)(intptr_t)i;
        uint64_t due_ms = (uint64_t)(fires.deadline_ns[i] + 999999) / 1000000; /* libuv's unit; never early */
        uv_timer_start(&timers[i], fire, due_ms - uv_now(loop), 0);
    }
    bench_fires_begin(&fires);
    uv_run(loop, UV_RUN_DEFAULT);
    bench_fires_report(&fires);
}

/* ---- W5: uv_async ---- */

static mailbox box;
static uv_async_t bell;
static post_run posts;

static void seen(void *arg)
{
    if (post_run_seen(&posts, arg))
        uv_close((uv_handle_t *)&bell, NULL);
}

static void open_box(uv_async_t *handle)
{
    (void)handle;
    mailbox_run(&box);
}

static void post(void *arg)
{
    if (mailbox_put(&box, seen, arg))
        uv_async_send(&bell);
}

static void posts_throughput(long size)
{
    mailbox_init(&box);
    loop = uv_default_loop();
    uv_async_init(loop, &bell, open_box);
    post_run_start(&posts, size, post);
    uv_run(loop, UV_RUN_DEFAULT);
    post_run_report(&posts);
    mailbox_fini(&box);
}

typedef struct player {
    uv_loop_t loop;
    uv_async_t ball;
    long hits;
} player;

static player here, there;

static void return_ball(uv_async_t *ball)
{
    uv_async_send(&here.ball);
    if (++there.hits == total)
        uv_close((uv_handle_t *)ball, NULL);
}

static void catch_ball(uv_async_t *ball)
{
    bench_sample(&latency, (double)(bench_now_ns() - sent_ns) / 1e3);
    if (++here.hits == total) {
        uv_close((uv_handle_t *)ball, NULL);
        return;
    }
    sent_ns = bench_now_ns();
    uv_async_send(&there.ball);
}

static void *other_thread(void *arg)
{
    (void)arg;
    uv_run(&there.loop, UV_RUN_DEFAULT);
    return NULL;
}

static void ping_pong(long size)
{
    pthread_t thread;
    total = size;
    bench_samples_init(&latency, size);
    uv_loop_init(&here.loop);
    uv_loop_init(&there.loop);
    uv_async_init(&here.loop, &here.ball, catch_ball);
    uv_async_init(&there.loop, &there.ball, return_ball);
    BENCH_CHECK(pthread_create(&thread, NULL, other_thread, NULL) == 0);
    sent_ns = bench_now_ns();
    uv_async_send(&there.ball);
    uv_run(&here.loop, UV_RUN_DEFAULT);
    pthread_join(thread, NULL);
    BENCH_CHECK(here.hits == size && there.hits == size);
    BENCH_CHECK(uv_loop_close(&here.loop) == 0 && uv_loop_close(&there.loop) == 0);
    bench_print("p50", bench_percentile(&latency, 50), "us");
}

/* ---- W9: memory, each object allocated on its own as a program whose objects come and go must ---- */

static void memory_timer(long size)
{
    bench_cancel_plan plan = bench_plan_cancels(size);
    loop = uv_default_loop();
    bench_memory before = bench_memory_now();
    for (long i = 0; i < size; i++) {
        uv_timer_t *timer = bench_need(malloc(sizeof *timer));
        uv_timer_init(loop, timer);
        uv_timer_start(timer, never, plan.delay_us[i] / 1000, 0);
    }
    bench_print_memory(before, size);
}

static uv_sem_t gate;

static void hold(uv_work_t *request)
{
    (void)request;
    uv_sem_wait(&gate);
}

static void released(uv_work_t *request, int status)
{
    (void)request;
    BENCH_CHECK(status == 0);
}

static void work_bare(uv_work_t *request)
{
    request->data = request;
}

static void collect_bare(uv_work_t *request, int status)
{
    BENCH_CHECK(status == 0 && request->data == request);
    completed++;
    free(request);
}

static void memory_job(long size)
{
    uv_work_t blockers[BENCH_WORKERS];
    begin_jobs(size);
    uv_sem_init(&gate, 0);
    for (int i = 0; i < BENCH_WORKERS; i++)
        BENCH_CHECK(uv_queue_work(loop, &blockers[i], hold, released) == 0);
    bench_memory before = bench_memory_now();
    for (long i = 0; i < size; i++) {
        uv_work_t *request = bench_need(malloc(sizeof *request));
        BENCH_CHECK(uv_queue_work(loop, request, work_bare, collect_bare) == 0);
    }
    bench_print_memory(before, size);
    for (int i = 0; i < BENCH_WORKERS; i++)
        uv_sem_post(&gate);
    uv_run(loop, UV_RUN_DEFAULT);
    BENCH_CHECK(completed == size);
    uv_sem_destroy(&gate);
}

/* ---- W11: libuv's pool is global, so only the first cycle starts threads ---- */

static void life_cycle(long size)
{
    bench_samples_init(&latency, size);
    begin_jobs(size);
    for (long i = 0; i < size; i++) {
        uv_loop_t fresh;
        job one;
        int64_t begin = bench_now_ns();
        BENCH_CHECK(uv_loop_init(&fresh) == 0);
        loop = &fresh;
        submit(&one, collect);
        uv_run(&fresh, UV_RUN_DEFAULT);
        BENCH_CHECK(uv_loop_close(&fresh) == 0);
        bench_sample(&latency, (double)(bench_now_ns() - begin) / 1e6);
    }
    end_jobs();
    bench_print("cycle_p50", bench_percentile(&latency, 50), "ms");
}

int main(int argc, char **argv)
{
    static const bench_workload workloads[] = {
        {"offload-throughput", offload_throughput},
        {"offload-latency", offload_latency},
        {"offload-idle", offload_idle},
        {"offload-batch", offload_batch},
        {"timers-cancelled", timers_cancelled},
        {"timers-fired", timers_fired},
        {"posts", posts_throughput},
        {"ping-pong", ping_pong},
        {"memory-timer", memory_timer},
        {"memory-job", memory_job},
        {"life-cycle", life_cycle},
        {NULL, NULL},
    };
    setenv("UV_THREADPOOL_SIZE", "2", 1);
    return bench_main(argc, argv, workloads);
}
