/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of every POSIX backend share: pairs of connected descriptors, signals that interrupt a wait, and
 * children. */
#ifndef FERRY_TESTS_BACKEND_POSIX_H
#define FERRY_TESTS_BACKEND_POSIX_H

#include <signal.h>

#include "backend_contract.h"

/* Makers of pairs for a backend_kind: two-way streams whose buffers hold far less than 1 MiB. */
void socketpair_make(fy_backend *backend, fy_handle ends[2]);
void tcp_make(fy_backend *backend, fy_handle ends[2]);

void posix_start_interrupting(void);
void posix_stop_interrupting(void);

void posix_start_child(fy_backend *backend, backend_child *ret_child);
void posix_end_child(backend_child *child, int code);
void posix_kill_child(backend_child *child);
int posix_reap_child(backend_child *child);

/* libkqueue opens descriptors of its own, asks sockets for the errors that were meant for Ferry, and does not notice
 * that a descriptor was closed. */
#if defined(FY_ON_LIBKQUEUE)
#define POSIX_KERNEL .keeps_closed_handles = true
#else
#define POSIX_KERNEL .reuses_handles = true, .tells_of_refused_datagrams = true
#endif

/* A kind of backend on such pairs. */
#define POSIX_KIND(backend_class, pair_maker)                                                           \
    {                                                                                                   \
        .class = (backend_class), .has_threads = true, .make_pair = (pair_maker),                       \
        .start_interrupting = posix_start_interrupting, .stop_interrupting = posix_stop_interrupting,   \
        .start_child = posix_start_child, .end_child = posix_end_child, .kill_child = posix_kill_child, \
        .kill_signal = SIGKILL, .reap_child = posix_reap_child, POSIX_KERNEL,                           \
    }

#endif
