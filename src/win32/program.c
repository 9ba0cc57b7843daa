/* SPDX-License-Identifier: Apache-2.0 */
/* The program's own file. The system keeps it from being written or removed while it runs, though it may be renamed. */
#include "seam/process.h"

#include "win32/status.h"
#include "win32/text.h"

ferry_status fy_program_path(char path[FY_PROGRAM_PATH_SIZE]) {
    wchar_t wide[FY_PROGRAM_PATH_SIZE];
    DWORD length = GetModuleFileNameW(NULL, wide, FY_PROGRAM_PATH_SIZE);
    if (!length)
        return fy_last_status();
    if (length == FY_PROGRAM_PATH_SIZE)
        return APR_ENAMETOOLONG;
    if (WideCharToMultiByte(CP_UTF8, 0, wide, -1, path, FY_PROGRAM_PATH_SIZE, NULL, NULL))
        return 0;
    return GetLastError() == ERROR_INSUFFICIENT_BUFFER ? APR_ENAMETOOLONG : fy_last_status();
}

/* A product with an odd number is different for each factor, so when one part changes, the sum does. */
ferry_status fy_program_identity(const char *path, uint64_t *ret_identity) {
    WIN32_FILE_ATTRIBUTE_DATA file;
    wchar_t *wide = NULL;
    ferry_status status = fy_text_widen(path, &wide);
    if (status)
        return status;
    if (!GetFileAttributesExW(wide, GetFileExInfoStandard, &file))
        status = fy_last_status();
    free(wide);
    if (status)
        return status;
    uint64_t time = (uint64_t)file.ftLastWriteTime.dwHighDateTime << 32 | file.ftLastWriteTime.dwLowDateTime;
    uint64_t size = (uint64_t)file.nFileSizeHigh << 32 | file.nFileSizeLow;
    *ret_identity = time + size * 0x9E3779B97F4A7C15u;
    return 0;
}
