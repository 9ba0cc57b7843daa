/* SPDX-License-Identifier: Apache-2.0 */
/* Pairs of connected handles, interruptions and children, for the tests of backends on Windows. */
#ifndef FERRY_TESTS_BACKEND_WIN32_H
#define FERRY_TESTS_BACKEND_WIN32_H

#include "backend_contract.h"

/* Makers of pairs for a backend_kind: two-way streams whose buffers hold less than 1 MiB. */
void tcp_make(fy_backend *backend, fy_handle ends[2]);
void pipe_make(fy_backend *backend, fy_handle ends[2]);

/* Calls are queued to the waiting thread again and again, which is what ends an alertable wait. */
void apc_start_interrupting(void);
void apc_stop_interrupting(void);

/* The child is the test program, run again: its main calls win32_child_main first, which does not return in a child. */
void win32_child_main(int argc, char **argv);
void win32_start_child(fy_backend *backend, backend_child *ret_child);
void win32_end_child(backend_child *child, int code);
int win32_reap_child(backend_child *child);

/* A kind of backend on such pairs. There are no signals: whoever ends a process from outside gives it a code. Nothing
 * is said of refused datagrams: Wine tells of the first one, and is then silent about what arrives. */
#define WIN32_KIND(backend_class, pair_maker)                                                           \
    {                                                                                                   \
        .class = (backend_class), .has_threads = true, .make_pair = (pair_maker),                       \
        .start_interrupting = apc_start_interrupting, .stop_interrupting = apc_stop_interrupting,       \
        .start_child = win32_start_child, .end_child = win32_end_child, .reap_child = win32_reap_child, \
    }

#endif
