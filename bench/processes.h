/* SPDX-License-Identifier: Apache-2.0 */
/* W7's work, the same for every peer: arguments of one size that are told apart in every page, the result that a worker
 * makes of one, and the check of it. It decides how many jobs are out at a time; it knows no way between processes.
 * Include bench.h first. */
#ifndef FERRY_BENCH_PROCESSES_H
#define FERRY_BENCH_PROCESSES_H

enum { PROCESS_SMALL = 64, PROCESS_LARGE = 1 << 20, PROCESS_LARGE_IN_FLIGHT = 8 };

enum { PROCESS_STRIDE = 4096 / sizeof(uint64_t) };

static inline long process_in_flight(size_t size)
{
    return size == PROCESS_SMALL ? BENCH_IN_FLIGHT : PROCESS_LARGE_IN_FLIGHT;
}

/* Turns `words` into the argument number `input`: one word in each page and the last one; the rest may be anything. */
static inline void process_argument(uint64_t *words, size_t size, uint64_t input)
{
    size_t count = size / sizeof *words;
    for (size_t i = 0; i < count; i += PROCESS_STRIDE)
        words[i] = input + i;
    words[count - 1] = ~input;
}

/* What a worker does: the result is a copy in which these words have changed. The two may be one. */
static inline void process_work(uint64_t *result, const uint64_t *argument, size_t size)
{
    size_t count = size / sizeof *result;
    if (result != argument)
        memcpy(result, argument, size);
    for (size_t i = 0; i < count; i += PROCESS_STRIDE)
        result[i] = bench_job_work(result[i]);
    result[count - 1] = bench_job_work(result[count - 1]);
}

static inline void process_check(const uint64_t *result, size_t size, uint64_t input)
{
    size_t count = size / sizeof *result;
    for (size_t i = 0; i < count; i += PROCESS_STRIDE)
        BENCH_CHECK(result[i] == bench_job_work(input + i));
    BENCH_CHECK(result[count - 1] == bench_job_work(~input));
}

#endif
