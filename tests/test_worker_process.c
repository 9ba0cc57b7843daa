/* SPDX-License-Identifier: Apache-2.0 */
/* Worker processes as every port supplies them: what one is started with, what goes over its channel, and how parent
 * and worker learn of each other's end. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_errno.h>
#include <apr_file_io.h>
#include <apr_thread_proc.h>
#include <apr_time.h>

#include "support/gate.h"
#include "support/threads.h"
#include "support/worker.h"

enum { ROUNDS = 20, SHARED_SIZE = 100 * 1000, MUCH = 1 << 20, NOTES_MAX = 1 << 20 };

static const char hard_argument[] = "a \"b\" c\\ \\\\\"d\\\" %PATH% ^& \\";
static const char greeting[] = "the worker says hello";

/* ---- modes ---- */

static int until_it_is_left(const fy_parent *parent) {
    char text[FY_NOTE_SIZE + 1];
    fy_handle handle = -1;
    while (worker_hear(parent, text, &handle) == 0)
        continue;
    return worker_hear(parent, text, &handle) == APR_EOF ? 0 : 1;
}

static int echoes(const fy_parent *parent) {
    char text[FY_NOTE_SIZE + 1];
    fy_handle handle = -5;
    ferry_status status;
    while ((status = worker_hear(parent, text, &handle)) == 0)
        CHECK_STATUS(fy_parent_send(parent, text, FY_NOTE_SIZE), 0);
    CHECK_INT(handle, -5);
    return status == APR_EOF ? 0 : 1;
}

static int shares(const fy_parent *parent) {
    char text[FY_NOTE_SIZE + 1];
    fy_handle handle = -1;
    fy_shared shared;
    while (worker_hear(parent, text, &handle) == 0) {
        CHECK_STATUS(fy_shared_map(handle, strtoul(text, NULL, 10), &shared), 0);
        strcat(shared.address, " to the worker");
        strcpy((char *)shared.address + shared.size - 4, "end");
        fy_shared_close(&shared);
        worker_say(parent, 's');
    }
    return 0;
}

static int reads_stdin(const fy_parent *parent) {
    worker_say(parent, getchar() == EOF ? 'e' : 'x');
    return until_it_is_left(parent);
}

static int tells_its_variable(const fy_parent *parent) {
    char buffer[FY_ENVIRONMENT_SIZE];
    const char *value = fy_environment(WORKER_VARIABLE, buffer);
    CHECK_STATUS(fy_parent_send(parent, value, strlen(value)), 0);
    return 0;
}

static int tells_its_argument(const fy_parent *parent) {
    CHECK_STATUS(fy_parent_send(parent, worker_argument(), strlen(worker_argument())), 0);
    return 0;
}

static int tells_its_path(const fy_parent *parent) {
    char path[FY_PROGRAM_PATH_SIZE];
    CHECK_STATUS(fy_program_path(path), 0);
    CHECK_STATUS(fy_parent_send(parent, path, strlen(path)), 0);
    return 0;
}

static int is_deaf(const fy_parent *parent) {
    worker_say(parent, 'd');
    fy_parent_wait_gone(parent);
    return 0;
}

static int sends_much(const fy_parent *parent) {
    char *bytes = malloc(MUCH);
    CHECK(bytes != NULL);
    for (size_t i = 0; i < MUCH; i++)
        bytes[i] = (char)(i * 7 / 3);
    CHECK_STATUS(fy_parent_send(parent, bytes, MUCH), 0);
    free(bytes);
    return until_it_is_left(parent);
}

static int sends_for_ever(const fy_parent *parent) {
    char bytes[4096] = {0};
    ferry_status status;
    while (!(status = fy_parent_send(parent, bytes, sizeof bytes)))
        continue;
    return status == APR_EOF ? 0 : 1;
}

typedef struct receiver {
    const fy_parent *parent;
    fy_gate received;
} receiver;

static void receive_always(void *arg) {
    receiver *self = arg;
    char text[FY_NOTE_SIZE + 1];
    fy_handle handle = -1;
    while (worker_hear(self->parent, text, &handle) == 0)
        fy_gate_arrive(&self->received);
}

/* Answers each note on another thread than the one that waits for the next. */
static int answers_while_it_receives(const fy_parent *parent) {
    receiver self = {.parent = parent};
    helper_thread thread;
    fy_gate_init(&self.received);
    thread_start(&thread, receive_always, &self);
    for (size_t i = 1; i <= ROUNDS; i++) {
        fy_gate_await(&self.received, i);
        worker_say(parent, 'a');
    }
    thread_join(&thread);
    fy_gate_fini(&self.received);
    return 0;
}

static int returns_7(const fy_parent *parent) {
    (void)parent;
    return 7;
}

static int ends_at_once(const fy_parent *parent) {
    (void)parent;
    printf("never seen, for it is not flushed");
    fy_process_end(8);
}

static int prints(const fy_parent *parent) {
    (void)parent;
    puts(greeting);
    return 0;
}

/* ---- the program ---- */

static void program_path_is_this_program(void) {
    char path[FY_PROGRAM_PATH_SIZE];
    CHECK_STATUS(fy_program_path(path), 0);
    CHECK(strstr(path, "test_worker_process") != NULL);
    CHECK(path[0] == '/' || path[1] == ':');
    FILE *file = fopen(path, "rb");
    CHECK(file != NULL);
    fclose(file);
}

static void worker_runs_the_same_program(void) {
    char path[FY_PROGRAM_PATH_SIZE], told[FY_PROGRAM_PATH_SIZE] = {0};
    worker self;
    CHECK_STATUS(fy_program_path(path), 0);
    worker_start(&self, "tells_its_path");
    CHECK_INT(worker_read(&self, told, sizeof told - 1), strlen(path));
    CHECK_STRING(told, path);
    worker_finish(&self);
}

static void write_file(const char *path, const char *text) {
    FILE *file = fopen(path, "wb");
    CHECK(file != NULL);
    CHECK(fputs(text, file) >= 0);
    CHECK_INT(fclose(file), 0);
}

static uint64_t identity_of(const char *path) {
    uint64_t identity = 0, again = 0;
    CHECK_STATUS(fy_program_identity(path, &identity), 0);
    CHECK_STATUS(fy_program_identity(path, &again), 0);
    CHECK(identity == again);
    return identity;
}

static void set_time(const char *path, apr_time_t time) {
    apr_pool_t *pool;
    CHECK_STATUS(apr_pool_create(&pool, NULL), 0);
    CHECK_STATUS(apr_file_mtime_set(path, time, pool), 0);
    apr_pool_destroy(pool);
}

/* By its size, and by its time, alone. */
static void identity_changes_with_the_file(void) {
    static const char path[] = "identity_of_a_program.tmp";
    const apr_time_t time = apr_time_from_sec(1700000000);
    write_file(path, "as it was");
    set_time(path, time);
    uint64_t first = identity_of(path);
    write_file(path, "as it was then");
    set_time(path, time);
    uint64_t larger = identity_of(path);
    set_time(path, time + apr_time_from_sec(1));
    uint64_t later = identity_of(path);
    write_file(path, "as it was");
    set_time(path, time);
    CHECK(identity_of(path) == first);
    CHECK(larger != first);
    CHECK(later != larger);
    CHECK_INT(remove(path), 0);
}

static void identity_of_nothing_is_a_status(void) {
    uint64_t identity = 5;
    CHECK(APR_STATUS_IS_ENOENT(fy_program_identity("there is no such file", &identity)));
    CHECK_INT(identity, 5);
}

/* ---- what a worker is started with ---- */

static void stdin_of_a_worker_is_empty(void) {
    worker self;
    worker_start(&self, "reads_stdin");
    worker_expect(&self, 'e');
    worker_finish(&self);
}

static void expect_variable(const char *variable, const char *value) {
    char program[FY_PROGRAM_PATH_SIZE], told[64] = {0};
    worker self;
    CHECK_STATUS(fy_program_path(program), 0);
    worker_start_with(&self, program, "tells_its_variable", NULL, variable);
    CHECK_INT(worker_read(&self, told, sizeof told - 1), strlen(value));
    CHECK_STRING(told, value);
    worker_finish(&self);
}

/* In the worker's environment, and not in this process's: each one finds its own. */
static void variable_is_set_in_the_worker_alone(void) {
    char buffer[FY_ENVIRONMENT_SIZE];
    expect_variable(WORKER_VARIABLE "=new", "new");
    expect_variable(WORKER_VARIABLE "=a=b c", "a=b c");
    CHECK(!fy_environment(WORKER_VARIABLE, buffer));
}

/* A worker's worker: there the variable is set already. */
static int starts_another(const fy_parent *parent) {
    expect_variable(WORKER_VARIABLE "=newer", "newer");
    return until_it_is_left(parent);
}

static void variable_replaces_an_older_one(void) {
    worker self;
    worker_start(&self, "starts_another");
    worker_finish(&self);
}

static void argument_arrives_as_it_is(void) {
    static const char *const arguments[] = {hard_argument, "", "\\\\", "\"", "\t", "ends\\\\\""};
    char program[FY_PROGRAM_PATH_SIZE], told[64];
    worker self;
    CHECK_STATUS(fy_program_path(program), 0);
    for (size_t i = 0; i < sizeof arguments / sizeof arguments[0]; i++) {
        memset(told, 0, sizeof told);
        worker_start_with(&self, program, "tells_its_argument", arguments[i], WORKER_VARIABLE "=1");
        CHECK_INT(worker_read(&self, told, sizeof told - 1), strlen(arguments[i]));
        CHECK_STRING(told, arguments[i]);
        worker_finish(&self);
    }
}

/* A process whose stdout this test reads starts one that prints. */
static int starts_a_printer(void) {
    worker self;
    worker_start(&self, "prints");
    return worker_await_end(&self).code;
}

static void read_output(const char *const *arguments, char *ret_output, apr_size_t size) {
    apr_pool_t *pool;
    apr_procattr_t *attributes;
    apr_proc_t process;
    apr_exit_why_e why;
    int code = -1;
    CHECK_STATUS(apr_pool_create(&pool, NULL), 0);
    CHECK_STATUS(apr_procattr_create(&attributes, pool), 0);
    CHECK_STATUS(apr_procattr_cmdtype_set(attributes, APR_PROGRAM_ENV), 0);
    CHECK_STATUS(apr_procattr_io_set(attributes, APR_NO_PIPE, APR_FULL_BLOCK, APR_NO_PIPE), 0);
    CHECK_STATUS(apr_proc_create(&process, arguments[0], arguments, NULL, attributes, pool), 0);
    apr_status_t status = apr_file_read_full(process.out, ret_output, size - 1, &size);
    CHECK(APR_STATUS_IS_EOF(status));
    ret_output[size] = '\0';
    CHECK_STATUS(apr_proc_wait(&process, &code, &why, APR_WAIT), APR_CHILD_DONE);
    CHECK_INT(code, 0);
    apr_pool_destroy(pool);
}

static void stdout_of_a_worker_is_its_parents(void) {
    char program[FY_PROGRAM_PATH_SIZE], output[256];
    CHECK_STATUS(fy_program_path(program), 0);
    read_output((const char *const[]){program, "--start-a-printer", NULL}, output, sizeof output);
    CHECK(strncmp(output, greeting, strlen(greeting)) == 0);
}

static void missing_program_is_told_of(void) {
    fy_child child = {.pid = 5};
    ferry_status status = worker_try_start("/there/is/no/such/program", (const char *const[]){"none", NULL},
                                           WORKER_VARIABLE "=1", &child);
    if (!status) {
        fy_child_abandon(&child); /* it will have ended by now */
        return;
    }
    CHECK(APR_STATUS_IS_ENOENT(status));
    CHECK_INT(child.pid, 5);
}

/* ---- the channel ---- */

static void notes_arrive_whole_and_in_order(void) {
    char text[FY_NOTE_SIZE + 1] = {0}, told[FY_NOTE_SIZE];
    worker self;
    worker_start(&self, "echoes");
    for (int round = 0; round < 50; round++) {
        for (int i = 0; i < 20; i++) {
            snprintf(text, sizeof text, "%d of %d", i, round);
            worker_tell(&self, text, NULL);
        }
        for (int i = 0; i < 20; i++) {
            snprintf(text, sizeof text, "%d of %d", i, round);
            CHECK_INT(worker_read(&self, told, sizeof told), sizeof told);
            CHECK_STRING(told, text);
        }
    }
    worker_finish(&self);
}

/* No note comes before the answer: nothing but the worker's own thread could hold it up. */
static void worker_sends_while_it_receives(void) {
    worker self;
    worker_start(&self, "answers_while_it_receives");
    for (int i = 0; i < ROUNDS; i++) {
        worker_tell(&self, "again", NULL);
        worker_expect(&self, 'a');
    }
    worker_finish(&self);
}

static void memory_that_is_passed_on_is_shared(void) {
    char text[FY_NOTE_SIZE];
    fy_shared shared;
    worker self;
    worker_start(&self, "shares");
    for (int round = 0; round < 3; round++) {
        CHECK_STATUS(fy_shared_create(SHARED_SIZE, &shared), 0);
        strcpy(shared.address, "from the parent");
        snprintf(text, sizeof text, "%zu", shared.size);
        worker_tell(&self, text, &shared);
        worker_expect(&self, 's');
        CHECK_STRING(shared.address, "from the parent to the worker");
        CHECK_STRING((char *)shared.address + shared.size - 4, "end");
        fy_shared_close(&shared);
    }
    worker_finish(&self);
}

static void much_is_sent_by_a_worker(void) {
    char *bytes = malloc(MUCH);
    worker self;
    CHECK(bytes != NULL);
    worker_start(&self, "sends_much");
    CHECK_INT(worker_read(&self, bytes, MUCH), MUCH);
    for (size_t i = 0; i < MUCH; i++)
        CHECK(bytes[i] == (char)(i * 7 / 3));
    free(bytes);
    worker_finish(&self);
}

/* It takes less than a second; that it could wait for ever shows in the watchdog. */
static void sending_to_a_worker_that_is_deaf_fails_and_does_not_wait(void) {
    static const char note[FY_NOTE_SIZE] = "nobody reads this";
    int count = 0;
    worker self;
    worker_start(&self, "is_deaf");
    worker_expect(&self, 'd');
    while (count < NOTES_MAX && fy_child_send(&self.child, note, NULL) == 0)
        count++;
    CHECK(count >= 100);
    CHECK(count < NOTES_MAX);
    fy_child_kill(&self.child, true);
    (void)worker_await_end(&self);
}

static void sending_to_a_worker_that_has_ended_fails(void) {
    static const char note[FY_NOTE_SIZE] = "nobody is there";
    fy_shared shared;
    worker self;
    CHECK_STATUS(fy_shared_create(SHARED_SIZE, &shared), 0);
    worker_start(&self, "returns_7");
    CHECK_INT(worker_read(&self, &(char){0}, 1), 0);
    CHECK(fy_child_send(&self.child, note, NULL) != 0);
    CHECK(fy_child_send(&self.child, note, &shared) != 0);
    CHECK_INT(worker_await_end(&self).code, 7);
    fy_shared_close(&shared);
}

/* ---- ends ---- */

static void code_of_a_worker_is_told(void) {
    worker self;
    worker_start(&self, "returns_7");
    CHECK_INT(worker_await_end(&self).code, 7);
    worker_start(&self, "ends_at_once");
    CHECK_INT(worker_await_end(&self).code, 8);
}

static void worker_that_sends_sees_its_parent_gone(void) {
    char bytes[10000];
    worker self;
    worker_start(&self, "sends_for_ever");
    CHECK_INT(worker_read(&self, bytes, sizeof bytes), sizeof bytes);
    worker_finish(&self);
}

static bool is_killed(fy_exit end) {
    return end.signal || end.code == FY_KILLED_CODE;
}

static void worker_is_killed(void) {
    worker self;
    for (int by_force = 0; by_force < 2; by_force++) {
        worker_start(&self, "is_deaf");
        worker_expect(&self, 'd');
        fy_child_kill(&self.child, by_force);
        CHECK_INT(worker_read(&self, &(char){0}, 1), 0);
        fy_child_kill(&self.child, by_force);
        CHECK(is_killed(worker_await_end(&self)));
    }
}

static void abandoned_worker_is_gone(void) {
    char program[FY_PROGRAM_PATH_SIZE];
    fy_child child;
    CHECK_STATUS(fy_program_path(program), 0);
    for (int i = 0; i < 3; i++) {
        CHECK_STATUS(worker_try_start(program, (const char *const[]){program, "--worker", "is_deaf", NULL},
                                      WORKER_VARIABLE "=1", &child), 0);
        fy_child_abandon(&child);
    }
}

static const fy_test tests[] = {
    FY_TEST(program_path_is_this_program),
    FY_TEST(worker_runs_the_same_program),
    FY_TEST(identity_changes_with_the_file),
    FY_TEST(identity_of_nothing_is_a_status),
    FY_TEST(stdin_of_a_worker_is_empty),
    FY_TEST(variable_is_set_in_the_worker_alone),
    FY_TEST(variable_replaces_an_older_one),
    FY_TEST(argument_arrives_as_it_is),
    FY_TEST(stdout_of_a_worker_is_its_parents),
    FY_TEST(missing_program_is_told_of),
    FY_TEST(notes_arrive_whole_and_in_order),
    FY_TEST(worker_sends_while_it_receives),
    FY_TEST(memory_that_is_passed_on_is_shared),
    FY_TEST(much_is_sent_by_a_worker),
    FY_TEST(sending_to_a_worker_that_is_deaf_fails_and_does_not_wait),
    FY_TEST(sending_to_a_worker_that_has_ended_fails),
    FY_TEST(code_of_a_worker_is_told),
    FY_TEST(worker_that_sends_sees_its_parent_gone),
    FY_TEST(worker_is_killed),
    FY_TEST(abandoned_worker_is_gone),
};

static const worker_mode modes[] = {
    WORKER_MODE(echoes),
    WORKER_MODE(shares),
    WORKER_MODE(reads_stdin),
    WORKER_MODE(tells_its_variable),
    WORKER_MODE(tells_its_argument),
    WORKER_MODE(tells_its_path),
    WORKER_MODE(is_deaf),
    WORKER_MODE(sends_much),
    WORKER_MODE(sends_for_ever),
    WORKER_MODE(answers_while_it_receives),
    WORKER_MODE(returns_7),
    WORKER_MODE(ends_at_once),
    WORKER_MODE(prints),
    WORKER_MODE(starts_another),
};

int main(int argc, char **argv) {
    int code;
    if (worker_main(argc, argv, modes, sizeof modes / sizeof modes[0], &code))
        return code;
    if (argc == 2 && strcmp(argv[1], "--start-a-printer") == 0)
        return starts_a_printer();
    return fy_test_main("worker_process", tests, sizeof tests / sizeof tests[0], FY_TEST_DEADLINE_S, argc, argv);
}
