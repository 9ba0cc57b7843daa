/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks at sockets that always have something for them, so that an operation is mostly over before anybody cancels it.
 * Whatever ends it, the wait is cancelled; and what the operation took is its future's to tell, so that of a stream of
 * numbered bytes none is missing, and of the connections none. */
#include "ferry/run.h"
#include "support/sockets.h"

enum { ROUNDS = 12, YIELDS = 7, SEND_SIZE = 4096, RECV_SIZE = 64, CONNECTIONS = 12 };

/* How a task waits for an operation. */
enum { DIRECTLY, IN_WAIT_FOR, IN_GATHER, WAYS };

typedef struct flow {
    socket_pair pair;
    int way;
    ferry_timeout *timeout; /* of the task's, or NULL */
    bool is_asked;          /* the task that is to be cancelled was */
    bool is_loose;          /* what a sendall that was cancelled has sent is not known */
    uint8_t sent, received;
} flow;

/* ---- tasks that never end by themselves ---- */

static ferry_status wait_for_it(const flow *self, ferry_future *operation) {
    ferry_future *wrapped = NULL;
    if (self->way == DIRECTLY)
        return FERRY_AWAIT(operation, NULL);
    if (self->way == IN_WAIT_FOR)
        CHECK_STATUS(ferry_wait_for(operation, AN_HOUR_US, &wrapped), 0);
    else
        CHECK_STATUS(ferry_gather(loop, &operation, 1, 0, &wrapped), 0);
    ferry_status status = FERRY_AWAIT(wrapped, NULL);
    ferry_future_unref(wrapped);
    return status;
}

/* A request was made while the task waited: it must come to this wait, not to one of the next. */
static ferry_status end_wait(const flow *self, ferry_future *operation) {
    ferry_status status = wait_for_it(self, operation);
    CHECK(status || (!self->is_asked && !ferry_timeout_expired(self->timeout)));
    if (status)
        CHECK_STATUS(status, FERRY_ECANCELED);
    return status;
}

static ferry_status send_for_ever(void *arg, ferry_call *call) {
    flow *self = arg;
    ferry_status status = 0;
    (void)call;
    while (!status) {
        uint8_t bytes[SEND_SIZE];
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = self->sent++;
        ferry_future *sending = start_sendall(self->pair.client, bytes, sizeof bytes);
        status = FERRY_AWAIT(sending, NULL);
        CHECK(ferry_future_done(sending));
        ferry_future_unref(sending);
    }
    return status;
}

static void take(flow *self, const uint8_t *bytes, int64_t count) {
    for (int64_t i = 0; i < count && !self->is_loose; i++)
        CHECK_INT(bytes[i], self->received++);
}

static ferry_status receive_for_ever(void *arg, ferry_call *call) {
    flow *self = arg;
    ferry_status status = 0;
    (void)call;
    while (!status) {
        uint8_t bytes[RECV_SIZE];
        ferry_future *receiving = start_recv(self->pair.server, bytes, sizeof bytes);
        status = end_wait(self, receiving);
        CHECK(ferry_future_done(receiving));
        if (!ferry_future_status(receiving))
            take(self, bytes, ferry_future_integer(receiving));
        ferry_future_unref(receiving);
    }
    return status;
}

static ferry_task *start(ferry_function *function, flow *self) {
    ferry_task *task = NULL;
    CHECK_STATUS(ferry_task_create(loop, function, self, &task), 0);
    return task;
}

static void give_turns(int count) {
    for (int i = 0; i < count; i++)
        CHECK_STATUS(ferry_sleep(0), 0);
}

static void ask(flow *self, ferry_task *task) {
    self->is_asked = true;
    CHECK(ferry_future_cancel(task));
}

static void end_cancelled(ferry_task *task) {
    CHECK_STATUS(ferry_await(task), 0);
    CHECK(ferry_future_cancelled(task));
    ferry_future_unref(task);
}

/* Another step of the tasks lies between two requests than between the two before. */
static void cancel_again_and_again(flow *self, ferry_function *function) {
    for (int i = 0; i < ROUNDS; i++) {
        self->is_asked = false;
        ferry_task *task = start(function, self);
        give_turns(1 + i % YIELDS);
        ask(self, task);
        end_cancelled(task);
    }
}

/* Runs a test's own task on a new pair. */
static void run_on_pair(ferry_function *function, flow *self) {
    begin();
    self->pair = open_pair();
    ferry_task *task = start(function, self);
    run_until(task);
    CHECK_STATUS(ferry_future_status(task), 0);
    ferry_future_unref(task);
    close_pair(self->pair);
    end();
}

/* ---- recv ---- */

static ferry_status cancel_receivers(void *arg, ferry_call *call) {
    flow *self = arg;
    (void)call;
    ferry_task *sender = start(send_for_ever, self);
    cancel_again_and_again(self, receive_for_ever);
    CHECK(ferry_future_cancel(sender));
    end_cancelled(sender);
    return 0;
}

static void cancel_comes_through_to_a_task_whose_peer_never_pauses(void) {
    for (int way = 0; way < WAYS; way++) {
        flow self = {.way = way};
        run_on_pair(cancel_receivers, &self);
    }
}

static ferry_status receive_until_timeout(void *arg, ferry_call *call) {
    flow *self = arg;
    ferry_task *sender = start(send_for_ever, self);
    for (int i = 0; i < ROUNDS; i++) {
        CHECK_STATUS(ferry_timeout_open(i * 100, &self->timeout), 0);
        ferry_status status = receive_for_ever(self, call);
        CHECK(ferry_timeout_expired(self->timeout));
        CHECK_STATUS(ferry_timeout_close(self->timeout, status), FERRY_ETIMEDOUT);
        CHECK_INT(ferry_task_cancelling(ferry_current_task()), 0);
    }
    CHECK(ferry_future_cancel(sender));
    end_cancelled(sender);
    return 0;
}

static void timeout_ends_a_task_whose_peer_never_pauses(void) {
    for (int way = 0; way < WAYS; way++) {
        flow self = {.way = way};
        run_on_pair(receive_until_timeout, &self);
    }
}

static ferry_status fail_soon(void *arg, ferry_call *call) {
    flow *self = arg;
    give_turns(4);
    self->is_asked = true;
    return ferry_return_error(call, FERRY_EFULL, "the others are to end");
}

static ferry_status receive_in_group(void *arg, ferry_call *call) {
    flow *self = arg;
    ferry_task_group *group = NULL;
    (void)call;
    CHECK_STATUS(ferry_task_group_open(0, &group), 0);
    CHECK_STATUS(ferry_task_group_create_task(group, send_for_ever, self, NULL), 0);
    CHECK_STATUS(ferry_task_group_create_task(group, receive_for_ever, self, NULL), 0);
    CHECK_STATUS(ferry_task_group_create_task(group, fail_soon, self, NULL), 0);
    CHECK_STATUS(ferry_task_group_close(group, 0), FERRY_EFULL);
    return 0;
}

static void failing_group_ends_a_child_whose_peer_never_pauses(void) {
    flow self = {.way = DIRECTLY};
    run_on_pair(receive_in_group, &self);
}

static ferry_status leave_others_behind(void *arg, ferry_call *call) {
    flow *self = arg;
    (void)call;
    ferry_future_unref(start(send_for_ever, self));
    ferry_future_unref(start(receive_for_ever, self));
    give_turns(YIELDS);
    return 0;
}

static void runner_ends_a_task_whose_peer_never_pauses(void) {
    flow self = {.way = DIRECTLY};
    ferry_runner *runner = NULL;
    begin();
    end();
    CHECK_STATUS(ferry_runner_create(NULL, &runner), 0);
    loop = ferry_runner_loop(runner);
    self.pair = open_pair();
    CHECK_STATUS(ferry_runner_run(runner, leave_others_behind, &self, NULL), 0);
    self.is_asked = true;
    CHECK_STATUS(ferry_runner_close(runner), 0);
    close_pair(self.pair);
    check_nothing_is_left();
}

/* ---- sendall ---- */

static ferry_status send_until_cancelled(void *arg, ferry_call *call) {
    static const char bytes[SEND_SIZE] = "";
    const flow *self = arg;
    ferry_status status = 0;
    (void)call;
    while (!status) {
        ferry_future *sending = start_sendall(self->pair.client, bytes, sizeof bytes);
        if (ferry_future_done(sending)) /* no wait, so no request comes to it */
            status = ferry_sleep(0);
        else
            status = end_wait(self, sending);
        CHECK(ferry_future_done(sending));
        ferry_future_unref(sending);
    }
    return status;
}

static ferry_status cancel_senders(void *arg, ferry_call *call) {
    flow *self = arg;
    flow receiving = {.pair = self->pair, .is_loose = true};
    (void)call;
    ferry_task *receiver = start(receive_for_ever, &receiving);
    cancel_again_and_again(self, send_until_cancelled);
    ask(&receiving, receiver);
    end_cancelled(receiver);
    return 0;
}

static void cancel_comes_through_to_a_task_that_never_stops_sending(void) {
    flow self = {.way = DIRECTLY};
    run_on_pair(cancel_senders, &self);
}

/* ---- accept and connect ---- */

typedef struct reception {
    flow waiting;
    ferry_socket *listener;
    ferry_socket *clients[CONNECTIONS];
    ferry_address address;
    int accepted;
} reception;

static ferry_status accept_for_ever(void *arg, ferry_call *call) {
    reception *self = arg;
    ferry_status status = 0;
    (void)call;
    while (!status && self->accepted < CONNECTIONS) {
        ferry_future *accepting = start_accept(self->listener);
        void *accepted = NULL;
        status = end_wait(&self->waiting, accepting);
        CHECK(ferry_future_done(accepting));
        self->accepted += !ferry_future_status(accepting);
        if (self->accepted % 2 && !ferry_future_take_pointer(accepting, &accepted))
            ferry_socket_close(accepted);
        ferry_future_unref(accepting); /* one that was not taken is closed */
    }
    return status;
}

static ferry_status cancel_acceptors(void *arg, ferry_call *call) {
    reception *self = arg;
    (void)call;
    for (int i = 0; self->accepted < CONNECTIONS; i++) {
        ferry_task *task = NULL;
        self->waiting.is_asked = false;
        CHECK_STATUS(ferry_task_create(loop, accept_for_ever, self, &task), 0);
        if (i % 4 == 3) /* there is time enough now and then, however long it takes */
            CHECK_STATUS(ferry_sleep(1000), 0);
        else
            give_turns(1 + i % 4);
        if (!ferry_future_done(task)) {
            ask(&self->waiting, task);
            CHECK_STATUS(ferry_await(task), 0);
            CHECK(ferry_future_cancelled(task));
        }
        ferry_future_unref(task);
    }
    return 0;
}

static ferry_status connect_once(void *arg, ferry_call *call) {
    reception *self = arg;
    (void)call;
    ferry_socket *client = open_socket(FERRY_INET, FERRY_SOCKET_STREAM);
    ferry_future *connecting = start_connect(client, &self->address);
    ferry_status status = end_wait(&self->waiting, connecting);
    CHECK(ferry_future_done(connecting));
    CHECK(ferry_socket_is_closed(client) == (ferry_future_status(connecting) != 0));
    ferry_future_unref(connecting);
    ferry_socket_close(client);
    return status;
}

static ferry_status cancel_connectors(void *arg, ferry_call *call) {
    reception *self = arg;
    (void)call;
    for (int i = 0; i < ROUNDS; i++) {
        ferry_task *task = NULL;
        self->waiting.is_asked = false;
        CHECK_STATUS(ferry_task_create(loop, connect_once, self, &task), 0);
        give_turns(1 + i % 2);
        if (!ferry_future_done(task))
            ask(&self->waiting, task);
        CHECK_STATUS(ferry_await(task), 0);
        CHECK(ferry_future_cancelled(task) == self->waiting.is_asked);
        ferry_future_unref(task);
    }
    return 0;
}

static void run_reception(ferry_function *function, int connections) {
    reception self = {.waiting.way = DIRECTLY};
    begin();
    self.listener = open_listener(FERRY_INET, &self.address);
    for (int i = 0; i < connections; i++) {
        self.clients[i] = open_socket(FERRY_INET, FERRY_SOCKET_STREAM);
        finish(start_connect(self.clients[i], &self.address));
    }
    ferry_task *task = NULL;
    CHECK_STATUS(ferry_task_create(loop, function, &self, &task), 0);
    run_until(task);
    CHECK_STATUS(ferry_future_status(task), 0);
    ferry_future_unref(task);
    for (int i = 0; i < connections; i++)
        ferry_socket_close(self.clients[i]);
    ferry_socket_close(self.listener);
    end();
}

static void cancel_comes_through_to_a_task_that_accepts_and_no_connection_is_lost(void) {
    run_reception(cancel_acceptors, CONNECTIONS);
}

static void cancel_comes_through_to_a_task_that_connects(void) {
    run_reception(cancel_connectors, 0);
}

static const fy_test tests[] = {
    FY_TEST(cancel_comes_through_to_a_task_whose_peer_never_pauses),
    FY_TEST(timeout_ends_a_task_whose_peer_never_pauses),
    FY_TEST(failing_group_ends_a_child_whose_peer_never_pauses),
    FY_TEST(runner_ends_a_task_whose_peer_never_pauses),
    FY_TEST(cancel_comes_through_to_a_task_that_never_stops_sending),
    FY_TEST(cancel_comes_through_to_a_task_that_accepts_and_no_connection_is_lost),
    FY_TEST(cancel_comes_through_to_a_task_that_connects),
};

FY_TEST_MAIN("task_sockets", tests)
