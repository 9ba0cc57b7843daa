/* SPDX-License-Identifier: Apache-2.0 */
/* Which backends a POSIX build has, best first. */
#include "posix/poller.h"
#include "posix/reactor.h"

const fy_backend_class *const fy_backends[] = {&fy_reactor_class, &fy_sim_class, NULL};
const char *const fy_backend_names[] = {fy_poller_name, fy_sim_name, NULL};
