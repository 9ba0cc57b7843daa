/* SPDX-License-Identifier: Apache-2.0 */
/* Process pools where a process can be copied and its threads be limited: a pool that a forked child has inherited is
 * its parent's, a child may have one of its own, and its copies of what is open keep no worker alive. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "ferry/job.h"

static ferry_status die_and_let_ring(void *arg, ferry_call *call);

#define FY_MORE_PORTABLES {"die_and_let_ring", die_and_let_ring, 0},
#include "support/child.h"
#include "support/forks.h"
#include "support/processes.h"
#include "support/refuse_threads.h"

/* ---- forked children ---- */

static void check_inherited(ferry_executor *pool, ferry_job *running) {
    ferry_executor_stats stats = {.size = sizeof stats};
    ferry_job *job = NULL;
    char words[64];
    MUST(fy_try_send(pool, fy_square, 1, &job) == FERRY_EFORKED);
    MUST(ferry_executor_shutdown(pool, true, false, FERRY_FOREVER) == FERRY_EFORKED);
    MUST(ferry_process_pool_terminate(pool, 0) == FERRY_EFORKED);
    MUST(ferry_process_pool_get_workers(pool, NULL, 0) == 0);
    MUST(ferry_executor_get_stats(pool, &stats) == FERRY_EFORKED);
    MUST(ferry_executor_describe(pool, words, sizeof words) == 0);
    ferry_executor_cancel_running(pool);
    MUST(ferry_job_wait(running, FERRY_FOREVER) == FERRY_EFORKED);
    ferry_executor_unref(pool);
}

static void check_own(void) {
    ferry_process_pool_options options = {FERRY_PROCESS_POOL_OPTIONS, .max_workers = 1};
    ferry_executor *pool = NULL;
    ferry_job *job = NULL;
    MUST(ferry_process_pool_create(&options, &pool) == 0);
    MUST(fy_try_send(pool, fy_square, 5, &job) == 0);
    MUST(ferry_job_result(job, FERRY_FOREVER) == 0);
    MUST(ferry_job_integer(job) == 25);
    ferry_job_unref(job);
    MUST(ferry_executor_close(pool) == 0);
}

static void inherited_pool_is_the_parents(void) {
    if (!FY_FORKS_AMID_THREADS)
        return;
    ferry_executor *pool = fy_processes_of(2);
    ferry_job *running = fy_occupy_worker(pool, 0, 1);
    pid_t child = fork_now();
    if (child == 0) {
        check_inherited(pool, running);
        check_own();
        _exit(EXIT_SUCCESS);
    }
    wait_for_child(child);
    CHECK_INT(fy_call(pool, fy_square, 3), 9);
    fy_door_open(0);
    CHECK(fy_take_integer(running) > 0);
    fy_processes_end(pool);
}

/* ---- what a forked child has open ---- */

static ferry_executor *left_pool;

/* By one of them its parent's parent would wait for its output. */
static void close_pipes(void) {
    struct stat what;
    for (int descriptor = 0; descriptor < 256; descriptor++)
        if (!fstat(descriptor, &what) && S_ISFIFO(what.st_mode))
            close(descriptor);
}

static int forks_and_is_killed(void) {
    left_pool = fy_processes_of(1);
    int64_t pid = fy_call(left_pool, fy_pid, 0);
    fy_occupy_worker(left_pool, 0, 1);
    atomic_store(&fy_board()->notes[0], pid);
    pid_t child = fork_now();
    if (child == 0) {
        close_pipes();
        (void)alarm(60); /* should the test fail before it ends this one */
        for (;;)
            pause();
    }
    atomic_store(&fy_board()->notes[1], child);
    raise(SIGKILL);
    return 0;
}

/* Linux tells of a process's end by itself; elsewhere the channel does, which the copy keeps open. */
static void forked_copy_keeps_no_worker_alive(void) {
    fy_child child;
    fy_board_clear();
    fy_child_run("forks_and_is_killed", &child);
    CHECK_INT(child.code, FY_CHILD_KILLED);
    pid_t copy = (pid_t)atomic_load(&fy_board()->notes[1]);
    CHECK(copy > 0);
#if !defined(__linux__)
    CHECK(fy_system_kill(copy));
#endif
    FY_AWAIT(!fy_system_is_alive(atomic_load(&fy_board()->notes[0])));
    (void)fy_system_kill(copy);
}

/* ---- what a dead worker's children write ---- */

static int find_channel(void) {
    for (int descriptor = 3; descriptor < 256; descriptor++) {
        struct sockaddr_storage name;
        socklen_t size = sizeof name;
        if (getsockname(descriptor, (struct sockaddr *)&name, &size) == 0 && name.ss_family == AF_UNIX)
            return descriptor;
    }
    return -1;
}

/* Its children go on ringing its bell for as long as somebody hears it. */
static ferry_status die_and_let_ring(void *arg, ferry_call *call) {
    char bells[4096];
    int channel = find_channel();
    (void)arg;
    (void)call;
    memset(bells, 'b', sizeof bells);
    for (int i = 0; i < 4; i++)
        if (fork() == 0) {
            (void)alarm(60);
            while (write(channel, bells, sizeof bells) > 0 || errno == EAGAIN)
                continue;
            _exit(0);
        }
    _exit(3);
}

static void dead_worker_is_buried_whatever_its_children_write(void) {
    ferry_executor *pool = fy_processes_of(1);
    for (int i = 0; i < 5; i++)
        fy_take_failure(fy_send(pool, die_and_let_ring, 0), FERRY_EBROKEN, "exit code 3");
    CHECK_INT(fy_call(pool, fy_square, 3), 9);
    fy_processes_end(pool);
}

/* ---- a manager that cannot be had ---- */

static int has_no_manager(void) {
    ferry_executor *pool = fy_processes_of(1);
    CHECK(refuse_threads());
    for (int i = 0; i < 20; i++)
        CHECK_STATUS(fy_try_send(pool, fy_square, 1, NULL), FERRY_ENOTHREAD);
    CHECK_INT(fy_stats_of(pool).queued, 0);
    CHECK_INT(fy_stats_of(pool).workers_started, 0);
    fy_processes_end(pool);
    return 0;
}

/* EB-015: the job is refused, which is sooner than failing */
static void submission_is_refused_where_no_manager_can_start(void) {
    fy_child child;
    fy_child_run("has_no_manager", &child);
    CHECK_INT(child.code, 0);
}

/* ---- a limit of files, which shared memories are for the system ---- */

static int has_a_limit_of_files(void) {
    const struct rlimit limit = {.rlim_cur = 4096, .rlim_max = 4096};
    ferry_executor *pool = fy_processes_of(1);
    CHECK_INT(setrlimit(RLIMIT_FSIZE, &limit), 0);
    fy_take_failure(fy_send(pool, fy_square, 1), FERRY_EBROKEN, "could not be started");
    fy_processes_end(pool);
    return 0;
}

static void limit_of_files_is_a_status(void) {
    fy_child child;
    fy_child_run("has_a_limit_of_files", &child);
    CHECK_INT(child.code, 0);
}

static const fy_child_mode modes[] = {
    FY_CHILD_MODE(has_a_limit_of_files),
    FY_CHILD_MODE(forks_and_is_killed),
    FY_CHILD_MODE(has_no_manager),
};

static const fy_test tests[] = {
    FY_TEST(inherited_pool_is_the_parents),
    FY_TEST(forked_copy_keeps_no_worker_alive),
    FY_TEST(dead_worker_is_buried_whatever_its_children_write),
    FY_TEST(submission_is_refused_where_no_manager_can_start),
    FY_TEST(limit_of_files_is_a_status),
};

FY_PROCESS_CHILD_TEST_MAIN("process_fork", tests, modes)
