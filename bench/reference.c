/* SPDX-License-Identifier: Apache-2.0 */
/* The hand-written limit, not a peer: what the work costs when nothing is general. One single-producer, single-consumer
 * ring each way per worker, futexes to sleep on, no cancellation, no priorities, no files, no growth while it
 * runs, and no spinning but for W5's posts. It shows how far there is to go, not what a library should do. */
#include "bench.h"

#define BELL_FLAG FUTEX_PRIVATE_FLAG
#include "bell.h"

#include <sched.h>

/* ---- the ring ---- */

typedef struct ring {
    _Alignas(64) atomic_size_t head; /* written by the consumer */
    _Alignas(64) atomic_size_t tail; /* written by the producer, as far as it has published */
    size_t filled;                   /* the producer's own tail */
    void **slots;
    size_t mask;
} ring;

static void ring_init(ring *self, size_t least)
{
    size_t capacity = 1024;
    while (capacity < least)
        capacity *= 2;
    memset(self, 0, sizeof *self);
    self->slots = bench_need(calloc(capacity, sizeof *self->slots));
    self->mask = capacity - 1;
}

static void ring_put(ring *self, void *item)
{
    self->slots[self->filled++ & self->mask] = item;
}

static void ring_publish(ring *self)
{
    atomic_store_explicit(&self->tail, self->filled, memory_order_release);
}

static size_t ring_count(ring *self)
{
    return atomic_load_explicit(&self->tail, memory_order_acquire) -
           atomic_load_explicit(&self->head, memory_order_relaxed);
}

/* Only after ring_count; freed for the producer by ring_taken. */
static void *ring_peek(ring *self, size_t offset)
{
    return self->slots[(atomic_load_explicit(&self->head, memory_order_relaxed) + offset) & self->mask];
}

static void ring_taken(ring *self, size_t count)
{
    size_t head = atomic_load_explicit(&self->head, memory_order_relaxed);
    atomic_store_explicit(&self->head, head + count, memory_order_release);
}

/* ---- the pool ---- */

enum { AT_ONCE = 32 };

typedef struct job {
    uint64_t input, output;
} job;

typedef struct worker {
    ring in, out;
    bell wake;
    pthread_t thread;
} worker;

static worker workers[BENCH_WORKERS];
static bell loop_wake;
static atomic_bool quit;
static long submitted, completed;
static uint64_t sum;

static void *worker_main(void *arg)
{
    worker *self = arg;
    while (!atomic_load(&quit)) {
        size_t count = ring_count(&self->in);
        if (count == 0) {
            bell_will_sleep(&self->wake);
            bell_sleep(&self->wake, ring_count(&self->in) > 0 || atomic_load(&quit));
            continue;
        }
        count = count < AT_ONCE ? count : AT_ONCE;
        for (size_t i = 0; i < count; i++) {
            job *next = ring_peek(&self->in, i);
            next->output = bench_job_work(next->input);
            ring_put(&self->out, next);
        }
        ring_taken(&self->in, count);
        ring_publish(&self->out);
        bell_ring(&loop_wake);
    }
    return NULL;
}

static void pool_start(long queue_size)
{
    for (int i = 0; i < BENCH_WORKERS; i++) {
        ring_init(&workers[i].in, (size_t)queue_size);
        ring_init(&workers[i].out, (size_t)queue_size);
        BENCH_CHECK(pthread_create(&workers[i].thread, NULL, worker_main, &workers[i]) == 0);
    }
}

static void pool_stop(void)
{
    atomic_store(&quit, true);
    for (int i = 0; i < BENCH_WORKERS; i++) {
        bell_ring(&workers[i].wake);
        pthread_join(workers[i].thread, NULL);
    }
}

static void flush(void)
{
    for (int i = 0; i < BENCH_WORKERS; i++)
        if (workers[i].in.filled != atomic_load_explicit(&workers[i].in.tail, memory_order_relaxed)) {
            ring_publish(&workers[i].in);
            bell_ring(&workers[i].wake);
        }
}

static void submit(job *self)
{
    self->input = (uint64_t)submitted;
    ring_put(&workers[submitted / AT_ONCE % BENCH_WORKERS].in, self);
    if (++submitted % AT_ONCE == 0)
        flush();
}

static bool anything_done(void)
{
    for (int i = 0; i < BENCH_WORKERS; i++)
        if (ring_count(&workers[i].out) > 0)
            return true;
    return false;
}

/* Collects until `total` are completed; each job is submitted anew while `submitted` is below `resubmit_below`. */
static void run_loop(long total, long resubmit_below)
{
    flush();
    while (completed < total) {
        if (!anything_done()) {
            bell_will_sleep(&loop_wake);
            bell_sleep(&loop_wake, anything_done());
        }
        for (int i = 0; i < BENCH_WORKERS; i++) {
            size_t count = ring_count(&workers[i].out);
            for (size_t k = 0; k < count; k++) {
                job *next = ring_peek(&workers[i].out, k);
                sum += next->output;
                completed++;
                if (submitted < resubmit_below)
                    submit(next);
            }
            ring_taken(&workers[i].out, count);
        }
        flush();
    }
}

static void offload_throughput(long size)
{
    job *jobs = bench_need(calloc(BENCH_IN_FLIGHT, sizeof *jobs));
    pool_start(BENCH_IN_FLIGHT);
    int64_t begin = bench_now_ns();
    for (long i = 0; i < BENCH_IN_FLIGHT && i < size; i++)
        submit(&jobs[i]);
    run_loop(size, size);
    bench_print("rate", bench_rate(size, bench_now_ns() - begin), "jobs/s");
    pool_stop();
    BENCH_CHECK(submitted == size && sum == bench_job_sum(size));
}

static void offload_latency(long size)
{
    job one;
    bench_samples latency;
    bench_samples_init(&latency, size);
    pool_start(1);
    for (long i = 1; i <= size; i++) {
        int64_t sent_ns = bench_now_ns();
        submit(&one);
        run_loop(i, 0);
        bench_sample(&latency, (double)(bench_now_ns() - sent_ns) / 1e3);
    }
    pool_stop();
    BENCH_CHECK(submitted == size && sum == bench_job_sum(size));
    bench_print("p50", bench_percentile(&latency, 50), "us");
    bench_print("p99", bench_percentile(&latency, 99), "us");
}

static void offload_idle(long size)
{
    job one;
    pool_start(1);
    int64_t cpu = bench_cpu_us(), due_ns = bench_now_ns();
    for (long i = 1; i <= size; i++) {
        due_ns += BENCH_IDLE_PERIOD_US * 1000;
        struct timespec due = {due_ns / 1000000000, due_ns % 1000000000};
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
        submit(&one);
        run_loop(i, 0);
    }
    bench_print("cpu", (double)(bench_cpu_us() - cpu) / (double)size, "us/job");
    pool_stop();
    BENCH_CHECK(submitted == size && sum == bench_job_sum(size));
}

static void offload_batch(long size)
{
    bench_samples rates;
    bench_keep_memory();
    bench_repeats_init(&rates, size);
    pool_start(size);
    while (bench_repeats_left(&rates)) {
        submitted = completed = 0;
        sum = 0;
        int64_t begin = bench_now_ns();
        job *jobs = bench_need(malloc((size_t)size * sizeof *jobs));
        for (long i = 0; i < size; i++)
            submit(&jobs[i]);
        run_loop(size, 0);
        free(jobs);
        bench_sample(&rates, bench_rate(size, bench_now_ns() - begin));
        BENCH_CHECK(submitted == size && sum == bench_job_sum(size));
    }
    pool_stop();
    bench_print_repeats("rate", &rates, "jobs/s");
}

/* ---- W5 ---- */

static ring post_ring;
static size_t post_room; /* the writer's own: how far it may fill before it must look at the head again */
static post_run posts;

static void post(void *arg)
{
    while (post_ring.filled == post_room) {
        post_room = atomic_load_explicit(&post_ring.head, memory_order_acquire) + post_ring.mask + 1;
        if (post_ring.filled == post_room)
            sched_yield();
    }
    ring_put(&post_ring, arg);
    ring_publish(&post_ring);
    bell_ring(&loop_wake);
}

/* Looks out a while before sleeping, with pauses in which posts gather: a reader faster than the writer would else
 * fight it for the tail's cache line and be woken for every post. */
static size_t await_posts(void)
{
    for (int look = 0; look < 100; look++) {
        sched_yield();
        size_t count = ring_count(&post_ring);
        if (count > 0)
            return count;
    }
    bell_will_sleep(&loop_wake);
    bell_sleep(&loop_wake, ring_count(&post_ring) > 0);
    return ring_count(&post_ring);
}

static void posts_throughput(long size)
{
    bool last = false;
    ring_init(&post_ring, 65536);
    post_run_start(&posts, size, post);
    while (!last) {
        size_t count = await_posts();
        for (size_t i = 0; i < count; i++)
            last = post_run_seen(&posts, ring_peek(&post_ring, i));
        ring_taken(&post_ring, count);
    }
    post_run_report(&posts);
}

typedef struct player {
    bell wake;
    atomic_long ball;
} player;

static player here, there;

static void hit(player *to, long ball)
{
    atomic_store(&to->ball, ball);
    bell_ring(&to->wake);
}

static void await_ball(player *self, long ball)
{
    while (atomic_load(&self->ball) < ball) {
        bell_will_sleep(&self->wake);
        bell_sleep(&self->wake, atomic_load(&self->ball) >= ball);
    }
}

static void *other_player(void *arg)
{
    for (long ball = 1; ball <= *(long *)arg; ball++) {
        await_ball(&there, ball);
        hit(&here, ball);
    }
    return NULL;
}

static void ping_pong(long size)
{
    pthread_t thread;
    bench_samples latency;
    bench_samples_init(&latency, size);
    BENCH_CHECK(pthread_create(&thread, NULL, other_player, &size) == 0);
    for (long ball = 1; ball <= size; ball++) {
        int64_t sent_ns = bench_now_ns();
        hit(&there, ball);
        await_ball(&here, ball);
        bench_sample(&latency, (double)(bench_now_ns() - sent_ns) / 1e3);
    }
    pthread_join(thread, NULL);
    BENCH_CHECK(atomic_load(&here.ball) == size && atomic_load(&there.ball) == size);
    bench_print("p50", bench_percentile(&latency, 50), "us");
}

/* ---- W4, fired: no timers at all, but their deadlines in order, and a sleep to the end of each tenth of a millisecond
 * that has one: what sleeping alone costs at such a lateness ---- */

static int compare_deadlines(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

static void sleep_to_grid(int64_t deadline_ns)
{
    enum { GRID_NS = 100000, NS_IN_S = 1000000000 };
    int64_t end_ns = (deadline_ns + GRID_NS - 1) / GRID_NS * GRID_NS;
    struct timespec end = {.tv_sec = (time_t)(end_ns / NS_IN_S), .tv_nsec = (long)(end_ns % NS_IN_S)};
    BENCH_CHECK(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL) == 0);
}

static void timers_fired(long size)
{
    bench_fire_plan fires;
    bench_plan_fires(&fires, size);
    qsort(fires.deadline_ns, (size_t)size, sizeof *fires.deadline_ns, compare_deadlines);
    bench_fires_begin(&fires);
    for (long next = 0; next < size;) {
        sleep_to_grid(fires.deadline_ns[next]);
        for (int64_t now_ns = bench_now_ns(); next < size && fires.deadline_ns[next] <= now_ns; next++)
            (void)bench_fired(&fires, next);
    }
    bench_fires_report(&fires);
}

/* ---- W11: a thread and nothing else ---- */

static void *run_and_ring(void *arg)
{
    job *self = arg;
    self->output = bench_job_work(self->input);
    ring_put(&workers[0].out, self);
    ring_publish(&workers[0].out);
    bell_ring(&loop_wake);
    return NULL;
}

static void life_cycle(long size)
{
    bench_samples cycles;
    bench_samples_init(&cycles, size);
    for (long i = 0; i < size; i++) {
        int64_t begin = bench_now_ns();
        job one = {.input = (uint64_t)i};
        ring_init(&workers[0].out, 1);
        BENCH_CHECK(pthread_create(&workers[0].thread, NULL, run_and_ring, &one) == 0);
        while (!anything_done()) {
            bell_will_sleep(&loop_wake);
            bell_sleep(&loop_wake, anything_done());
        }
        sum += one.output;
        BENCH_CHECK(pthread_join(workers[0].thread, NULL) == 0);
        free(workers[0].out.slots);
        bench_sample(&cycles, (double)(bench_now_ns() - begin) / 1e6);
    }
    BENCH_CHECK(sum == bench_job_sum(size));
    bench_print("cycle_p50", bench_percentile(&cycles, 50), "ms");
}

int main(int argc, char **argv)
{
    static const bench_workload workloads[] = {
        {"offload-throughput", offload_throughput},
        {"offload-latency", offload_latency},
        {"offload-idle", offload_idle},
        {"offload-batch", offload_batch},
        {"timers-fired", timers_fired},
        {"posts", posts_throughput},
        {"ping-pong", ping_pong},
        {"life-cycle", life_cycle},
        {NULL, NULL},
    };
    return bench_main(argc, argv, workloads);
}
