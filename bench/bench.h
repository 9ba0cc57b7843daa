/* SPDX-License-Identifier: Apache-2.0 */
/* What every benchmark program shares: clocks, samples and percentiles, memory in use, checks that end the program, the
 * plans that make all peers do the very same work (job inputs, timer deadlines, cancel order), and a main that picks a
 * workload by name. It decides how a figure is taken and printed; it knows no event library. Include it first. */
#ifndef FERRY_BENCH_H
#define FERRY_BENCH_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <limits.h>
#include <malloc.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* ---- checks: a wrong program must not print a figure ---- */

__attribute__((noreturn, format(printf, 1, 2))) static inline void bench_fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("WRONG: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(1);
}

#define BENCH_CHECK(condition)                                                                                         \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            bench_fail("%s:%d: %s", __FILE__, __LINE__, #condition);                                                   \
    } while (0)

/* For allocations that have no reason to fail here. */
static inline void *bench_need(void *block)
{
    BENCH_CHECK(block != NULL);
    return block;
}

/* ---- clocks ---- */

static inline int64_t bench_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* User and system time of all threads of the process, in microseconds. */
static inline int64_t bench_cpu_us(void)
{
    struct rusage usage;
    BENCH_CHECK(getrusage(RUSAGE_SELF, &usage) == 0);
    return ((int64_t)usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 + usage.ru_utime.tv_usec +
           usage.ru_stime.tv_usec;
}

/* ---- figures ---- */

/* One line: the runner adds workload and peer. Units with "/s" are better when higher, all others when lower. */
static inline void bench_print(const char *metric, double value, const char *unit)
{
    printf("%s %.3f %s\n", metric, value, unit);
}

static inline double bench_rate(long count, int64_t duration_ns)
{
    return (double)count * 1e9 / (double)(duration_ns > 0 ? duration_ns : 1);
}

typedef struct bench_samples {
    double *values;
    long count, capacity;
} bench_samples;

static inline void bench_samples_init(bench_samples *samples, long capacity)
{
    samples->values = (double *)bench_need(malloc((size_t)capacity * sizeof(double)));
    memset(samples->values, 1, (size_t)capacity * sizeof(double)); /* fault the pages in before anything is timed */
    samples->count = 0;
    samples->capacity = capacity;
}

static inline void bench_sample(bench_samples *samples, double value)
{
    BENCH_CHECK(samples->count < samples->capacity);
    samples->values[samples->count++] = value;
}

static inline int bench_compare_doubles(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

/* Nearest rank; sorts the samples in place. */
static inline double bench_percentile(bench_samples *samples, double percent)
{
    BENCH_CHECK(samples->count > 0);
    qsort(samples->values, (size_t)samples->count, sizeof(double), bench_compare_doubles);
    long rank = (long)(percent / 100 * (double)samples->count);
    return samples->values[rank < samples->count ? rank : samples->count - 1];
}

/* W2b repeats within the process: one warm-up, whose sample is dropped, then enough repeats for a median. */
static inline void bench_repeats_init(bench_samples *samples, long size)
{
    long repeats = 1000000 / size;
    bench_samples_init(samples, 1 + (repeats < 3 ? 3 : repeats > 9 ? 9 : repeats));
}

static inline bool bench_repeats_left(const bench_samples *samples)
{
    return samples->count < samples->capacity;
}

static inline void bench_print_repeats(const char *metric, bench_samples *samples, const char *unit)
{
    samples->values[0] = samples->values[--samples->count];
    bench_print(metric, bench_percentile(samples, 50), unit);
}

/* ---- repeatable randomness (splitmix64) ---- */

static inline uint64_t bench_random(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* ---- memory ---- */

/* Makes malloc keep what is freed, so that after a warm-up repeat the kernel's first-touch page faults (dear on virtual
 * machines, and the same for everybody) are out of the figures of W2b, while malloc itself stays in. */
static inline void bench_keep_memory(void)
{
    BENCH_CHECK(mallopt(M_MMAP_MAX, 0) == 1 && mallopt(M_TRIM_THRESHOLD, INT_MAX) == 1);
}

typedef struct bench_memory {
    int64_t heap, resident;
} bench_memory;

static inline bench_memory bench_memory_now(void)
{
    struct mallinfo2 info = mallinfo2();
    bench_memory now = {(int64_t)(info.uordblks + info.hblkhd), 0};
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    BENCH_CHECK(file && fscanf(file, "%*d %ld", &pages) == 1);
    fclose(file);
    now.resident = pages * sysconf(_SC_PAGESIZE);
    return now;
}

/* Bytes each of `count` things took since `before`: by malloc's books or by resident pages, whichever is more. */
static inline void bench_print_memory(bench_memory before, long count)
{
    bench_memory now = bench_memory_now();
    int64_t heap = now.heap - before.heap, resident = now.resident - before.resident;
    bench_print("bytes", (double)(heap > resident ? heap : resident) / (double)count, "bytes");
}

/* ---- plans: the same work for every peer ---- */

/* The tiny job of W1, W2 and W2b, and what the sum over inputs 0 .. count - 1 must come to. */
static inline uint64_t bench_job_work(uint64_t input)
{
    return input * 2 + 1;
}

static inline uint64_t bench_job_sum(long count)
{
    return (uint64_t)count * (uint64_t)count;
}

/* W1 keeps this many jobs in flight; every pool has this many workers. */
enum { BENCH_IN_FLIGHT = 1024, BENCH_WORKERS = 2, BENCH_TASKS = 10, BENCH_BATCH = 1000, BENCH_IDLE_PERIOD_US = 1000 };

/* W4, made and cancelled: deadlines within an hour (never in the first minute), a random order, how many to cancel. */
typedef struct bench_cancel_plan {
    uint32_t *delay_us, *order;
    long count, cancelled;
} bench_cancel_plan;

static inline bench_cancel_plan bench_plan_cancels(long count)
{
    bench_cancel_plan plan = {NULL, NULL, count, count / 10 * 9};
    uint64_t seed = 4;
    plan.delay_us = (uint32_t *)bench_need(malloc((size_t)count * sizeof(uint32_t)));
    plan.order = (uint32_t *)bench_need(malloc((size_t)count * sizeof(uint32_t)));
    for (long i = 0; i < count; i++) {
        uint64_t other = bench_random(&seed) % (uint64_t)(i + 1);
        plan.delay_us[i] = (uint32_t)(60000000 + bench_random(&seed) % UINT64_C(3540000000));
        plan.order[i] = (uint32_t)i;
        plan.order[i] = plan.order[other];
        plan.order[other] = (uint32_t)i;
    }
    return plan;
}

/* W4, fired: absolute deadlines (CLOCK_MONOTONIC) spread over one second that begins after the set-up. */
typedef struct bench_fire_plan {
    int64_t *deadline_ns, start_ns, cpu_us;
    bench_samples late_us;
} bench_fire_plan;

static inline void bench_plan_fires(bench_fire_plan *plan, long count)
{
    uint64_t seed = 5;
    plan->deadline_ns = (int64_t *)bench_need(malloc((size_t)count * sizeof(int64_t)));
    bench_samples_init(&plan->late_us, count);
    plan->start_ns = (bench_now_ns() / 1000 + 500000) * 1000; /* whole microseconds */
    for (long i = 0; i < count; i++)
        plan->deadline_ns[i] = plan->start_ns + (int64_t)(bench_random(&seed) % 1000000) * 1000;
}

/* All timers are set: from here to the report the CPU time counts. */
static inline void bench_fires_begin(bench_fire_plan *plan)
{
    BENCH_CHECK(bench_now_ns() < plan->start_ns);
    plan->cpu_us = bench_cpu_us();
}

/* Timer `index` fires now. Returns true at the last one. */
static inline bool bench_fired(bench_fire_plan *plan, long index)
{
    int64_t late_ns = bench_now_ns() - plan->deadline_ns[index];
    if (late_ns < 0)
        bench_fail("a timer fired %lld ns early", (long long)-late_ns);
    plan->deadline_ns[index] = INT64_MAX; /* a second fire of the same timer would be early */
    bench_sample(&plan->late_us, (double)late_ns / 1e3);
    return plan->late_us.count == plan->late_us.capacity;
}

static inline void bench_fires_report(bench_fire_plan *plan)
{
    long count = plan->late_us.count;
    BENCH_CHECK(count == plan->late_us.capacity);
    bench_print("fire_rate", bench_rate(count, (bench_cpu_us() - plan->cpu_us) * 1000), "fires/cpu/s");
    bench_print("fire_late_p50", bench_percentile(&plan->late_us, 50), "us");
    bench_print("fire_late_p99", bench_percentile(&plan->late_us, 99), "us");
}

/* ---- W5, the posting side: `size` numbered messages, checked for order where they run ---- */

typedef struct post_run {
    long size, seen;
    int64_t begin_ns, end_ns;
    void (*post)(void *arg); /* thread-safe post of `arg`, an intptr_t, to the loop under test */
    pthread_t thread;
} post_run;

static inline void *post_run_thread(void *arg)
{
    post_run *run = (post_run *)arg;
    run->begin_ns = bench_now_ns();
    for (intptr_t i = 0; i < run->size; i++)
        run->post((void *)i);
    return NULL;
}

static inline void post_run_start(post_run *run, long size, void (*post)(void *arg))
{
    memset(run, 0, sizeof *run);
    run->size = size;
    run->post = post;
    BENCH_CHECK(pthread_create(&run->thread, NULL, post_run_thread, run) == 0);
}

/* Message `arg` ran on the loop. Returns true at the last one. */
static inline bool post_run_seen(post_run *run, void *arg)
{
    BENCH_CHECK((intptr_t)arg == run->seen);
    if (++run->seen < run->size)
        return false;
    run->end_ns = bench_now_ns();
    return true;
}

static inline void post_run_report(post_run *run)
{
    BENCH_CHECK(pthread_join(run->thread, NULL) == 0);
    BENCH_CHECK(run->seen == run->size);
    bench_print("post_rate", bench_rate(run->size, run->end_ns - run->begin_ns), "posts/s");
}

/* ---- main ---- */

typedef struct bench_workload {
    const char *name;
    void (*run)(long size);
} bench_workload;

/* `PROGRAM list` names the workloads; `PROGRAM WORKLOAD SIZE` runs one. The table ends with a NULL name. */
static inline int bench_main(int argc, char **argv, const bench_workload *workloads)
{
    bool list = argc == 2 && strcmp(argv[1], "list") == 0;
    for (const bench_workload *workload = workloads; workload->name; workload++) {
        if (list)
            puts(workload->name);
        else if (argc == 3 && strcmp(argv[1], workload->name) == 0 && atol(argv[2]) > 0) {
            workload->run(atol(argv[2]));
            return fflush(stdout) != 0;
        }
    }
    if (!list)
        fprintf(stderr, "usage: %s list | WORKLOAD SIZE\n", argv[0]);
    return !list;
}

#endif
