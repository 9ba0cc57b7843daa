/* SPDX-License-Identifier: Apache-2.0 */
/* Ferry's loop: ready queue, timers, posts from other threads. Public calls only; handles are taken where a program
 * that may cancel would take them, and nowhere else. */
#include "bench.h"
#include "ferry_check.h"

static ferry_loop *loop;
static long ran, total;

static void open_loop(void)
{
    check(ferry_loop_create(NULL, &loop));
}

static void close_loop(ferry_loop *self)
{
    check(ferry_loop_close(self));
    ferry_loop_unref(self);
}

/* ---- W3: call_soon from within a callback ---- */

static ferry_status link_ran(void *arg)
{
    if (++ran < total)
        return ferry_call_soon(loop, link_ran, arg, NULL);
    return ferry_loop_stop(loop);
}

static void ready_chain(long size)
{
    open_loop();
    total = size;
    int64_t begin = bench_now_ns();
    check(ferry_call_soon(loop, link_ran, NULL, NULL));
    check(ferry_loop_run_forever(loop));
    bench_print("rate", bench_rate(size, bench_now_ns() - begin), "callbacks/s");
    BENCH_CHECK(ran == size);
    close_loop(loop);
}

static ferry_status batch_ran(void *arg);

static ferry_status post_batch(void)
{
    for (intptr_t i = 0; i < BENCH_BATCH; i++)
        check(ferry_call_soon(loop, batch_ran, (void *)i, NULL));
    return 0;
}

static ferry_status batch_ran(void *arg)
{
    BENCH_CHECK(ran++ % BENCH_BATCH == (intptr_t)arg);
    if ((intptr_t)arg < BENCH_BATCH - 1)
        return 0;
    return ran < total ? post_batch() : ferry_loop_stop(loop);
}

static void ready_batch(long size)
{
    open_loop();
    total = size;
    int64_t begin = bench_now_ns();
    check(post_batch());
    check(ferry_loop_run_forever(loop));
    bench_print("rate", bench_rate(ran, bench_now_ns() - begin), "callbacks/s");
    BENCH_CHECK(ran >= size && ran < size + BENCH_BATCH);
    close_loop(loop);
}

/* ---- W4 ---- */

static ferry_status never(void *arg)
{
    (void)arg;
    bench_fail("a cancelled or far timer fired");
}

/* The loop's next deadline is the earliest of those that were not cancelled: so these, and only these, are pending. */
static void check_and_drop_the_rest(ferry_handle **timers, const bench_cancel_plan *plan, int64_t begin_us)
{
    int64_t next_us = INT64_MAX;
    for (long i = plan->cancelled; i < plan->count; i++) {
        uint32_t index = plan->order[i];
        int64_t when_us = ferry_handle_when(timers[index]);
        BENCH_CHECK(!ferry_handle_cancelled(timers[index]) && when_us == begin_us + plan->delay_us[index]);
        next_us = when_us < next_us ? when_us : next_us;
    }
    BENCH_CHECK(ferry_loop_next_deadline(loop) == next_us);
    for (long i = plan->cancelled; i < plan->count; i++)
        ferry_handle_unref(timers[plan->order[i]]);
}

static void timers_cancelled(long size)
{
    bench_cancel_plan plan = bench_plan_cancels(size);
    open_loop();
    int64_t begin_us = ferry_now(), begin = bench_now_ns();
    ferry_handle **timers = bench_need(malloc((size_t)size * sizeof *timers));
    for (long i = 0; i < size; i++)
        check(ferry_call_at(loop, begin_us + plan.delay_us[i], never, NULL, &timers[i]));
    bench_print("create_rate", bench_rate(size, bench_now_ns() - begin), "timers/s");
    begin = bench_now_ns();
    for (long i = 0; i < plan.cancelled; i++) {
        ferry_handle_cancel(timers[plan.order[i]]);
        ferry_handle_unref(timers[plan.order[i]]);
    }
    check(ferry_loop_run_once(loop, 0));
    bench_print("cancel_rate", bench_rate(plan.cancelled, bench_now_ns() - begin), "timers/s");
    check_and_drop_the_rest(timers, &plan, begin_us);
    close_loop(loop);
    free(timers);
}

static bench_fire_plan fires;

static ferry_status fire(void *arg)
{
    return bench_fired(&fires, (int64_t *)arg - fires.deadline_ns) ? ferry_loop_stop(loop) : 0;
}

static void timers_fired(long size)
{
    open_loop();
    bench_plan_fires(&fires, size);
    int64_t before_us = bench_now_ns() / 1000, now_us = ferry_now(), after_us = bench_now_ns() / 1000;
    BENCH_CHECK(before_us <= now_us && now_us <= after_us); /* the two clocks are one, so lateness can be told */
    for (long i = 0; i < size; i++)
        check(ferry_call_at(loop, fires.deadline_ns[i] / 1000, fire, &fires.deadline_ns[i], NULL));
    bench_fires_begin(&fires);
    check(ferry_loop_run_forever(loop));
    bench_fires_report(&fires);
    close_loop(loop);
}

/* ---- W5 ---- */

static post_run posts;

static ferry_status seen(void *arg)
{
    return post_run_seen(&posts, arg) ? ferry_loop_stop(loop) : 0;
}

static void post(void *arg)
{
    check(ferry_call_soon_threadsafe(loop, seen, arg, NULL));
}

static void posts_throughput(long size)
{
    open_loop();
    post_run_start(&posts, size, post);
    check(ferry_loop_run_forever(loop));
    post_run_report(&posts);
    close_loop(loop);
}

static ferry_loop *other_loop;
static bench_samples latency;
static int64_t sent_ns;
static long returned;

static ferry_status catch_ball(void *arg);

static ferry_status return_ball(void *arg)
{
    check(ferry_call_soon_threadsafe(loop, catch_ball, arg, NULL));
    return ++returned == total ? ferry_loop_stop(other_loop) : 0;
}

static ferry_status catch_ball(void *arg)
{
    bench_sample(&latency, (double)(bench_now_ns() - sent_ns) / 1e3);
    if (latency.count == total)
        return ferry_loop_stop(loop);
    sent_ns = bench_now_ns();
    return ferry_call_soon_threadsafe(other_loop, return_ball, arg, NULL);
}

static void *other_thread(void *arg)
{
    (void)arg;
    check(ferry_loop_run_forever(other_loop));
    return NULL;
}

static void ping_pong(long size)
{
    pthread_t thread;
    total = size;
    bench_samples_init(&latency, size);
    open_loop();
    check(ferry_loop_create(NULL, &other_loop));
    BENCH_CHECK(pthread_create(&thread, NULL, other_thread, NULL) == 0);
    sent_ns = bench_now_ns();
    check(ferry_call_soon_threadsafe(other_loop, return_ball, NULL, NULL));
    check(ferry_loop_run_forever(loop));
    pthread_join(thread, NULL);
    BENCH_CHECK(latency.count == size && returned == size);
    close_loop(other_loop);
    close_loop(loop);
    bench_print("p50", bench_percentile(&latency, 50), "us");
}

/* ---- W9: a pending timer with its handle ---- */

static void memory_timer(long size)
{
    bench_cancel_plan plan = bench_plan_cancels(size);
    ferry_handle **timers = bench_need(malloc((size_t)size * sizeof *timers));
    memset(timers, 1, (size_t)size * sizeof *timers);
    open_loop();
    bench_memory before = bench_memory_now();
    for (long i = 0; i < size; i++)
        check(ferry_call_later(loop, plan.delay_us[i], never, NULL, &timers[i]));
    bench_print_memory(before, size);
    for (long i = 0; i < size; i++)
        ferry_handle_unref(timers[i]);
    close_loop(loop);
    free(timers);
}

int main(int argc, char **argv)
{
    static const bench_workload workloads[] = {
        {"ready-chain", ready_chain},
        {"ready-batch", ready_batch},
        {"timers-cancelled", timers_cancelled},
        {"timers-fired", timers_fired},
        {"posts", posts_throughput},
        {"ping-pong", ping_pong},
        {"memory-timer", memory_timer},
        {NULL, NULL},
    };
    return bench_main(argc, argv, workloads);
}
