/* SPDX-License-Identifier: Apache-2.0 */
/* The example executor_processes: three processes besides the parent, each with one job at a time, whose lines reach
 * the same output, and each result beside its job. */
#include <stdio.h>
#include <string.h>

#include "support/harness.h"
#include "test_examples/program.h"

enum { WORKERS = 3, JOBS = 6 };

static program example;

typedef struct worker {
    int process; /* 0: nothing of it was seen yet */
    int running; /* the job it is at, or -1 */
} worker;

/* A worker keeps its process, begins a job when it has ended the one before, and ends the one that it has begun. */
static bool follow_line(const char *line, worker *workers) {
    int number, process, n;
    char what[16];
    if (sscanf(line, "blocking-1_%d, process %d: blocks(%d) %15s", &number, &process, &n, what) != 4)
        return false;
    CHECK(number >= 0 && number < WORKERS);
    worker *self = &workers[number];
    if (!self->process)
        *self = (worker){process, -1};
    CHECK_INT(process, self->process);
    bool begins = strcmp(what, "begins") == 0;
    CHECK_INT(self->running, begins ? -1 : n);
    self->running = begins ? n : -1;
    return !begins;
}

static int follow(const char *output, worker *workers) {
    int done = 0;
    for (const char *line = output; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
        done += follow_line(line, workers);
    return done;
}

static void three_processes_run_six_jobs(void) {
    worker workers[WORKERS] = {{0}};
    int parent = 0;
    /* Long enough for the third process to start while the other two are at their first job. */
    PROGRAM_RUN(&example, NULL, EXAMPLE("executor_processes"), "0.5");
    CHECK_INT(example.code, 0);
    CHECK_STRING(example.errors, "");
    const char *starts = strstr(example.output, "main, process ");
    CHECK(starts);
    CHECK_INT(sscanf(starts, "main, process %d: starts", &parent), 1);
    CHECK_INT(follow(example.output, workers), JOBS);
    for (int i = 0; i < WORKERS; i++) {
        CHECK(workers[i].process != 0 && workers[i].process != parent);
        CHECK_INT(workers[i].running, -1);
        for (int k = 0; k < i; k++)
            CHECK(workers[i].process != workers[k].process);
    }
    CHECK_INT(count_lines(example.output, "main: results: blocks(0)=0 blocks(1)=1 blocks(2)=4 blocks(3)=9"
                                          " blocks(4)=16 blocks(5)=25"), 1);
    CHECK_INT(count_lines(example.output, "main: exits"), 1);
}

static const fy_test tests[] = {
    FY_TEST(three_processes_run_six_jobs),
};

FY_TEST_MAIN("example_executor_processes", tests)
