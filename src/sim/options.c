/* SPDX-License-Identifier: Apache-2.0 */
/* What a simulation is asked for: the defaults, what the environment adds, and which requests make no sense. */
#include <apr_errno.h>
#include <stdlib.h>

#include "seam/platform.h"
#include "sim/options.h"

enum { PER_MILLE = 1000, LATENCY_US = 500 };
enum { SHORT_RATE = 500, AT_ONCE_RATE = 250, SPURIOUS_RATE = 50, LATE_CANCEL_RATE = 250 };

static const uint64_t SEED = 1;

void ferry_sim_options_init(ferry_sim_options *options) {
    if (options)
        *options = (ferry_sim_options){FERRY_SIM_OPTIONS};
}

static bool are_rates(const int *rates, size_t count, int max) {
    for (size_t i = 0; i < count; i++)
        if (rates[i] > max)
            return false;
    return true;
}

ferry_status fy_sim_options_check(const ferry_sim_options *options) {
    if (options->size != sizeof *options)
        return APR_EINVAL;
    const int rates[] = {options->short_rate,         options->at_once_rate,       options->late_cancel_rate,
                         options->read_error_rate,    options->write_error_rate,   options->connect_error_rate,
                         options->accept_error_rate,  options->socket_error_rate,  options->datagram_loss_rate};
    const int delays[] = {options->spurious_rate, options->held_post_rate}; /* what always waits never comes */
    bool makes_sense = are_rates(rates, sizeof rates / sizeof rates[0], PER_MILLE) &&
                       are_rates(delays, sizeof delays / sizeof delays[0], PER_MILLE - 1);
    return makes_sense ? 0 : APR_EINVAL;
}

static uint64_t seed_of_environment(void) {
    char value[FY_ENVIRONMENT_SIZE];
    const char *text = fy_environment("FERRY_SIM_SEED", value);
    uint64_t seed = text ? strtoull(text, NULL, 0) : 0;
    return seed ? seed : SEED;
}

static int rate_or(int rate, int otherwise) {
    return rate ? rate : otherwise;
}

void fy_sim_options_complete(ferry_sim_options *options) {
    if (!options->seed)
        options->seed = seed_of_environment();
    if (!options->latency_us_max)
        options->latency_us_max = LATENCY_US;
    else if (options->latency_us_max < 0)
        options->latency_us_max = 0;
    options->short_rate = rate_or(options->short_rate, SHORT_RATE);
    options->at_once_rate = rate_or(options->at_once_rate, AT_ONCE_RATE);
    options->spurious_rate = rate_or(options->spurious_rate, SPURIOUS_RATE);
    options->late_cancel_rate = rate_or(options->late_cancel_rate, LATE_CANCEL_RATE);
}
