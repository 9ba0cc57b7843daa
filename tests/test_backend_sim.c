/* SPDX-License-Identifier: Apache-2.0 */
/* The simulator against the contract of all backends, each test with a thousand seeds. What a wait may do and tests of
 * the contract forbid (to return early with nothing) is left out here, and tested in test_sim.c. */
#define FY_TEST_DEADLINE_S 300
#include "backend_fixture.h"
#include "sim/sim.h"
#include "support/sanitized.h"

/* One thread runs it all, so a thread sanitizer has little to find here, and takes twenty times as long. */
#ifndef CONTRACT_SEEDS
#define CONTRACT_SEEDS (FY_THREAD_SANITIZED ? 200 : 1000)
#endif
enum { SEEDS = CONTRACT_SEEDS, SEEDS_OF_CROWDS = SEEDS / 20, KILL_SIGNAL = 9 };

static uint64_t seed;

/* The one that is open. */
static fy_backend *simulated;

/* The simulator's own class, but for its opening. */
static fy_backend_class seeded_class;

static ferry_status open_with_seed(fy_backend **ret_backend) {
    ferry_sim_options options = {FERRY_SIM_OPTIONS, .seed = seed, .spurious_rate = -1};
    ferry_status status = fy_sim_open(&options, ret_backend);
    if (status)
        return status;
    simulated = *ret_backend;
    simulated->class = &seeded_class;
    return 0;
}

static void make_pair(fy_backend *backend, fy_handle ends[2]) {
    CHECK_STATUS(fy_sim_pair(backend, ends), 0);
}

/* ---- children ---- */

static void start_child(fy_backend *backend, backend_child *ret_child) {
    CHECK_STATUS(fy_sim_process_start(backend, &ret_child->process), 0);
}

static void end_child(backend_child *child, int code) {
    CHECK_STATUS(fy_sim_process_end(simulated, child->process, (fy_exit){.code = code}), 0);
}

static void kill_child(backend_child *child) {
    CHECK_STATUS(fy_sim_process_end(simulated, child->process, (fy_exit){.signal = KILL_SIGNAL}), 0);
}

/* Finds it still there, as a program would that waits for it by other means. */
static int reap_child(backend_child *child) {
    fy_sim_process *process = NULL;
    CHECK_STATUS(fy_sim_process_attach(fy_sim_of(simulated), child->process, &process), 0);
    CHECK(fy_sim_process_has_ended(process));
    int code = fy_sim_process_reap(process).code;
    fy_sim_process_detach(fy_sim_of(simulated), process);
    return code;
}

/* ---- the suites ---- */

static const backend_kind sim_kind = {
    .class = &seeded_class,
    .reuses_handles = true,
    .make_pair = make_pair,
    .start_child = start_child,
    .end_child = end_child,
    .kill_child = kill_child,
    .kill_signal = KILL_SIGNAL,
    .reap_child = reap_child,
    .tells_of_refused_datagrams = true,
};

static void with_seeds(uint64_t seeds, void (*run)(const backend_kind *kind)) {
    seeded_class = fy_sim_class;
    seeded_class.open = open_with_seed;
    for (seed = 1; seed <= seeds; seed++)
        run(&sim_kind);
}

static bool is_crowded(void (*run)(const backend_kind *kind)) {
    return run == contract_many_files_are_each_delivered_once;
}

#define STAMP(prefix, name)                                                                       \
    static void prefix##_##name(void) {                                                           \
        with_seeds(is_crowded(contract_##name) ? SEEDS_OF_CROWDS : SEEDS, contract_##name);       \
    }

BACKEND_CONTRACT(STAMP, sim)
BACKEND_CONTRACT_NET(STAMP, sim)

static const fy_test tests[] = {
    BACKEND_CONTRACT_ROWS(sim)
    BACKEND_CONTRACT_NET_ROWS(sim)
};

FY_TEST_MAIN("backend_sim", tests)
