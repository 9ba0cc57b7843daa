/* SPDX-License-Identifier: Apache-2.0 */
/* The system's error numbers as statuses: APR's convention, so that APR's tests for them hold. */
#ifndef FERRY_WIN32_STATUS_H
#define FERRY_WIN32_STATUS_H

#include <apr_errno.h>

#include "native.h"

/* The system's own or Winsock's; 0 stays 0. */
static inline ferry_status fy_status_of(DWORD error) {
    return APR_FROM_OS_ERROR((ferry_status)error);
}

static inline ferry_status fy_last_status(void) {
    return fy_status_of(GetLastError());
}

static inline ferry_status fy_socket_status(void) {
    return fy_status_of((DWORD)WSAGetLastError());
}

#endif
