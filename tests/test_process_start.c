/* SPDX-License-Identifier: Apache-2.0 */
/* What can be wrong with a program or its main before its workers run anything: a main that forgot to become a worker,
 * another program, another build, none at all; a table that makes no sense; pools where there may be none. The reason
 * is always told, and nothing is started without end. */
#include "ferry/process.h"

static ferry_function make_a_pool;
static ferry_function use_a_pool;

#define FY_MORE_PORTABLES {"make_a_pool", make_a_pool, 0}, {"use_a_pool", use_a_pool, 0},
#include "support/child.h"
#include "support/processes.h"

/* How this program behaves where it is started as a worker; nothing: as it should. */
#define HOW "FERRY_TEST_WORKER_MAIN"

static const char *own_path;

static void set_how(const char *how) {
    apr_pool_t *memory;
    CHECK_STATUS(apr_pool_create(&memory, NULL), 0);
    if (how)
        CHECK_STATUS(apr_env_set(HOW, how, memory), 0);
    else
        (void)apr_env_delete(HOW, memory); /* it need not be there */
    apr_pool_destroy(memory);
}

/* ---- in a worker ---- */

static ferry_status make_a_pool(void *arg, ferry_call *call) {
    ferry_process_pool_options options = {FERRY_PROCESS_POOL_OPTIONS, .in_worker = fy_number(arg) != 0};
    ferry_executor *pool = NULL;
    ferry_status status = ferry_process_pool_create(&options, &pool);
    (void)ferry_executor_close(pool);
    return ferry_return_integer(call, status);
}

static ferry_status use_a_pool(void *arg, ferry_call *call) {
    ferry_process_pool_options options = {FERRY_PROCESS_POOL_OPTIONS, .max_workers = 1, .in_worker = true};
    ferry_job_options job_options = fy_number_options(fy_square, arg);
    ferry_executor *pool = NULL;
    ferry_job *job = NULL;
    ferry_status status = ferry_process_pool_create(&options, &pool);
    if (!status)
        status = ferry_executor_submit_with(pool, &job_options, &job);
    if (!status)
        status = ferry_job_result(job, FERRY_FOREVER);
    int64_t result = status ? status : ferry_job_integer(job);
    ferry_job_unref(job);
    (void)ferry_executor_close(pool);
    return ferry_return_integer(call, result);
}

static const ferry_portable other_table[] = {{"square", fy_square, 0}, {NULL, NULL, 0}};

/* A main that forgot, and uses pools as it would: each must be refused. */
static int forget(void) {
    ferry_executor *pool = NULL;
    atomic_fetch_add(&fy_board()->notes[0], 1);
    bool is_told = ferry_process_pool_create(NULL, &pool) == FERRY_ENOTSUP;
    atomic_fetch_add(&fy_board()->notes[is_told ? 1 : 2], 1);
    return 0;
}

/* Its environment is the pool's; what the test wants later stands on the board. */
static bool is_odd(const char *how) {
    return how && (strcmp(how, "forgets when told") || atomic_load(&fy_board()->notes[1]));
}

static int be_odd(const char *how, int argc, char **argv) {
    if (!strcmp(how, "forgets") || !strcmp(how, "forgets when told"))
        return forget();
    if (!strcmp(how, "forgets and stays")) {
        forget();
        ferry_thread_sleep(60000000);
    }
    if (!strcmp(how, "forgets slowly")) {
        forget();
        ferry_thread_sleep(atomic_load(&fy_board()->notes[0]) % 2 ? 120000 : 200000);
        return 3;
    }
    if (!strcmp(how, "says something else"))
        ferry_thread_sleep(fwrite("hello, world", 1, 12, stdout) == 12 ? 0 : 1);
    else if (!strcmp(how, "has another table"))
        (void)ferry_worker_init(argc, argv, other_table);
    return 3;
}

/* ---- a worker that does not come ---- */

static ferry_executor *pool_with_start_limit(int64_t limit_us) {
    ferry_process_pool_options options = {FERRY_PROCESS_POOL_OPTIONS, .max_workers = 2, .start_timeout_us = limit_us};
    return fy_processes_with(&options);
}

static void check_never_starts(ferry_executor *pool, const char *words) {
    ferry_job *one = fy_send(pool, fy_square, 1), *other = NULL;
    ferry_status status = fy_try_send(pool, fy_square, 2, &other);
    CHECK(status == 0 || status == FERRY_EBROKEN);
    fy_take_failure(one, FERRY_EBROKEN, words);
    if (!status)
        fy_take_failure(other, FERRY_EBROKEN, words);
    CHECK_STATUS(fy_try_send(pool, fy_square, 1, NULL), FERRY_EBROKEN);
    fy_processes_end(pool);
}

/* Three that fail, and one beside the last of them, which is killed wherever it is. */
enum { STARTS = 4 };

static void check_told(int64_t least) {
    CHECK(atomic_load(&fy_board()->notes[1]) >= least);
    CHECK_INT(atomic_load(&fy_board()->notes[2]), 0);
}

static void main_that_forgot_is_told_so(void) {
    set_how("forgets");
    check_never_starts(pool_with_start_limit(0), "main must call ferry_worker_init first");
    CHECK(atomic_load(&fy_board()->notes[0]) <= STARTS);
    check_told(STARTS - 1);
    set_how(NULL);
}

/* Of two that last for different times one is always there. */
static void main_that_forgot_is_not_started_without_end(void) {
    set_how("forgets slowly");
    check_never_starts(pool_with_start_limit(0), "main must call ferry_worker_init first");
    CHECK(atomic_load(&fy_board()->notes[0]) <= STARTS);
    set_how(NULL);
}

static void main_that_forgot_and_stays_is_killed_in_time(void) {
    set_how("forgets and stays");
    bool is_slow = FY_SANITIZED || fy_system_threads_are_dear();
    check_never_starts(pool_with_start_limit(is_slow ? 4000000 : 1000000), "did not say hello in time");
    CHECK(atomic_load(&fy_board()->notes[0]) <= 2);
    check_told(1);
    set_how(NULL);
}

static void worker_with_another_table_is_refused(void) {
    set_how("has another table");
    check_never_starts(pool_with_start_limit(0), "table of portable functions");
    set_how(NULL);
}

static void worker_that_only_prints_is_refused(void) {
    set_how("says something else");
    check_never_starts(pool_with_start_limit(0), "exit code 3 before it said hello");
    set_how(NULL);
}

/* ---- another program ---- */

static ferry_executor *pool_of_program(const char *program) {
    ferry_process_pool_options options = {FERRY_PROCESS_POOL_OPTIONS, .max_workers = 2, .program = program};
    return fy_processes_with(&options);
}

/* A test program beside this one. */
static const char *neighbour(const char *name) {
    static char path[1024];
    const char *slash = strrchr(own_path, '/'), *backslash = strrchr(own_path, '\\');
    const char *last = slash > backslash || !backslash ? slash : backslash;
    int folder = last ? (int)(last + 1 - own_path) : 0;
    snprintf(path, sizeof path, "%.*s%s%s", folder, own_path, name, FY_EXAMPLES_SUFFIX);
    return path;
}

static void worker_of_another_build_is_refused(void) {
    check_never_starts(pool_of_program(neighbour("test_process_broken")), "another build");
}

static void program_that_knows_nothing_of_workers_is_refused(void) {
    check_never_starts(pool_of_program(neighbour("test_list")), "before it said hello");
}

static void program_that_does_not_exist_is_told(void) {
    check_never_starts(pool_of_program(neighbour("test_that_does_not_exist")), "start");
}

static void program_may_be_named(void) {
    ferry_executor *pool = pool_of_program(own_path);
    CHECK_INT(fy_call(pool, fy_square, 9), 81);
    fy_processes_end(pool);
}

/* EB-012 */
static void worker_that_cannot_be_replaced_breaks_the_pool(void) {
    ferry_process_pool_options options = {FERRY_PROCESS_POOL_OPTIONS, .max_workers = 1, .max_tasks_per_child = 1};
    set_how("forgets when told");
    ferry_executor *pool = fy_processes_with(&options);
    ferry_job *running = fy_occupy_worker(pool, 0, 1);
    ferry_job *one = fy_send(pool, fy_square, 1), *other = fy_send(pool, fy_square, 2);
    atomic_store(&fy_board()->notes[1], 1);
    fy_door_open(0);
    CHECK(fy_take_integer(running) > 0);
    fy_take_failure(one, FERRY_EBROKEN, "did not start");
    fy_take_failure(other, FERRY_EBROKEN, "did not start");
    fy_processes_end(pool);
    set_how(NULL);
}

/* ---- tables ---- */

static void bad_tables_are_refused(void) {
    char name[] = "program";
    char *argv[] = {name, NULL};
    const ferry_portable unnamed[] = {{"", fy_square, 0}, {NULL, NULL, 0}};
    const ferry_portable empty[] = {{"square", NULL, 0}, {NULL, NULL, 0}};
    const ferry_portable twice[] = {{"square", fy_square, 0}, {"square", fy_half, 0}, {NULL, NULL, 0}};
    const ferry_portable flagged[] = {{"square", fy_square, 2}, {NULL, NULL, 0}};
    CHECK_STATUS(ferry_worker_init(1, argv, NULL), APR_EINVAL);
    CHECK_STATUS(ferry_worker_init(1, argv, unnamed), APR_EINVAL);
    CHECK_STATUS(ferry_worker_init(1, argv, empty), APR_EINVAL);
    CHECK_STATUS(ferry_worker_init(1, argv, twice), APR_EINVAL);
    CHECK_STATUS(ferry_worker_init(1, argv, flagged), APR_EINVAL);
}

static void second_table_is_refused(void) {
    char name[] = "program";
    char *argv[] = {name, NULL};
    ferry_executor *pool = fy_processes_of(1);
    CHECK_STATUS(ferry_worker_init(1, argv, other_table), FERRY_EINVALIDSTATE);
    CHECK_STATUS(ferry_worker_init(1, argv, fy_portables), FERRY_EINVALIDSTATE);
    CHECK_INT(fy_call(pool, fy_half, 0), 0);
    fy_processes_end(pool);
}

/* ---- options ---- */

static void bad_options_are_refused(void) {
    ferry_executor *pool = NULL;
    ferry_process_pool_options bad[] = {
        {.size = 1},
        {FERRY_PROCESS_POOL_OPTIONS, .max_workers = 1000000},
        {FERRY_PROCESS_POOL_OPTIONS, .idle_timeout_us = -1},
        {FERRY_PROCESS_POOL_OPTIONS, .start_timeout_us = -1},
        {FERRY_PROCESS_POOL_OPTIONS, .on_worker_death = (ferry_worker_death)7},
        {FERRY_PROCESS_POOL_OPTIONS, .initializer = fy_set_up, .initializer_arg_size = 8},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CHECK_STATUS(ferry_process_pool_create(&bad[i], &pool), APR_EINVAL);
    CHECK_STATUS(ferry_process_pool_create(NULL, NULL), APR_EINVAL);
    ferry_process_pool_options foreign = {FERRY_PROCESS_POOL_OPTIONS, .initializer = fy_gate_job};
    CHECK_STATUS(ferry_process_pool_create(&foreign, &pool), FERRY_ENOTPORTABLE);
    CHECK(pool == NULL);
    ferry_process_pool_options good;
    ferry_process_pool_options_init(&good);
    ferry_process_pool_options_init(NULL);
    CHECK_INT(good.size, sizeof good);
}

/* ---- pools in workers ---- */

static void pool_in_a_worker_needs_leave(void) {
    ferry_executor *pool = fy_processes_of(1);
    CHECK_INT(fy_call(pool, make_a_pool, false), FERRY_ENOTSUP);
    CHECK_INT(fy_call(pool, make_a_pool, true), 0);
    CHECK_INT(fy_call(pool, use_a_pool, 11), 121);
    fy_processes_end(pool);
}

static int never_initialises(void) {
    ferry_executor *pool = NULL;
    CHECK_STATUS(ferry_process_pool_create(NULL, &pool), FERRY_EINVALIDSTATE);
    CHECK(!ferry_is_worker());
    return 0;
}

static void pool_needs_a_table(void) {
    fy_child child;
    fy_child_run("never_initialises", &child);
    CHECK_INT(child.code, 0);
}

static const fy_child_mode modes[] = {FY_CHILD_MODE(never_initialises)};

static const fy_test tests[] = {
    FY_TEST(main_that_forgot_is_told_so),
    FY_TEST(main_that_forgot_is_not_started_without_end),
    FY_TEST(main_that_forgot_and_stays_is_killed_in_time),
    FY_TEST(worker_with_another_table_is_refused),
    FY_TEST(worker_that_only_prints_is_refused),
    FY_TEST(worker_of_another_build_is_refused),
    FY_TEST(program_that_knows_nothing_of_workers_is_refused),
    FY_TEST(program_that_does_not_exist_is_told),
    FY_TEST(program_may_be_named),
    FY_TEST(worker_that_cannot_be_replaced_breaks_the_pool),
    FY_TEST(bad_tables_are_refused),
    FY_TEST(second_table_is_refused),
    FY_TEST(bad_options_are_refused),
    FY_TEST(pool_in_a_worker_needs_leave),
    FY_TEST(pool_needs_a_table),
};

int main(int argc, char **argv) {
    const char *how = getenv(HOW);
    int code;
    own_path = argv[0];
    if (argc == 2 && !strcmp(argv[1], "--ferry-worker") && is_odd(how))
        return be_odd(how, argc, argv);
    if (fy_child_main(argc, argv, modes, sizeof modes / sizeof modes[0], &code))
        return code;
    fy_become_worker_or_go_on(argc, argv);
    fy_board_open();
    code = fy_test_main("process start", tests, sizeof tests / sizeof tests[0], FY_TEST_DEADLINE_S, argc, argv);
    fy_board_remove();
    return code;
}
