/* SPDX-License-Identifier: Apache-2.0 */
/* The same user's program in C++, for which the options structs have init functions. */
#include <ferry.h>

#include <iostream>

static ferry_status six_times_seven(void *, ferry_call *call) {
    return ferry_return_integer(call, 6 * 7);
}

int main() {
    ferry_executor *pool = nullptr;
    ferry_job *job = nullptr;
    ferry_thread_pool_options options;
    ferry_thread_pool_options_init(&options);
    options.max_workers = 1;
    ferry_status status = ferry_thread_pool_create(&options, &pool);
    if (!status)
        status = ferry_executor_submit(pool, six_times_seven, nullptr, &job);
    if (!status)
        status = ferry_job_result(job, FERRY_FOREVER);
    if (!status)
        std::cout << "ferry " << ferry_version() << ": 6 * 7 = " << ferry_job_integer(job) << "\n";
    ferry_job_unref(job);
    ferry_executor_close(pool);
    return status != 0;
}
