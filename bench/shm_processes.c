/* SPDX-License-Identifier: Apache-2.0 */
/* W7's second hand-written limit: forked workers on rings in shared memory, one each way per worker, with a slot for
 * every message that may be under way. Arguments are copied into a slot, results from slot to slot and out again, as a
 * program with memory of its own must. Who finds nothing looks for a moment and sleeps on a futex then. No job can
 * fail, be cancelled or find its worker gone. */
#include "bench.h"

#define BELL_FLAG 0
#include "bell.h"
#include "processes.h"

#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>

enum { LOOKS = 100, AT_ONCE = 32 };

typedef struct ring {
    _Alignas(64) atomic_size_t taken; /* written by the consumer */
    _Alignas(64) atomic_size_t put;   /* written by the producer */
    unsigned char *slots;
} ring;

typedef struct worker {
    ring in, out;
    bell wake;
    pid_t pid;
    size_t sent, received;
} worker;

typedef struct shared {
    worker workers[BENCH_WORKERS];
    bell parent_wake;
    atomic_bool quit;
} shared;

static shared *all;
static size_t message, slots;

static size_t ring_count(ring *self)
{
    return atomic_load_explicit(&self->put, memory_order_acquire) -
           atomic_load_explicit(&self->taken, memory_order_relaxed);
}

static void *ring_slot(ring *self, size_t number)
{
    return self->slots + number % slots * message;
}

/* Until there is something, as `something` sees it: looks, gives way, sleeps. */
static void await(bell *wake, bool (*something)(worker *self), worker *self)
{
    for (int look = 0; look < LOOKS; look++) {
        if (something(self))
            return;
        sched_yield();
    }
    bell_will_sleep(wake);
    bell_sleep(wake, something(self));
}

/* ---- the worker ---- */

static bool has_work(worker *self)
{
    return ring_count(&self->in) > 0 || atomic_load(&all->quit);
}

static void answer(worker *self, size_t count)
{
    size_t first = atomic_load_explicit(&self->in.taken, memory_order_relaxed);
    for (size_t i = first; i < first + count; i++)
        process_work(ring_slot(&self->out, i), ring_slot(&self->in, i), message);
    atomic_store_explicit(&self->in.taken, first + count, memory_order_release);
    atomic_store_explicit(&self->out.put, first + count, memory_order_release);
    bell_ring(&all->parent_wake);
}

static void worker_main(worker *self)
{
    while (!atomic_load(&all->quit)) {
        size_t count = ring_count(&self->in), most = message == PROCESS_SMALL ? AT_ONCE : 1;
        if (count > 0)
            answer(self, count < most ? count : most);
        else
            await(&self->wake, has_work, self);
    }
    _exit(0);
}

/* ---- the parent ---- */

static void *map(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    BENCH_CHECK(memory != MAP_FAILED);
    return memory;
}

static void start(size_t bytes)
{
    message = bytes;
    slots = (size_t)process_in_flight(bytes) / BENCH_WORKERS;
    all = map(sizeof *all);
    for (worker *self = all->workers; self < all->workers + BENCH_WORKERS; self++) {
        self->in.slots = map(slots * message);
        self->out.slots = map(slots * message);
        pid_t pid = fork();
        BENCH_CHECK(pid >= 0);
        if (pid == 0)
            worker_main(self);
        self->pid = pid;
    }
}

static void stop(void)
{
    atomic_store(&all->quit, true);
    for (worker *self = all->workers; self < all->workers + BENCH_WORKERS; self++) {
        int state;
        bell_ring(&self->wake);
        BENCH_CHECK(waitpid(self->pid, &state, 0) == self->pid && state == 0);
    }
}

static bool has_answers(worker *self)
{
    (void)self;
    for (int i = 0; i < BENCH_WORKERS; i++)
        if (ring_count(&all->workers[i].out) > 0)
            return true;
    return false;
}

static uint64_t input_of(const worker *self, size_t number)
{
    return number * BENCH_WORKERS + (uint64_t)(self - all->workers);
}

static void send_some(worker *self, size_t until, uint64_t *argument)
{
    size_t before = self->sent;
    for (; self->sent < until && self->sent - self->received < slots; self->sent++) {
        process_argument(argument, message, input_of(self, self->sent));
        memcpy(ring_slot(&self->in, self->sent), argument, message);
    }
    if (self->sent == before)
        return;
    atomic_store_explicit(&self->in.put, self->sent, memory_order_release);
    bell_ring(&self->wake);
}

static size_t collect(worker *self, uint64_t *result)
{
    size_t count = ring_count(&self->out);
    for (size_t i = 0; i < count; i++) {
        memcpy(result, ring_slot(&self->out, self->received), message);
        process_check(result, message, input_of(self, self->received++));
    }
    atomic_store_explicit(&self->out.taken, self->received, memory_order_release);
    return count;
}

/* `count` jobs for each of so many workers. */
static void run(size_t count, int workers, uint64_t *argument, uint64_t *result)
{
    size_t until = all->workers[0].sent + count, left = count * (size_t)workers;
    for (int i = 0; i < workers; i++)
        send_some(&all->workers[i], until, argument);
    while (left) {
        await(&all->parent_wake, has_answers, NULL);
        for (int i = 0; i < workers; i++) {
            left -= collect(&all->workers[i], result);
            send_some(&all->workers[i], until, argument);
        }
    }
}

static void pipelined(long size, size_t bytes)
{
    size_t count = (size_t)size / BENCH_WORKERS;
    uint64_t *argument = bench_need(calloc(1, bytes)), *result = bench_need(calloc(1, bytes));
    start(bytes);
    run(slots, BENCH_WORKERS, argument, result); /* faults the pages in */
    int64_t begin = bench_now_ns();
    run(count, BENCH_WORKERS, argument, result);
    bench_print("rate", bench_rate((long)(count * BENCH_WORKERS), bench_now_ns() - begin), "jobs/s");
    stop();
    free(argument);
    free(result);
}

static void process_throughput(long size)
{
    pipelined(size, PROCESS_SMALL);
}

static void process_large(long size)
{
    pipelined(size, PROCESS_LARGE);
}

static void process_latency(long size)
{
    bench_samples latency;
    uint64_t argument[PROCESS_SMALL / sizeof(uint64_t)] = {0}, result[PROCESS_SMALL / sizeof(uint64_t)];
    bench_samples_init(&latency, size);
    start(PROCESS_SMALL);
    for (long i = 0; i < size; i++) {
        int64_t sent_ns = bench_now_ns();
        run(1, 1, argument, result);
        bench_sample(&latency, (double)(bench_now_ns() - sent_ns) / 1e3);
    }
    stop();
    bench_print("p50", bench_percentile(&latency, 50), "us");
    bench_print("p99", bench_percentile(&latency, 99), "us");
}

int main(int argc, char **argv)
{
    static const bench_workload workloads[] = {
        {"process-throughput", process_throughput},
        {"process-latency", process_latency},
        {"process-large", process_large},
        {NULL, NULL},
    };
    return bench_main(argc, argv, workloads);
}
