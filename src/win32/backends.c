/* SPDX-License-Identifier: Apache-2.0 */
/* Which backends a Windows build has, best first. */
#include "win32/iocp.h"

const fy_backend_class *const fy_backends[] = {&fy_iocp_class, &fy_sim_class, NULL};
const char *const fy_backend_names[] = {"iocp", fy_sim_name, NULL};
