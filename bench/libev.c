/* SPDX-License-Identifier: Apache-2.0 */
/* The workloads as a good user of libev writes them: watchers in arrays of the program's own, a feed_event chain for
 * the ready queue, one ev_async beside a mutex-protected queue for posts. libev has no thread pool, so the offload
 * workloads are left out. Its pending events run last in, first out within a priority: the batch checks counts, not
 * order. */
#include "bench.h"
#include "mailbox.h"

#include <ev.h>

/* ---- W3: ev_feed_event from within a callback ---- */

static long ran, total;

static void link_ran(struct ev_loop *loop, ev_prepare *link, int events)
{
    if (++ran < total)
        ev_feed_event(loop, link, events);
}

static void ready_chain(long size)
{
    struct ev_loop *loop = ev_default_loop(0);
    ev_prepare link;
    total = size;
    ev_prepare_init(&link, link_ran);
    int64_t begin = bench_now_ns();
    ev_feed_event(loop, &link, EV_CUSTOM);
    ev_run(loop, EVRUN_NOWAIT);
    bench_print("rate", bench_rate(size, bench_now_ns() - begin), "callbacks/s");
    BENCH_CHECK(ran == size);
}

static ev_prepare links[BENCH_BATCH];

static void feed_batch(struct ev_loop *loop)
{
    for (int i = 0; i < BENCH_BATCH; i++)
        ev_feed_event(loop, &links[i], EV_CUSTOM);
}

static void batch_ran(struct ev_loop *loop, ev_prepare *link, int events)
{
    (void)link;
    (void)events;
    if (++ran % BENCH_BATCH == 0 && ran < total)
        feed_batch(loop);
}

static void ready_batch(long size)
{
    struct ev_loop *loop = ev_default_loop(0);
    total = size;
    for (int i = 0; i < BENCH_BATCH; i++)
        ev_prepare_init(&links[i], batch_ran);
    int64_t begin = bench_now_ns();
    feed_batch(loop);
    ev_run(loop, EVRUN_NOWAIT);
    bench_print("rate", bench_rate(ran, bench_now_ns() - begin), "callbacks/s");
    BENCH_CHECK(ran >= size && ran < size + BENCH_BATCH);
}

/* ---- W4: ev_timer ---- */

static void never(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)timer;
    (void)events;
    bench_fail("a cancelled or far timer fired");
}

static ev_timer *create_timers(struct ev_loop *loop, const bench_cancel_plan *plan)
{
    ev_timer *timers = bench_need(malloc((size_t)plan->count * sizeof *timers));
    for (long i = 0; i < plan->count; i++) {
        ev_timer_init(&timers[i], never, plan->delay_us[i] / 1e6, 0.);
        ev_timer_start(loop, &timers[i]);
    }
    return timers;
}

static void timers_cancelled(long size)
{
    struct ev_loop *loop = ev_default_loop(0);
    bench_cancel_plan plan = bench_plan_cancels(size);
    int64_t begin = bench_now_ns();
    ev_timer *timers = create_timers(loop, &plan);
    bench_print("create_rate", bench_rate(size, bench_now_ns() - begin), "timers/s");
    begin = bench_now_ns();
    for (long i = 0; i < plan.cancelled; i++)
        ev_timer_stop(loop, &timers[plan.order[i]]);
    ev_run(loop, EVRUN_NOWAIT);
    bench_print("cancel_rate", bench_rate(plan.cancelled, bench_now_ns() - begin), "timers/s");
    for (long i = 0; i < size; i++)
        BENCH_CHECK((ev_is_active(&timers[plan.order[i]]) != 0) == (i >= plan.cancelled));
}

static bench_fire_plan fires;
static ev_timer *fire_timers;

static void fire(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    bench_fired(&fires, timer - fire_timers);
}

static void timers_fired(long size)
{
    struct ev_loop *loop = ev_default_loop(0);
    bench_plan_fires(&fires, size);
    fire_timers = bench_need(malloc((size_t)size * sizeof *fire_timers));
    int64_t now_ns = bench_now_ns();
    ev_now_update(loop); /* not before now_ns, so nothing fires early */
    for (long i = 0; i < size; i++) {
        ev_timer_init(&fire_timers[i], fire, (double)(fires.deadline_ns[i] - now_ns) / 1e9, 0.);
        ev_timer_start(loop, &fire_timers[i]);
    }
    bench_fires_begin(&fires);
    ev_run(loop, 0);
    bench_fires_report(&fires);
}

/* ---- W5: ev_async ---- */

static mailbox box;
static ev_async bell;
static post_run posts;
static struct ev_loop *post_loop;

static void seen(void *arg)
{
    if (post_run_seen(&posts, arg))
        ev_async_stop(post_loop, &bell);
}

static void open_box(struct ev_loop *loop, ev_async *async, int events)
{
    (void)loop;
    (void)async;
    (void)events;
    mailbox_run(&box);
}

static void post(void *arg)
{
    if (mailbox_put(&box, seen, arg))
        ev_async_send(post_loop, &bell);
}

static void posts_throughput(long size)
{
    mailbox_init(&box);
    post_loop = ev_default_loop(0);
    ev_async_init(&bell, open_box);
    ev_async_start(post_loop, &bell);
    post_run_start(&posts, size, post);
    ev_run(post_loop, 0);
    post_run_report(&posts);
    mailbox_fini(&box);
}

typedef struct player {
    struct ev_loop *loop;
    ev_async ball;
    long hits;
} player;

static player here, there;
static bench_samples latency;
static int64_t sent_ns;

static void return_ball(struct ev_loop *loop, ev_async *ball, int events)
{
    (void)events;
    ev_async_send(here.loop, &here.ball);
    if (++there.hits == total)
        ev_async_stop(loop, ball);
}

static void catch_ball(struct ev_loop *loop, ev_async *ball, int events)
{
    (void)events;
    bench_sample(&latency, (double)(bench_now_ns() - sent_ns) / 1e3);
    if (++here.hits == total) {
        ev_async_stop(loop, ball);
        return;
    }
    sent_ns = bench_now_ns();
    ev_async_send(there.loop, &there.ball);
}

static void *other_thread(void *arg)
{
    (void)arg;
    ev_run(there.loop, 0);
    return NULL;
}

static void player_init(player *self, void (*hit)(struct ev_loop *loop, ev_async *ball, int events))
{
    self->loop = bench_need(ev_loop_new(0));
    ev_async_init(&self->ball, hit);
    ev_async_start(self->loop, &self->ball);
}

static void ping_pong(long size)
{
    pthread_t thread;
    total = size;
    bench_samples_init(&latency, size);
    player_init(&here, catch_ball);
    player_init(&there, return_ball);
    BENCH_CHECK(pthread_create(&thread, NULL, other_thread, NULL) == 0);
    sent_ns = bench_now_ns();
    ev_async_send(there.loop, &there.ball);
    ev_run(here.loop, 0);
    pthread_join(thread, NULL);
    BENCH_CHECK(here.hits == size && there.hits == size);
    ev_loop_destroy(here.loop);
    ev_loop_destroy(there.loop);
    bench_print("p50", bench_percentile(&latency, 50), "us");
}

/* ---- W9 ---- */

static void memory_timer(long size)
{
    struct ev_loop *loop = ev_default_loop(0);
    bench_cancel_plan plan = bench_plan_cancels(size);
    bench_memory before = bench_memory_now();
    for (long i = 0; i < size; i++) {
        ev_timer *timer = bench_need(malloc(sizeof *timer));
        ev_timer_init(timer, never, plan.delay_us[i] / 1e6, 0.);
        ev_timer_start(loop, timer);
    }
    bench_print_memory(before, size);
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
