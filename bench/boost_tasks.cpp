/* SPDX-License-Identifier: Apache-2.0 */
/* Boost's stackful coroutines: fibers with a scheduler of their own (boost.fiber), on pooled stacks as a good user
 * would take them. */
#include "bench.h"

#include <boost/fiber/all.hpp>
#include <boost/fiber/pooled_fixedsize_stack.hpp>

#include <vector>

namespace {

using stacks_type = boost::fibers::pooled_fixedsize_stack;

void task_life(long size)
{
    long lived = 0;
    stacks_type stacks(64 * 1024);
    int64_t begin = bench_now_ns();
    for (long i = 0; i < size; i++)
        boost::fibers::fiber(std::allocator_arg, stacks, [&lived] { lived++; }).join();
    bench_print("life_rate", bench_rate(size, bench_now_ns() - begin), "tasks/s");
    BENCH_CHECK(lived == size);
}

void task_yield(long size)
{
    long turns = 0;
    std::vector<boost::fibers::fiber> tasks;
    int64_t begin = bench_now_ns();
    for (int i = 0; i < BENCH_TASKS; i++)
        tasks.emplace_back([&turns, size] {
            for (long j = 0; j < size / BENCH_TASKS; j++) {
                turns++;
                boost::this_fiber::yield();
            }
        });
    for (auto &task : tasks)
        task.join();
    bench_print("yield", static_cast<double>(bench_now_ns() - begin) / static_cast<double>(size), "ns");
    BENCH_CHECK(turns == size);
}

} // namespace

int main(int argc, char **argv)
{
    static const bench_workload workloads[] = {
        {"task-life", task_life},
        {"task-yield", task_yield},
        {nullptr, nullptr},
    };
    return bench_main(argc, argv, workloads);
}
