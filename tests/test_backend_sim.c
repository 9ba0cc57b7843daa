/* SPDX-License-Identifier: Apache-2.0 */
/* The simulator against the contract of all backends, each test with a thousand seeds. What a wait may do and tests of
 * the contract forbid (to return early with nothing) is left out here, and tested in test_sim.c. */
#define FY_TEST_DEADLINE_S 300
#include "backend_fixture.h"
#include "sim/sim.h"

enum { SEEDS = 1000, SEEDS_OF_CROWDS = 50 };

static uint64_t seed;

/* The simulator's own class, but for its opening. */
static fy_backend_class seeded_class;

static ferry_status open_with_seed(fy_backend **ret_backend) {
    ferry_sim_options options = {FERRY_SIM_OPTIONS, .seed = seed, .spurious_rate = -1};
    ferry_status status = fy_sim_open(&options, ret_backend);
    if (!status)
        (*ret_backend)->class = &seeded_class;
    return status;
}

static void make_pair(fy_backend *backend, fy_handle ends[2]) {
    CHECK_STATUS(fy_sim_pair(backend, ends), 0);
}

static const backend_kind sim_kind = {.class = &seeded_class, .reuses_handles = true, .make_pair = make_pair};

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

static const fy_test tests[] = {
    BACKEND_CONTRACT_ROWS(sim)
};

FY_TEST_MAIN("backend_sim", tests)
