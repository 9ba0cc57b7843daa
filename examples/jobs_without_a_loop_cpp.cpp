/* SPDX-License-Identifier: Apache-2.0 */
/* Executors with no event loop, from C++17: the same steps as jobs_without_a_loop.c, with lambdas for functions,
 * exceptions for errors, and handles that close themselves. The wrappers decide who frees what; they are this program's
 * own, as small as it needs them. */
#include <ferry.h>

#include <chrono>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace {

// ---- the wrappers ----

void check(ferry_status status, const char *message = nullptr) {
    char sentence[128];
    if (status)
        throw std::runtime_error(message ? message : ferry_strerror(status, sentence, sizeof sentence));
}

template <class T> void destroy(void *pointer) { delete static_cast<T *>(pointer); }

// Calls a function object from C: what it throws becomes the job's error.
template <class F> ferry_status call_function(void *arg, ferry_call *call) {
    using value = std::invoke_result_t<F>;
    try {
        return ferry_return_pointer(call, new value((*static_cast<F *>(arg))()), destroy<value>);
    } catch (const std::exception &error) {
        return ferry_return_error(call, 0, "%s", error.what());
    }
}

// A job whose result is a T: one reference, given up by the destructor.
template <class T> class job {
public:
    explicit job(ferry_job *handle) : handle_(handle, ferry_job_unref) {}

    const T &result() const {
        check(ferry_job_wait(handle_.get(), FERRY_FOREVER));
        check(ferry_job_status(handle_.get()), ferry_job_message(handle_.get()));
        return *static_cast<const T *>(ferry_job_pointer(handle_.get()));
    }

    template <class F> void add_done_callback(F callback) {
        auto owned = std::make_unique<F>(std::move(callback));
        check(ferry_job_add_done_callback(handle_.get(), call_back<F>, owned.get()));
        static_cast<void>(owned.release());  // call_back owns it now
    }

    ferry_job *handle() const { return handle_.get(); }

private:
    template <class F> static ferry_status call_back(ferry_job *handle, void *arg) {
        std::unique_ptr<F> callback(static_cast<F *>(arg));
        try {
            (*callback)(job(ferry_job_ref(handle)));
        } catch (const std::exception &error) {
            std::fprintf(stderr, "a done callback: %s\n", error.what());
        }
        return 0;
    }

    std::unique_ptr<ferry_job, void (*)(ferry_job *)> handle_;
};

// Waits for its jobs at the end of its scope. Only one of its own workers could be refused that.
class thread_pool {
public:
    explicit thread_pool(std::size_t max_workers) {
        ferry_thread_pool_options options;
        ferry_thread_pool_options_init(&options);
        options.max_workers = max_workers;
        check(ferry_thread_pool_create(&options, &handle_));
    }
    ~thread_pool() { static_cast<void>(ferry_executor_close(handle_)); }
    thread_pool(const thread_pool &) = delete;
    thread_pool &operator=(const thread_pool &) = delete;

    template <class F> job<std::invoke_result_t<F>> submit(F function) {
        auto owned = std::make_unique<F>(std::move(function));
        ferry_job_options options;
        ferry_job_options_init(&options);
        options.function = call_function<F>;
        options.arg = owned.get();
        options.arg_free = destroy<F>;
        ferry_job *handle = nullptr;
        check(ferry_executor_submit_with(handle_, &options, &handle));
        static_cast<void>(owned.release());  // the job owns it now
        return job<std::invoke_result_t<F>>(handle);
    }

private:
    ferry_executor *handle_ = nullptr;
};

// Hands out the jobs in the order in which they end.
template <class T, class F> void for_each_completed(const std::vector<job<T>> &jobs, F visit) {
    std::vector<ferry_job *> handles;
    for (const auto &each : jobs)
        handles.push_back(each.handle());
    ferry_jobs_as_completed *opened = nullptr;
    check(ferry_jobs_as_completed_open(handles.data(), handles.size(), FERRY_FOREVER, &opened));
    std::unique_ptr<ferry_jobs_as_completed, void (*)(ferry_jobs_as_completed *)> iterator(
        opened, ferry_jobs_as_completed_close);
    ferry_job *next = nullptr;
    ferry_status status;
    while ((status = ferry_jobs_as_completed_next(opened, &next)) == 0)
        visit(job<T>(ferry_job_ref(next)));
    if (status != FERRY_EEXHAUSTED)
        check(status);
}

// ---- the program ----

int fail(const std::string &word) { throw std::runtime_error(word + " is not a number"); }

void run(thread_pool &pool) {
    std::printf("result: %d\n", pool.submit([] { return 12 * 12; }).result());
    try {
        pool.submit([word = std::string("seven")] { return fail(word); }).result();
    } catch (const std::exception &error) {
        std::printf("error: %s\n", error.what());
    }

    auto nine = pool.submit([] { return 9 * 9; });
    nine.add_done_callback([](const job<int> &done) { std::printf("callback: %d\n", done.result()); });
    nine.result();
    nine.add_done_callback(
        [](const job<int> &done) { std::printf("callback on a job that is done: %d\n", done.result()); });

    std::vector<job<int>> jobs;
    for (int number = 1; number <= 3; number++)
        jobs.push_back(pool.submit([number] {
            std::this_thread::sleep_for(std::chrono::milliseconds((3 - number) * 50));
            return number * number;
        }));
    for_each_completed(jobs, [](const job<int> &done) { std::printf("completed: %d\n", done.result()); });
    std::printf("a loop: %s\n", ferry_running_loop() ? "yes" : "none");
}

}  // namespace

int main() {
    try {
        {
            thread_pool pool(3);
            run(pool);
        }
        std::printf("the pool is closed\n");
    } catch (const std::exception &error) {
        std::fprintf(stderr, "jobs_without_a_loop_cpp: %s\n", error.what());
        return 1;
    }
    return 0;
}
