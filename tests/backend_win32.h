/* SPDX-License-Identifier: Apache-2.0 */
/* Pairs of connected handles, and interruptions, for the tests of backends on Windows. */
#ifndef FERRY_TESTS_BACKEND_WIN32_H
#define FERRY_TESTS_BACKEND_WIN32_H

#include "backend_contract.h"

/* Makers of pairs for a backend_kind: two-way streams whose buffers hold less than 1 MiB. */
void tcp_make(fy_backend *backend, fy_handle ends[2]);
void pipe_make(fy_backend *backend, fy_handle ends[2]);

/* Calls are queued to the waiting thread again and again, which is what ends an alertable wait. */
void apc_start_interrupting(void);
void apc_stop_interrupting(void);

#endif
