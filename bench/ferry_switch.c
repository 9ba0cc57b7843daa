/* SPDX-License-Identifier: Apache-2.0 */
/* Going from one stack to another and back, by what Ferry's tasks stand on and without the tasks. It is no public
 * call, so this program is linked with the static library. */
#include "bench.h"

#include "seam/context.h"

static fy_context *own;
static long there;

static void come_back(fy_context *self)
{
    for (;;) {
        there++;
        fy_context_switch(self, own);
    }
}

static void task_switch(long size)
{
    enum { STACK_BYTES = 64 * 1024 };
    fy_context *other;
    BENCH_CHECK(!fy_context_open_own(&own) && !fy_context_create(STACK_BYTES, come_back, &other));
    int64_t begin = bench_now_ns();
    for (long i = 0; i < size / 2; i++)
        fy_context_switch(own, other);
    bench_print("switch", (double)(bench_now_ns() - begin) / (double)size, "ns");
    BENCH_CHECK(there == size / 2);
    fy_context_destroy(other);
    fy_context_close_own(own);
}

int main(int argc, char **argv)
{
    static const bench_workload workloads[] = {
        {"task-switch", task_switch},
        {NULL, NULL},
    };
    return bench_main(argc, argv, workloads);
}
