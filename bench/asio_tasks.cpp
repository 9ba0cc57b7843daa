/* SPDX-License-Identifier: Apache-2.0 */
/* asio's stackless coroutines: awaitables of C++20. */
#include "bench.h"

#include <asio.hpp>

#include <chrono>
#include <vector>

namespace {

template <typename T> using awaitable = asio::awaitable<T>;

awaitable<void> live(long &lived)
{
    lived++;
    co_return;
}

awaitable<void> make_many(asio::io_context &io, long size, long &lived)
{
    for (long i = 0; i < size; i++)
        co_await asio::co_spawn(io, live(lived), asio::use_awaitable);
}

void task_life(long size)
{
    long lived = 0;
    asio::io_context io(1);
    asio::co_spawn(io, make_many(io, size, lived), asio::detached);
    int64_t begin = bench_now_ns();
    io.run();
    bench_print("life_rate", bench_rate(size, bench_now_ns() - begin), "tasks/s");
    BENCH_CHECK(lived == size);
}

awaitable<void> give_way(long times, long &turns)
{
    for (long i = 0; i < times; i++) {
        turns++;
        co_await asio::post(asio::use_awaitable);
    }
}

void task_yield(long size)
{
    long turns = 0;
    asio::io_context io(1);
    for (int i = 0; i < BENCH_TASKS; i++)
        asio::co_spawn(io, give_way(size / BENCH_TASKS, turns), asio::detached);
    int64_t begin = bench_now_ns();
    io.run();
    bench_print("yield", static_cast<double>(bench_now_ns() - begin) / static_cast<double>(size), "ns");
    BENCH_CHECK(turns == size);
}

awaitable<void> stand_still(asio::steady_timer &never)
{
    co_await never.async_wait(asio::use_awaitable);
}

void memory_task(long size)
{
    asio::io_context io(1);
    asio::steady_timer never(io, std::chrono::hours(1));
    bench_memory before = bench_memory_now();
    for (long i = 0; i < size; i++)
        asio::co_spawn(io, stand_still(never), asio::detached);
    io.poll();
    bench_print_memory(before, size);
}

} // namespace

int main(int argc, char **argv)
{
    static const bench_workload workloads[] = {
        {"task-life", task_life},
        {"task-yield", task_yield},
        {"memory-task", memory_task},
        {nullptr, nullptr},
    };
    return bench_main(argc, argv, workloads);
}
