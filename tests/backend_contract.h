/* SPDX-License-Identifier: Apache-2.0 */
/* One suite for every backend: what seam/backend.h promises, said in tests. A backend joins by describing itself in a
 * backend_kind and stamping the suite:
 *
 *     static const backend_kind socketpair_kind = { .class = ..., .make_pair = ... };
 *     BACKEND_CONTRACT_SUITE(socketpair)
 *     BACKEND_CONTRACT_NET_SUITE(socketpair)
 *     static const fy_test tests[] = { BACKEND_CONTRACT_ROWS(socketpair) BACKEND_CONTRACT_NET_ROWS(socketpair) };
 *     FY_TEST_MAIN("backend_epoll", tests)
 *
 * The first suite is about streams of bytes and waiting; it is worth stamping for each sort of pair. The second one is
 * about what else there is, sockets and processes; it needs no pair and is stamped once. What differs from system to
 * system stands in the backend_kind.
 *
 * The suites know handles only as things that make_pair, the backend's net and ACCEPT make, and that detach closes. */
#ifndef FERRY_TESTS_BACKEND_CONTRACT_H
#define FERRY_TESTS_BACKEND_CONTRACT_H

#include "seam/backend.h"
#include "support/harness.h"

/* A child process that waits to be told how to end. */
typedef struct backend_child {
    fy_process process;
    intptr_t line; /* the kind's own: how it is told */
} backend_child;

typedef struct backend_kind {
    const fy_backend_class *class;

    /* Other threads may wake it, and time passes by itself. Without, tests that need another thread are left out. */
    bool has_threads;

    /* A pair made directly after another one was closed has the same handles. */
    bool reuses_handles;

    /* Makes the two ends of a two-way byte stream that holds less than 1 MiB in each direction. */
    void (*make_pair)(fy_backend *backend, fy_handle ends[2]);

    /* Between the two, signals interrupt the calling thread's waits again and again. NULL where there are none. */
    void (*start_interrupting)(void);
    void (*stop_interrupting)(void);

    /* Starts a child process. NULL: the backend has none, and its tests are left out. */
    void (*start_child)(fy_backend *backend, backend_child *ret_child);

    /* The child returns this code, or is ended by kill_signal (NULL where there are no signals). Each returns once the
     * child has ended, and leaves it to be reaped. */
    void (*end_child)(backend_child *child, int code);
    void (*kill_child)(backend_child *child);
    int kill_signal;

    /* Reaps a child that has ended and that the backend has not reaped, and returns its code. */
    int (*reap_child)(backend_child *child);

    /* A datagram that nobody receives comes back as a status of the next op on its connected socket. */
    bool tells_of_refused_datagrams;

    /* A handle that its owner has closed while it was borrowed stands in the way of another one with its number until
     * it is detached. */
    bool keeps_closed_handles;
} backend_kind;

/* Each test once; what a name says is what the test shows. */
#define BACKEND_CONTRACT(X, prefix)                          \
    X(prefix, bytes_move_both_ways)                          \
    X(prefix, only_wait_delivers)                            \
    X(prefix, read_waits_for_a_later_write)                  \
    X(prefix, short_reads_lose_nothing)                      \
    X(prefix, after_a_short_read_more_bytes_come)            \
    X(prefix, after_a_short_read_the_end_comes)              \
    X(prefix, bytes_before_attach_are_read)                  \
    X(prefix, bytes_before_submit_are_read)                  \
    X(prefix, bytes_together_with_a_hang_up_are_read_first)  \
    X(prefix, large_write_makes_partial_progress)            \
    X(prefix, attempted_writes_send_each_byte_once)          \
    X(prefix, attempted_write_tells_of_a_closed_peer)        \
    X(prefix, both_directions_of_a_file_are_independent)     \
    X(prefix, end_of_stream_is_told_each_time)               \
    X(prefix, write_to_a_closed_peer_gets_a_status)          \
    X(prefix, waiting_write_learns_that_its_peer_closed)     \
    X(prefix, cancelled_read_is_delivered_once)              \
    X(prefix, cancel_twice_delivers_once)                    \
    X(prefix, cancel_of_an_idle_op_does_nothing)             \
    X(prefix, cancel_of_a_finished_op_keeps_its_outcome)     \
    X(prefix, cancelled_read_leaves_the_bytes)               \
    X(prefix, cancelled_write_sends_nothing)                 \
    X(prefix, delivered_op_is_in_flight_until_it_is_taken)   \
    X(prefix, op_is_reusable_after_delivery)                 \
    X(prefix, reused_handle_sees_nothing_of_its_past)        \
    X(prefix, many_files_are_each_delivered_once)            \
    X(prefix, deadline_is_kept_and_never_early)              \
    X(prefix, guess_at_the_next_wait_moves_no_deadline)      \
    X(prefix, past_deadline_does_not_block)                  \
    X(prefix, no_deadline_waits_for_an_outcome)              \
    X(prefix, what_is_finished_is_delivered_without_a_block) \
    X(prefix, finished_ops_do_not_hide_the_others)           \
    X(prefix, interrupted_wait_returns_and_loses_nothing)    \
    X(prefix, wake_before_a_wait_is_not_lost)                \
    X(prefix, wake_outlasts_a_look_at_what_is_finished)      \
    X(prefix, wake_from_another_thread_ends_a_wait)          \
    X(prefix, wake_works_again_and_again)                    \
    X(prefix, many_wakes_count_as_one)                       \
    X(prefix, two_threads_wake)

#define BACKEND_CONTRACT_NET(X, prefix)                      \
    X(prefix, connect_and_accept_make_a_stream)              \
    X(prefix, accept_takes_a_connection_that_was_there)      \
    X(prefix, each_connection_is_accepted_once)              \
    X(prefix, refused_connect_gets_a_status)                 \
    X(prefix, cancelled_accept_takes_no_connection)          \
    X(prefix, cancelled_connect_is_delivered_once)           \
    X(prefix, gone_connection_does_not_hide_the_next)        \
    X(prefix, shut_write_ends_one_direction)                 \
    X(prefix, taken_address_is_refused)                      \
    X(prefix, unknown_family_is_refused)                     \
    X(prefix, options_are_kept)                              \
    X(prefix, datagrams_go_both_ways_with_addresses)         \
    X(prefix, receive_waits_for_a_later_datagram)            \
    X(prefix, empty_datagram_is_delivered)                   \
    X(prefix, datagrams_keep_order_and_borders)              \
    X(prefix, too_long_datagram_is_told_and_gone)            \
    X(prefix, unsendable_datagram_is_a_status)               \
    X(prefix, connected_datagrams_need_no_address)           \
    X(prefix, refused_datagram_is_told_once)                 \
    X(prefix, cancelled_receive_leaves_the_datagram)         \
    X(prefix, poll_in_tells_of_bytes_while_they_are_there)   \
    X(prefix, poll_in_tells_of_the_end_each_time)            \
    X(prefix, poll_in_tells_of_a_connection)                 \
    X(prefix, poll_out_tells_of_room)                        \
    X(prefix, cancelled_poll_is_delivered_once)              \
    X(prefix, borrowed_handle_is_polled_and_left_open)       \
    X(prefix, borrowed_handle_may_be_closed_first)           \
    X(prefix, child_tells_its_code)                          \
    X(prefix, child_that_ended_before_is_told)               \
    X(prefix, killed_child_tells_its_signal)                 \
    X(prefix, children_are_told_apart)                       \
    X(prefix, cancelled_child_can_be_awaited_again)          \
    X(prefix, only_the_awaited_child_is_reaped)

#define BACKEND_CONTRACT_DECLARE(prefix, name) void contract_##name(const backend_kind *kind);
#define BACKEND_CONTRACT_STAMP(prefix, name) \
    static void prefix##_##name(void) {      \
        contract_##name(&prefix##_kind);     \
    }
#define BACKEND_CONTRACT_ROW(prefix, name) FY_TEST(prefix##_##name),

/* Defines the suite's tests for the kind that is called <prefix>_kind. */
#define BACKEND_CONTRACT_SUITE(prefix) BACKEND_CONTRACT(BACKEND_CONTRACT_STAMP, prefix)
#define BACKEND_CONTRACT_ROWS(prefix) BACKEND_CONTRACT(BACKEND_CONTRACT_ROW, prefix)

#define BACKEND_CONTRACT_NET_SUITE(prefix) BACKEND_CONTRACT_NET(BACKEND_CONTRACT_STAMP, prefix)
#define BACKEND_CONTRACT_NET_ROWS(prefix) BACKEND_CONTRACT_NET(BACKEND_CONTRACT_ROW, prefix)

BACKEND_CONTRACT(BACKEND_CONTRACT_DECLARE, )
BACKEND_CONTRACT_NET(BACKEND_CONTRACT_DECLARE, )

#endif
