/* SPDX-License-Identifier: Apache-2.0 */
/* Between what a user writes into the options and what the simulator goes by. */
#ifndef FERRY_SIM_OPTIONS_INNER_H
#define FERRY_SIM_OPTIONS_INNER_H

#include "ferry/sim.h"

/* Returns: 0, APR_EINVAL. */
ferry_status fy_sim_options_check(const ferry_sim_options *options);

/* Puts what is meant into the place of every default; the seed may come from the environment. */
void fy_sim_options_complete(ferry_sim_options *options);

#endif
