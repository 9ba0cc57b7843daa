/* SPDX-License-Identifier: Apache-2.0 */
/* A program tested with the simulator: deposits to an account whose balance lies in a slow store. Each deposit reads
 * the balance in one job and writes the new one in another, so two that overlap lose one of them. On real threads that
 * happens once in a while; here some seeds find it, and each of them finds it every time. The fixed form lets one
 * deposit end before the next begins.
 *
 *     sim_test [--fixed] [FIRST-SEED [LAST-SEED]]     seeds 1 to 200; ends with 1 if one of them found something */
#include <ferry.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEPOSITS = 3, AMOUNT = 100, APART_US = 1300, SEEDS = 200 };

typedef struct account {
    ferry_loop *loop;
    ferry_executor *store; /* runs what touches the balance */
    int64_t balance;
    bool is_fixed;
    bool is_busy;          /* a deposit is under way */
    int waiting;           /* deposits that have not begun */
    int left;              /* that have not ended */
    ferry_future *over;
} account;

/* ---- what a thread would do ---- */

static ferry_status load(void *arg, ferry_call *call) {
    return ferry_return_integer(call, ((account *)arg)->balance);
}

typedef struct order {
    account *account;
    int64_t balance;
} order;

static ferry_status save(void *arg, ferry_call *call) {
    const order *wanted = arg;
    (void)call;
    wanted->account->balance = wanted->balance;
    return 0;
}

/* ---- a deposit, on the loop ---- */

static ferry_status deposit(void *arg);

static ferry_status saved(ferry_future *future, void *arg) {
    account *self = arg;
    ferry_status status = ferry_future_status(future);
    ferry_future_unref(future);
    self->is_busy = false;
    if (status)
        return status;
    if (--self->left == 0)
        return ferry_future_set_result(self->over);
    if (!self->is_fixed || !self->waiting)
        return 0;
    self->waiting--;
    return deposit(self);
}

static ferry_status loaded(ferry_future *future, void *arg) {
    account *self = arg;
    ferry_future *saving = NULL;
    order wanted = {self, ferry_future_integer(future) + AMOUNT};
    ferry_job_options options = {
        FERRY_JOB_OPTIONS, .function = save, .arg = &wanted, .arg_size = sizeof wanted};
    ferry_status status = ferry_future_status(future);
    ferry_future_unref(future);
    if (!status)
        status = ferry_run_in_executor_with(self->loop, self->store, &options, &saving);
    return status ? status : ferry_future_add_done_callback(saving, saved, self, NULL);
}

static ferry_status deposit(void *arg) {
    account *self = arg;
    ferry_future *loading = NULL;
    if (self->is_fixed && self->is_busy) {
        self->waiting++;
        return 0;
    }
    self->is_busy = true;
    ferry_status status = ferry_run_in_executor(self->loop, self->store, load, self, &loading);
    return status ? status : ferry_future_add_done_callback(loading, loaded, self, NULL);
}

/* ---- the test ---- */

static ferry_status run_deposits(account *self) {
    ferry_status status = ferry_sim_executor_create(self->loop, NULL, &self->store);
    if (!status)
        status = ferry_future_create(self->loop, &self->over);
    for (int i = 0; i < DEPOSITS && !status; i++)
        status = ferry_call_later(self->loop, (int64_t)i * APART_US, deposit, self, NULL);
    if (!status)
        status = ferry_loop_run_until_complete(self->loop, self->over);
    ferry_future_unref(self->over);
    ferry_executor_close(self->store);
    return status;
}

/* Whether that seed found something; it says what. */
static bool try_seed(uint64_t seed, bool is_fixed) {
    char sentence[128];
    account self = {.is_fixed = is_fixed, .left = DEPOSITS};
    ferry_sim_options options = {FERRY_SIM_OPTIONS, .seed = seed, .deadlock_is_error = true};
    ferry_status status = ferry_sim_loop_create(&options, &self.loop);
    if (!status)
        status = run_deposits(&self);
    ferry_loop_unref(self.loop);
    if (status)
        printf("seed %" PRIu64 ": %s\n", seed, ferry_strerror(status, sentence, sizeof sentence));
    else if (self.balance != DEPOSITS * AMOUNT)
        printf("seed %" PRIu64 ": the balance is %" PRId64 ", not %d\n", seed, self.balance, DEPOSITS * AMOUNT);
    return status || self.balance != DEPOSITS * AMOUNT;
}

int main(int argc, char **argv) {
    bool is_fixed = argc > 1 && !strcmp(argv[1], "--fixed");
    int seeds = 1 + is_fixed;
    uint64_t first = argc > seeds ? strtoull(argv[seeds], NULL, 0) : 1;
    uint64_t last = argc > seeds + 1 ? strtoull(argv[seeds + 1], NULL, 0) : argc > seeds ? first : SEEDS;
    uint64_t found = 0;
    for (uint64_t seed = first; seed && seed <= last; seed++)
        found += try_seed(seed, is_fixed);
    printf("%" PRIu64 " of %" PRIu64 " seeds found something\n", found, last - first + 1);
    return found != 0;
}
