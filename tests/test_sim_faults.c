/* SPDX-License-Identifier: Apache-2.0 */
/* What the simulator lets go wrong when it is asked to: each kind of fault happens at its rate, is counted, and leaves
 * alone what it does not concern. */
#include "backend_net.h"
#include "sim/sim.h"

static void open_with(backend_fixture *f, ferry_sim_options options) {
    *f = (backend_fixture){.class = &fy_sim_class};
    options.size = sizeof options;
    options.seed = 1;
    options.spurious_rate = -1;
    CHECK_STATUS(fy_sim_open(&options, &f->backend), 0);
}

static void attach_ends(backend_fixture *f) {
    fy_handle ends[2];
    CHECK_STATUS(fy_sim_pair(f->backend, ends), 0);
    attach(f, &f->a, ends[0]);
    attach(f, &f->b, ends[1]);
}

static uint64_t faults(const backend_fixture *f) {
    return fy_sim_of(f->backend)->stats.faults;
}

static void broken_reads_and_writes_reset_the_connection(void) {
    for (int writes = 0; writes <= 1; writes++) {
        backend_fixture f;
        char byte;
        open_with(&f, writes ? (ferry_sim_options){.write_error_rate = 1000}
                             : (ferry_sim_options){.read_error_rate = 1000});
        attach_ends(&f);
        fy_op write = fy_op_write(&f.a, "x", 1), read = fy_op_read(&f.b, &byte, 1);
        perform(&f, &write, writes ? APR_ECONNRESET : 0);
        perform(&f, &read, APR_ECONNRESET);
        perform(&f, &write, APR_ECONNRESET);
        CHECK(faults(&f) >= 1);
        close_fixture(&f);
    }
}

/* No fault of the seed's: what every kernel does. */
static void closing_over_unread_bytes_breaks_the_connection(void) {
    backend_fixture f;
    char byte;
    open_with(&f, (ferry_sim_options){.short_rate = -1});
    attach_ends(&f);
    fy_op write = fy_op_write(&f.a, "xy", 2), read = fy_op_read(&f.b, &byte, 1), later = fy_op_read(&f.a, &byte, 1);
    perform(&f, &write, 0);
    perform(&f, &read, 0);
    detach(&f, &f.b);
    perform(&f, &later, APR_ECONNRESET);
    perform(&f, &write, APR_ECONNRESET);
    detach(&f, &f.a);
    close_backend(&f);
}

static void first_write_to_a_peer_that_has_closed_is_taken(void) {
    backend_fixture f;
    char byte;
    open_with(&f, (ferry_sim_options){.short_rate = -1});
    attach_ends(&f);
    fy_op write = fy_op_write(&f.a, "xy", 2), read = fy_op_read(&f.a, &byte, 1);
    detach(&f, &f.b);
    perform(&f, &write, 0);
    CHECK_INT((intmax_t)write.count, 2);
    perform(&f, &write, APR_EPIPE);
    perform(&f, &write, APR_EPIPE);
    perform(&f, &read, APR_EOF);
    detach(&f, &f.a);
    close_backend(&f);
}

static void sockets_are_refused_at_their_rate(void) {
    backend_fixture f;
    int refused = 0;
    open_with(&f, (ferry_sim_options){.socket_error_rate = 500});
    for (int i = 0; i < 200; i++) {
        fy_handle handle;
        ferry_status status = f.backend->net->open(f.backend, FERRY_INET, FY_SOCKET_STREAM, &handle);
        CHECK(status == 0 || status == APR_EMFILE);
        refused += status != 0;
        if (!status)
            f.backend->net->close(f.backend, handle);
    }
    CHECK(refused > 50 && refused < 150);
    CHECK_INT((intmax_t)faults(&f), refused);
    close_backend(&f);
}

static void counts_are_short_at_their_rate(void) {
    for (int always = 0; always <= 1; always++) {
        backend_fixture f;
        char bytes[100] = "";
        open_with(&f, (ferry_sim_options){.short_rate = always ? 1000 : -1});
        attach_ends(&f);
        for (int i = 0; i < 20; i++) {
            fy_op write = fy_op_write(&f.a, bytes, sizeof bytes);
            perform(&f, &write, 0);
            CHECK(always ? write.count < sizeof bytes : write.count == sizeof bytes);
        }
        CHECK_INT((intmax_t)fy_sim_of(f.backend)->stats.shortened, always ? 20 : 0);
        close_fixture(&f);
    }
}

static void connects_fail_where_somebody_listens(void) {
    backend_fixture f;
    open_with(&f, (ferry_sim_options){.connect_error_rate = 1000});
    ferry_address address = attach_listener(&f, &f.a, FERRY_INET);
    attach_stream(&f, &f.b, FERRY_INET);
    fy_op connecting = op_connect(&f.b, &address);
    submit(&f, &connecting);
    CHECK(next_done(&f, CONTRACT_WITHIN_US) == &connecting);
    CHECK(APR_STATUS_IS_ECONNREFUSED(connecting.status) || APR_STATUS_IS_ETIMEDOUT(connecting.status) ||
          APR_STATUS_IS_ENETUNREACH(connecting.status) || APR_STATUS_IS_EHOSTUNREACH(connecting.status));
    CHECK_INT((intmax_t)faults(&f), 1);
    close_fixture(&f);
}

static void failed_accepts_leave_the_connection(void) {
    backend_fixture f;
    int failed = 0;
    open_with(&f, (ferry_sim_options){.accept_error_rate = 800});
    ferry_address address = attach_listener(&f, &f.a, FERRY_INET);
    attach_stream(&f, &f.b, FERRY_INET);
    fy_op connecting = op_connect(&f.b, &address), accepting = op_accept(&f.a, NULL);
    perform_op(&f, &connecting, 0);
    for (submit(&f, &accepting); next_done(&f, CONTRACT_WITHIN_US) == &accepting && accepting.status; failed++) {
        CHECK_STATUS(accepting.status, APR_EMFILE);
        accepting = op_accept(&f.a, NULL);
        submit(&f, &accepting);
    }
    CHECK_STATUS(accepting.status, 0);
    CHECK(failed > 0);
    CHECK_INT((intmax_t)faults(&f), failed);
    f.backend->net->close(f.backend, accepting.accepted);
    close_fixture(&f);
}

static void datagrams_are_lost_at_their_rate(void) {
    enum { SENT = 200 };
    backend_fixture f;
    char byte;
    int received = 0;
    open_with(&f, (ferry_sim_options){.datagram_loss_rate = 500});
    (void)attach_datagrams(&f, &f.a, FERRY_INET);
    ferry_address to = attach_datagrams(&f, &f.b, FERRY_INET);
    for (int i = 0; i < SENT; i++) {
        fy_op sending = op_send(&f.a, "x", 1, &to), receiving = op_receive(&f.b, &byte, 1, NULL);
        uint64_t lost = faults(&f);
        perform_op(&f, &sending, 0);
        if (faults(&f) == lost) {
            perform_op(&f, &receiving, 0);
            received++;
        }
    }
    CHECK(received > SENT / 4 && received < SENT * 3 / 4);
    fy_op receiving = op_receive(&f.b, &byte, 1, NULL);
    submit(&f, &receiving);
    CHECK(!next_done(&f, CONTRACT_MOMENT_US));
    cancel(&f, &receiving);
    await_end(&f, &receiving, FERRY_ECANCELED);
    close_fixture(&f);
}

static const fy_test tests[] = {
    FY_TEST(broken_reads_and_writes_reset_the_connection),
    FY_TEST(closing_over_unread_bytes_breaks_the_connection),
    FY_TEST(first_write_to_a_peer_that_has_closed_is_taken),
    FY_TEST(sockets_are_refused_at_their_rate),
    FY_TEST(counts_are_short_at_their_rate),
    FY_TEST(connects_fail_where_somebody_listens),
    FY_TEST(failed_accepts_leave_the_connection),
    FY_TEST(datagrams_are_lost_at_their_rate),
};

FY_TEST_MAIN("sim_faults", tests)
