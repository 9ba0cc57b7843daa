/* SPDX-License-Identifier: Apache-2.0 */
/* Boost's stackful coroutines: fibers with a scheduler of their own (boost.fiber), on pooled stacks as a good user
 * would take them; and what those stand on, without a scheduler (boost.context). */
#include "bench.h"

#include <boost/context/fiber.hpp>
#include <boost/fiber/all.hpp>
#include <boost/fiber/pooled_fixedsize_stack.hpp>

#include <utility>
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

void task_switch(long size)
{
    long there = 0;
    bool is_over = false;
    boost::context::fiber other([&there, &is_over](boost::context::fiber &&own) {
        while (!is_over) {
            there++;
            own = std::move(own).resume();
        }
        return std::move(own);
    });
    int64_t begin = bench_now_ns();
    for (long i = 0; i < size / 2; i++)
        other = std::move(other).resume();
    bench_print("switch", static_cast<double>(bench_now_ns() - begin) / static_cast<double>(size), "ns");
    BENCH_CHECK(there == size / 2);
    is_over = true;
    std::move(other).resume();
}

} // namespace

int main(int argc, char **argv)
{
    static const bench_workload workloads[] = {
        {"task-life", task_life},
        {"task-yield", task_yield},
        {"task-switch", task_switch},
        {nullptr, nullptr},
    };
    return bench_main(argc, argv, workloads);
}
