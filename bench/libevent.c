/* SPDX-License-Identifier: Apache-2.0 */
/* The workloads as a good user of libevent writes them: event structs in arrays of the program's own, no lock where one
 * thread suffices, the base's cached time where many timers are added at once, event_active on one user event beside a
 * mutex-protected queue for posts. libevent has no thread pool, so the offload workloads are left out. */
#include "bench.h"
#include "mailbox.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <event2/thread.h>

/* `flags` beyond EVENT_BASE_FLAG_NOLOCK, which a base used by one thread deserves. */
static struct event_base *single_threaded_base(int flags)
{
    struct event_config *config = bench_need(event_config_new());
    BENCH_CHECK(event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | flags) == 0);
    struct event_base *base = bench_need(event_base_new_with_config(config));
    event_config_free(config);
    return base;
}

/* ---- W3: event_active from within a callback ---- */

static long ran, total;

static void link_ran(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    if (++ran < total)
        event_active(arg, EV_TIMEOUT, 0);
}

static void ready_chain(long size)
{
    struct event_base *base = single_threaded_base(0);
    struct event link;
    total = size;
    event_assign(&link, base, -1, 0, link_ran, &link);
    int64_t begin = bench_now_ns();
    event_active(&link, EV_TIMEOUT, 0);
    event_base_loop(base, 0);
    bench_print("rate", bench_rate(size, bench_now_ns() - begin), "callbacks/s");
    BENCH_CHECK(ran == size);
    event_base_free(base);
}

static struct event links[BENCH_BATCH];

static void activate_batch(void)
{
    for (int i = 0; i < BENCH_BATCH; i++)
        event_active(&links[i], EV_TIMEOUT, 0);
}

static void batch_ran(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    BENCH_CHECK(ran++ % BENCH_BATCH == (struct event *)arg - links);
    if (ran % BENCH_BATCH == 0 && ran < total)
        activate_batch();
}

static void ready_batch(long size)
{
    struct event_base *base = single_threaded_base(0);
    total = size;
    for (int i = 0; i < BENCH_BATCH; i++)
        event_assign(&links[i], base, -1, 0, batch_ran, &links[i]);
    int64_t begin = bench_now_ns();
    activate_batch();
    event_base_loop(base, 0);
    bench_print("rate", bench_rate(ran, bench_now_ns() - begin), "callbacks/s");
    BENCH_CHECK(ran >= size && ran < size + BENCH_BATCH);
    event_base_free(base);
}

/* ---- W4: evtimer; timers are added inside a callback, where the base's time is cached ---- */

static void never(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
    bench_fail("a cancelled or far timer fired");
}

static struct timeval from_us(int64_t duration_us)
{
    return (struct timeval){duration_us / 1000000, duration_us % 1000000};
}

typedef struct cancel_run {
    struct event_base *base;
    const bench_cancel_plan *plan;
    struct event *timers;
    int64_t create_ns;
} cancel_run;

static void create_timers(evutil_socket_t fd, short what, void *arg)
{
    cancel_run *run = arg;
    (void)fd;
    (void)what;
    int64_t begin = bench_now_ns();
    run->timers = bench_need(malloc((size_t)run->plan->count * sizeof *run->timers));
    for (long i = 0; i < run->plan->count; i++) {
        struct timeval delay = from_us(run->plan->delay_us[i]);
        event_assign(&run->timers[i], run->base, -1, 0, never, NULL);
        event_add(&run->timers[i], &delay);
    }
    run->create_ns = bench_now_ns() - begin;
}

/* Runs `callback` inside the base's loop, once. */
static void run_inside(struct event_base *base, event_callback_fn callback, void *arg)
{
    struct timeval now = {0, 0};
    BENCH_CHECK(event_base_once(base, -1, EV_TIMEOUT, callback, arg, &now) == 0);
    event_base_loop(base, EVLOOP_ONCE);
}

static void timers_cancelled(long size)
{
    bench_cancel_plan plan = bench_plan_cancels(size);
    cancel_run run = {single_threaded_base(0), &plan, NULL, 0};
    run_inside(run.base, create_timers, &run);
    bench_print("create_rate", bench_rate(size, run.create_ns), "timers/s");
    int64_t begin = bench_now_ns();
    for (long i = 0; i < plan.cancelled; i++)
        event_del(&run.timers[plan.order[i]]);
    event_base_loop(run.base, EVLOOP_NONBLOCK);
    bench_print("cancel_rate", bench_rate(plan.cancelled, bench_now_ns() - begin), "timers/s");
    for (long i = 0; i < size; i++)
        BENCH_CHECK((evtimer_pending(&run.timers[plan.order[i]], NULL) != 0) == (i >= plan.cancelled));
}

static bench_fire_plan fires;
static struct event *fire_timers;

static void fire(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    bench_fired(&fires, (struct event *)arg - fire_timers);
}

static void set_fires(evutil_socket_t fd, short what, void *arg)
{
    struct event_base *base = arg;
    (void)fd;
    (void)what;
    int64_t now_ns = bench_now_ns();
    event_base_update_cache_time(base); /* not before now_ns, so nothing fires early */
    for (long i = 0; i < fires.late_us.capacity; i++) {
        struct timeval delay = from_us((fires.deadline_ns[i] - now_ns + 999) / 1000);
        event_assign(&fire_timers[i], base, -1, 0, fire, &fire_timers[i]);
        event_add(&fire_timers[i], &delay);
    }
    bench_fires_begin(&fires);
}

static void timers_fired(long size)
{
    struct event_base *base = single_threaded_base(EVENT_BASE_FLAG_PRECISE_TIMER);
    bench_plan_fires(&fires, size);
    fire_timers = bench_need(malloc((size_t)size * sizeof *fire_timers));
    run_inside(base, set_fires, base);
    event_base_loop(base, 0);
    bench_fires_report(&fires);
    event_base_free(base);
}

/* ---- W5: event_active from another thread ---- */

static mailbox box;
static struct event *bell;
static post_run posts;

static void seen(void *arg)
{
    if (post_run_seen(&posts, arg))
        event_base_loopbreak(event_get_base(bell));
}

static void open_box(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
    mailbox_run(&box);
}

static void post(void *arg)
{
    if (mailbox_put(&box, seen, arg))
        event_active(bell, EV_READ, 0);
}

static void posts_throughput(long size)
{
    mailbox_init(&box);
    BENCH_CHECK(evthread_use_pthreads() == 0);
    struct event_base *base = bench_need(event_base_new());
    bell = bench_need(event_new(base, -1, EV_PERSIST, open_box, NULL));
    post_run_start(&posts, size, post);
    event_base_loop(base, EVLOOP_NO_EXIT_ON_EMPTY);
    post_run_report(&posts);
    event_free(bell);
    event_base_free(base);
    mailbox_fini(&box);
}

typedef struct player {
    struct event_base *base;
    struct event *ball;
    long hits;
} player;

static player here, there;
static bench_samples latency;
static int64_t sent_ns;

static void return_ball(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
    event_active(here.ball, EV_READ, 0);
    if (++there.hits == total)
        event_base_loopbreak(there.base);
}

static void catch_ball(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
    bench_sample(&latency, (double)(bench_now_ns() - sent_ns) / 1e3);
    if (++here.hits == total) {
        event_base_loopbreak(here.base);
        return;
    }
    sent_ns = bench_now_ns();
    event_active(there.ball, EV_READ, 0);
}

static void *other_thread(void *arg)
{
    (void)arg;
    event_base_loop(there.base, EVLOOP_NO_EXIT_ON_EMPTY);
    return NULL;
}

static void player_init(player *self, event_callback_fn hit)
{
    self->base = bench_need(event_base_new());
    self->ball = bench_need(event_new(self->base, -1, EV_PERSIST, hit, NULL));
}

static void player_fini(player *self)
{
    event_free(self->ball);
    event_base_free(self->base);
}

static void ping_pong(long size)
{
    pthread_t thread;
    total = size;
    bench_samples_init(&latency, size);
    BENCH_CHECK(evthread_use_pthreads() == 0);
    player_init(&here, catch_ball);
    player_init(&there, return_ball);
    BENCH_CHECK(pthread_create(&thread, NULL, other_thread, NULL) == 0);
    sent_ns = bench_now_ns();
    event_active(there.ball, EV_READ, 0);
    event_base_loop(here.base, EVLOOP_NO_EXIT_ON_EMPTY);
    pthread_join(thread, NULL);
    BENCH_CHECK(here.hits == size && there.hits == size);
    player_fini(&here);
    player_fini(&there);
    bench_print("p50", bench_percentile(&latency, 50), "us");
}

/* ---- W9 ---- */

static void memory_timer(long size)
{
    struct event_base *base = single_threaded_base(0);
    bench_cancel_plan plan = bench_plan_cancels(size);
    bench_memory before = bench_memory_now();
    for (long i = 0; i < size; i++) {
        struct timeval delay = from_us(plan.delay_us[i]);
        event_add(bench_need(evtimer_new(base, never, NULL)), &delay);
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
