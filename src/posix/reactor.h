/* SPDX-License-Identifier: Apache-2.0 */
/* The backend on readiness, with whichever poller is linked. */
#ifndef FERRY_POSIX_REACTOR_H
#define FERRY_POSIX_REACTOR_H

#include "seam/backend.h"

extern const fy_backend_class fy_reactor_class;

#endif
