/* SPDX-License-Identifier: Apache-2.0 */
/* The system's environment, not the C library's copy of it. */
#include "seam/platform.h"

const char *fy_environment(const char *name, char buffer[FY_ENVIRONMENT_SIZE]) {
    DWORD length = GetEnvironmentVariableA(name, buffer, FY_ENVIRONMENT_SIZE);
    return length && length < FY_ENVIRONMENT_SIZE ? buffer : NULL;
}

void fy_environment_unset(const char *name) {
    SetEnvironmentVariableA(name, NULL);
}
