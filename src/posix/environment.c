/* SPDX-License-Identifier: Apache-2.0 */
/* The environment, of which there is one. */
#include <stdlib.h>

#include "seam/platform.h"

const char *fy_environment(const char *name, char buffer[FY_ENVIRONMENT_SIZE]) {
    (void)buffer;
    return getenv(name);
}

void fy_environment_unset(const char *name) {
    unsetenv(name);
}
