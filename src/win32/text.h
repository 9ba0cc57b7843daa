/* SPDX-License-Identifier: Apache-2.0 */
/* Text of Ferry's, which is UTF-8, as the system's, which is UTF-16. */
#ifndef FERRY_WIN32_TEXT_H
#define FERRY_WIN32_TEXT_H

#include <stdlib.h>

#include "win32/status.h"

/* *ret_wide is the caller's, to free. Returns: 0, APR_ENOMEM, or an OS code: it is no UTF-8. */
static inline ferry_status fy_text_widen(const char *text, wchar_t **ret_wide) {
    int length = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, -1, NULL, 0);
    if (!length)
        return fy_last_status();
    wchar_t *wide = malloc((size_t)length * sizeof *wide);
    if (!wide)
        return APR_ENOMEM;
    (void)MultiByteToWideChar(CP_UTF8, 0, text, -1, wide, length);
    *ret_wide = wide;
    return 0;
}

#endif
