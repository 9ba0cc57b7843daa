/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of every POSIX backend share: pairs of connected descriptors, and signals that interrupt a wait. */
#ifndef FERRY_TESTS_BACKEND_POSIX_H
#define FERRY_TESTS_BACKEND_POSIX_H

#include "backend_contract.h"

/* Makers of pairs for a backend_kind: two-way streams whose buffers hold far less than 1 MiB. */
void socketpair_make(fy_backend *backend, fy_handle ends[2]);
void tcp_make(fy_backend *backend, fy_handle ends[2]);

void posix_start_interrupting(void);
void posix_stop_interrupting(void);

/* A kind of backend on such pairs. */
#define POSIX_KIND(backend_class, pair_maker)                      \
    {                                                              \
        .class = (backend_class), .has_threads = true, .reuses_handles = true, .make_pair = (pair_maker), \
        .start_interrupting = posix_start_interrupting, .stop_interrupting = posix_stop_interrupting,     \
    }

#endif
