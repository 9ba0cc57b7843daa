/* SPDX-License-Identifier: Apache-2.0 */
/* A pool whose workers retire after every job and are started again for the next leaks nothing, however often: from a
 * tenth of the rounds on neither the heap, nor the process, nor its address space (threads' stacks) grows. Some pools
 * side by side share the rounds, for most of one is waiting. FERRY_TEST_RESPAWNS sets how many rounds. */
#define FY_TEST_DEADLINE_S 900

#include "support/jobs.h"
#include "support/system.h"
#include "support/threads.h"

#include <stdlib.h>
#include <string.h>

#if defined(__GLIBC__) && !FY_SANITIZED
#include <malloc.h>
#define HEAP_CAN_BE_MEASURED 1
#else
#define HEAP_CAN_BE_MEASURED 0
#endif

enum { RESPAWNS = 100000, FEW_RESPAWNS = 3000, POOLS = 4 };

/* What is allowed to differ between two looks: far less than a leak of a byte or so for each respawn; and of addresses,
 * less than a stack in a thousand, but more than some that the system's thread library keeps. */
enum { HEAP_SLACK_BYTES = 32 * 1024, PROCESS_SLACK_KB = 1024, ADDRESSES_SLACK_KB = 256 * 1024 };

static size_t heap_bytes(void) {
#if HEAP_CAN_BE_MEASURED
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
#else
    return 0;
#endif
}

/* 0 where the system does not tell, or where a sanitizer's own memory grows. */
static long process_kb(const char *what) {
    char line[256];
    long kb = 0;
    FILE *status = FY_SANITIZED ? NULL : fopen("/proc/self/status", "r");
    if (!status)
        return 0;
    while (fgets(line, sizeof line, status))
        if (strncmp(line, what, strlen(what)) == 0)
            kb = strtol(line + strlen(what), NULL, 10);
    fclose(status);
    return kb;
}

static uint64_t rounds_wanted(void) {
    const char *wanted = getenv("FERRY_TEST_RESPAWNS");
    if (wanted && atoi(wanted) > 10)
        return (uint64_t)atoi(wanted);
    return FY_SANITIZED || fy_system_threads_are_dear() ? FEW_RESPAWNS : RESPAWNS;
}

typedef struct respawner {
    helper_thread thread;
    ferry_executor *pool;
    uint64_t rounds, submitted;
} respawner;

/* Runs a job, and waits until its worker has retired, so that the next one needs a new worker; again and again. */
static void respawn(void *arg) {
    respawner *self = arg;
    while (fy_stats(self->pool).workers_retired < self->rounds) {
        uint64_t retired = fy_stats(self->pool).workers_retired;
        CHECK_STATUS(ferry_executor_submit(self->pool, fy_nothing, NULL, NULL), 0);
        self->submitted++;
        while (fy_stats(self->pool).workers_retired == retired)
            ferry_thread_sleep(10);
    }
}

static void respawn_until(respawner *all, uint64_t rounds) {
    for (int i = 0; i < POOLS; i++) {
        all[i].rounds = rounds / POOLS;
        thread_start(&all[i].thread, respawn, &all[i]);
    }
    for (int i = 0; i < POOLS; i++)
        thread_join(&all[i].thread);
}

/* With so short a patience a worker may also retire before the job it was started for is there. */
static void end(const respawner *self) {
    CHECK_STATUS(ferry_executor_shutdown(self->pool, true, false, FERRY_FOREVER), 0);
    ferry_executor_stats stats = fy_stats(self->pool);
    CHECK(stats.workers_started >= self->submitted);
    CHECK_INT(stats.done, self->submitted);
    ferry_executor_unref(self->pool);
}

static void retiring_and_respawning_leaks_nothing(void) {
    uint64_t rounds = rounds_wanted();
    respawner all[POOLS] = {0};
#if HEAP_CAN_BE_MEASURED
    (void)mallopt(M_ARENA_MAX, 1); /* how many threads there were at once shall not show */
#endif
    for (int i = 0; i < POOLS; i++)
        all[i].pool = fy_pool_with(
            &(ferry_thread_pool_options){FERRY_THREAD_POOL_OPTIONS, .max_workers = 1, .idle_timeout_us = 1});
    respawn_until(all, rounds / 10);
    size_t heap = heap_bytes();
    long process = process_kb("VmRSS:"), addresses = process_kb("VmSize:");
    respawn_until(all, rounds);
    size_t heap_later = heap_bytes();
    long process_later = process_kb("VmRSS:"), addresses_later = process_kb("VmSize:");
    printf("respawned %d times; heap %zu then %zu bytes, process %ld then %ld KB, addresses %ld then %ld KB ",
           (int)rounds, heap, heap_later, process, process_later, addresses, addresses_later);
    CHECK(heap_later <= heap + HEAP_SLACK_BYTES);
    CHECK(process_later <= process + PROCESS_SLACK_KB);
    CHECK(addresses_later <= addresses + ADDRESSES_SLACK_KB);
    for (int i = 0; i < POOLS; i++)
        end(&all[i]);
}

static const fy_test tests[] = {
    FY_TEST(retiring_and_respawning_leaks_nothing),
};

FY_TEST_MAIN("respawn", tests)
