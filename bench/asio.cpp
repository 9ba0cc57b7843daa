/* SPDX-License-Identifier: Apache-2.0 */
/* The workloads as a good user of asio writes them: one io_context run by one thread (concurrency hint 1), a
 * thread_pool that posts each completion back, timers on the io_context's own executor type, one work guard per run. */
#include "bench.h"

#define ASIO_STANDALONE
#define ASIO_NO_DEPRECATED
#include <asio.hpp>

#include <memory>
#include <optional>
#include <semaphore.h>
#include <thread>
#include <vector>

namespace {

using clock_type = std::chrono::steady_clock;
using timer_type =
    asio::basic_waitable_timer<clock_type, asio::wait_traits<clock_type>, asio::io_context::executor_type>;
using guard_type = asio::executor_work_guard<asio::io_context::executor_type>;

/* ---- W1, W2, W2b: post to the pool, post back ---- */

struct job {
    uint64_t input, output;
};

struct offload {
    asio::io_context io{1};
    guard_type guard{io.get_executor()};
    asio::thread_pool pool{BENCH_WORKERS};
    long submitted = 0, completed = 0, total;
    uint64_t sum = 0;

    explicit offload(long size) : total(size) {}

    /* `then(job)` runs on the loop. */
    template <typename Then> void submit(job *self, Then then)
    {
        self->input = static_cast<uint64_t>(submitted++);
        asio::post(pool, [this, self, then] {
            self->output = bench_job_work(self->input);
            asio::post(io, [this, self, then] {
                sum += self->output;
                completed++;
                then(self);
            });
        });
    }

    void run_until_all_done()
    {
        io.run();
        BENCH_CHECK(completed == total && submitted == total && sum == bench_job_sum(total));
    }

    void stop_at_last()
    {
        if (completed == total)
            guard.reset();
    }
};

struct refill {
    offload *run;

    void operator()(job *self) const
    {
        if (run->submitted < run->total)
            run->submit(self, *this);
        run->stop_at_last();
    }
};

void offload_throughput(long size)
{
    offload run(size);
    std::vector<job> jobs(BENCH_IN_FLIGHT);
    int64_t begin = bench_now_ns();
    for (auto &one : jobs)
        if (run.submitted < size)
            run.submit(&one, refill{&run});
    run.run_until_all_done();
    bench_print("rate", bench_rate(size, bench_now_ns() - begin), "jobs/s");
}

struct time_and_repeat {
    offload *run;
    bench_samples *latency;
    int64_t *sent_ns;

    void operator()(job *self) const
    {
        bench_sample(latency, static_cast<double>(bench_now_ns() - *sent_ns) / 1e3);
        if (run->submitted < run->total) {
            *sent_ns = bench_now_ns();
            run->submit(self, *this);
        }
        run->stop_at_last();
    }
};

void offload_latency(long size)
{
    offload run(size);
    job one;
    bench_samples latency;
    bench_samples_init(&latency, size);
    int64_t sent_ns = bench_now_ns();
    run.submit(&one, time_and_repeat{&run, &latency, &sent_ns});
    run.run_until_all_done();
    bench_print("p50", bench_percentile(&latency, 50), "us");
    bench_print("p99", bench_percentile(&latency, 99), "us");
}

struct ticker {
    offload run;
    timer_type timer{run.io, clock_type::now()};
    std::vector<job> jobs = std::vector<job>(BENCH_IN_FLIGHT); /* a late completion must not meet the next tick's job */

    explicit ticker(long size) : run(size) {}

    void arm()
    {
        timer.expires_at(timer.expiry() + std::chrono::microseconds(BENCH_IDLE_PERIOD_US));
        timer.async_wait([this](std::error_code error) {
            BENCH_CHECK(!error);
            job *next = &jobs[static_cast<size_t>(run.submitted % BENCH_IN_FLIGHT)];
            run.submit(next, [this](job *) { run.stop_at_last(); });
            if (run.submitted < run.total)
                arm();
        });
    }
};

void offload_idle(long size)
{
    ticker ticks(size);
    int64_t cpu = bench_cpu_us();
    ticks.arm();
    ticks.run.run_until_all_done();
    bench_print("cpu", static_cast<double>(bench_cpu_us() - cpu) / static_cast<double>(size), "us/job");
}

void offload_batch(long size)
{
    bench_samples rates;
    bench_keep_memory();
    bench_repeats_init(&rates, size);
    offload run(size);
    while (bench_repeats_left(&rates)) {
        run.submitted = run.completed = 0;
        run.sum = 0;
        int64_t begin = bench_now_ns();
        auto jobs = std::unique_ptr<job[]>(new job[static_cast<size_t>(size)]);
        for (long i = 0; i < size; i++)
            run.submit(&jobs[static_cast<size_t>(i)], [&run](job *) {
                if (run.completed == run.total)
                    run.io.stop();
            });
        run.run_until_all_done();
        jobs.reset();
        bench_sample(&rates, bench_rate(size, bench_now_ns() - begin));
        run.io.restart();
    }
    bench_print_repeats("rate", &rates, "jobs/s");
}

/* ---- W3: asio::post from within a handler ---- */

struct link {
    asio::io_context *io;
    long *left;

    void operator()() const
    {
        if (--*left > 0)
            asio::post(*io, *this);
    }
};

void ready_chain(long size)
{
    asio::io_context io(1);
    long left = size;
    int64_t begin = bench_now_ns();
    asio::post(io, link{&io, &left});
    io.run();
    bench_print("rate", bench_rate(size, bench_now_ns() - begin), "callbacks/s");
    BENCH_CHECK(left == 0);
}

struct batches {
    asio::io_context io{1};
    long total, ran = 0;

    void post_batch()
    {
        for (int i = 0; i < BENCH_BATCH; i++)
            asio::post(io, [this, i] {
                BENCH_CHECK(ran++ % BENCH_BATCH == i);
                if (i == BENCH_BATCH - 1 && ran < total)
                    post_batch();
            });
    }
};

void ready_batch(long size)
{
    batches run;
    run.total = size;
    int64_t begin = bench_now_ns();
    run.post_batch();
    run.io.run();
    bench_print("rate", bench_rate(run.ran, bench_now_ns() - begin), "callbacks/s");
    BENCH_CHECK(run.ran >= size && run.ran < size + BENCH_BATCH);
}

/* ---- W4 ---- */

struct canceller {
    asio::io_context io{1};
    bench_cancel_plan plan;
    std::vector<timer_type> timers;
    long aborted = 0;

    void create()
    {
        timers.reserve(static_cast<size_t>(plan.count));
        auto now = clock_type::now();
        for (long i = 0; i < plan.count; i++) {
            timers.emplace_back(io, now + std::chrono::microseconds(plan.delay_us[i]));
            timers.back().async_wait([this](std::error_code error) {
                BENCH_CHECK(error == asio::error::operation_aborted);
                aborted++;
            });
        }
    }

    void cancel(long begin, long end)
    {
        for (long i = begin; i < end; i++)
            timers[plan.order[i]].cancel();
        io.poll();
        BENCH_CHECK(aborted == end);
    }
};

void timers_cancelled(long size)
{
    canceller run;
    run.plan = bench_plan_cancels(size);
    int64_t begin = bench_now_ns();
    run.create();
    bench_print("create_rate", bench_rate(size, bench_now_ns() - begin), "timers/s");
    begin = bench_now_ns();
    run.cancel(0, run.plan.cancelled);
    bench_print("cancel_rate", bench_rate(run.plan.cancelled, bench_now_ns() - begin), "timers/s");
    run.cancel(run.plan.cancelled, size);
}

void timers_fired(long size)
{
    asio::io_context io(1);
    bench_fire_plan fires;
    bench_plan_fires(&fires, size);
    std::vector<timer_type> timers;
    timers.reserve(static_cast<size_t>(size));
    for (long i = 0; i < size; i++) {
        timers.emplace_back(io, clock_type::time_point(std::chrono::nanoseconds(fires.deadline_ns[i])));
        timers.back().async_wait([&fires, i](std::error_code error) {
            BENCH_CHECK(!error);
            bench_fired(&fires, i);
        });
    }
    bench_fires_begin(&fires);
    io.run();
    bench_fires_report(&fires);
}

/* ---- W5 ---- */

struct post_target {
    asio::io_context io{1};
    guard_type guard{io.get_executor()};
    post_run run;
};

post_target *target;

void post(void *arg)
{
    asio::post(target->io, [arg] {
        if (post_run_seen(&target->run, arg))
            target->guard.reset();
    });
}

void posts_throughput(long size)
{
    post_target own;
    target = &own;
    post_run_start(&own.run, size, post);
    own.io.run();
    post_run_report(&own.run);
}

struct rally {
    asio::io_context here{1}, there{1};
    std::optional<guard_type> guards[2]{guard_type(here.get_executor()), guard_type(there.get_executor())};
    bench_samples latency;
    int64_t sent_ns = 0;

    void serve()
    {
        sent_ns = bench_now_ns();
        asio::post(there, [this] { asio::post(here, [this] { caught(); }); });
    }

    void caught()
    {
        bench_sample(&latency, static_cast<double>(bench_now_ns() - sent_ns) / 1e3);
        if (latency.count < latency.capacity)
            serve();
        else
            for (auto &guard : guards)
                guard.reset();
    }
};

void ping_pong(long size)
{
    rally run;
    bench_samples_init(&run.latency, size);
    std::thread other([&run] { run.there.run(); });
    run.serve();
    run.here.run();
    other.join();
    BENCH_CHECK(run.latency.count == size);
    bench_print("p50", bench_percentile(&run.latency, 50), "us");
}

/* ---- W9 ---- */

void memory_timer(long size)
{
    asio::io_context io(1);
    bench_cancel_plan plan = bench_plan_cancels(size);
    std::vector<std::unique_ptr<timer_type>> timers(static_cast<size_t>(size));
    auto now = clock_type::now();
    bench_memory before = bench_memory_now();
    for (size_t i = 0; i < timers.size(); i++) {
        timers[i] = std::make_unique<timer_type>(io, now + std::chrono::microseconds(plan.delay_us[i]));
        timers[i]->async_wait([](std::error_code error) { BENCH_CHECK(error == asio::error::operation_aborted); });
    }
    bench_print_memory(before, size);
}

void memory_job(long size)
{
    offload run(size);
    sem_t gate;
    sem_init(&gate, 0, 0);
    auto jobs = std::unique_ptr<job[]>(new job[static_cast<size_t>(size)]); /* inputs and outputs: not asio's */
    memset(static_cast<void *>(jobs.get()), 0, static_cast<size_t>(size) * sizeof(job));
    for (int i = 0; i < BENCH_WORKERS; i++)
        asio::post(run.pool, [&gate] { sem_wait(&gate); });
    bench_memory before = bench_memory_now();
    for (long i = 0; i < size; i++)
        run.submit(&jobs[static_cast<size_t>(i)], [&run](job *) { run.stop_at_last(); });
    bench_print_memory(before, size);
    for (int i = 0; i < BENCH_WORKERS; i++)
        sem_post(&gate);
    run.run_until_all_done();
    sem_destroy(&gate);
}

/* ---- W11 ---- */

void life_cycle(long size)
{
    bench_samples cycles;
    bench_samples_init(&cycles, size);
    for (long i = 0; i < size; i++) {
        bool done = false;
        int64_t begin = bench_now_ns();
        {
            asio::io_context io(1);
            guard_type guard(io.get_executor());
            asio::thread_pool pool(1);
            asio::post(pool, [&] {
                asio::post(io, [&, result = bench_job_work(static_cast<uint64_t>(i))] {
                    done = result == bench_job_work(static_cast<uint64_t>(i));
                    guard.reset();
                });
            });
            io.run();
            pool.join();
        }
        bench_sample(&cycles, static_cast<double>(bench_now_ns() - begin) / 1e6);
        BENCH_CHECK(done);
    }
    bench_print("cycle_p50", bench_percentile(&cycles, 50), "ms");
}

} // namespace

int main(int argc, char **argv)
{
    static const bench_workload workloads[] = {
        {"offload-throughput", offload_throughput},
        {"offload-latency", offload_latency},
        {"offload-idle", offload_idle},
        {"offload-batch", offload_batch},
        {"ready-chain", ready_chain},
        {"ready-batch", ready_batch},
        {"timers-cancelled", timers_cancelled},
        {"timers-fired", timers_fired},
        {"posts", posts_throughput},
        {"ping-pong", ping_pong},
        {"memory-timer", memory_timer},
        {"memory-job", memory_job},
        {"life-cycle", life_cycle},
        {nullptr, nullptr},
    };
    return bench_main(argc, argv, workloads);
}
