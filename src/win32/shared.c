/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that two processes share: a section of the paging file, which has no name and can never be made smaller. It
 * knows nothing of what is written there. */
#include "seam/process.h"

#include "win32/status.h"

static bool is_absurd(size_t size) {
    return !size || size > PTRDIFF_MAX / 2;
}

static ferry_status map(HANDLE section, void **ret_address) {
    *ret_address = MapViewOfFile(section, FILE_MAP_READ | FILE_MAP_WRITE, 0, 0, 0);
    return *ret_address ? 0 : fy_last_status();
}

ferry_status fy_shared_create(size_t size, fy_shared *ret_shared) {
    SYSTEM_INFO system;
    void *address;
    if (is_absurd(size))
        return APR_EINVAL;
    GetSystemInfo(&system);
    size = (size + system.dwPageSize - 1) / system.dwPageSize * system.dwPageSize;
    HANDLE section = CreateFileMappingW(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, (DWORD)((uint64_t)size >> 32),
                                        (DWORD)size, NULL);
    if (!section)
        return fy_last_status();
    ferry_status status = map(section, &address);
    if (status)
        CloseHandle(section);
    else
        *ret_shared = (fy_shared){.address = address, .size = size, .handle = (fy_handle)section};
    return status;
}

/* The whole of it is mapped, and then looked at. */
static ferry_status map_received(HANDLE section, size_t size, fy_shared *ret_shared) {
    MEMORY_BASIC_INFORMATION view;
    void *address;
    if (is_absurd(size))
        return APR_EINVAL;
    ferry_status status = map(section, &address);
    if (status)
        return status;
    if (!VirtualQuery(address, &view, sizeof view))
        status = fy_last_status();
    else if (view.RegionSize < size)
        status = APR_EINVAL;
    if (status)
        UnmapViewOfFile(address);
    else
        *ret_shared = (fy_shared){.address = address, .size = size, .handle = -1};
    return status;
}

ferry_status fy_shared_map(fy_handle handle, size_t size, fy_shared *ret_shared) {
    ferry_status status = map_received((HANDLE)handle, size, ret_shared);
    CloseHandle((HANDLE)handle);
    return status;
}

void fy_shared_close(fy_shared *shared) {
    if (!shared->address)
        return;
    UnmapViewOfFile(shared->address);
    if (shared->handle != -1)
        CloseHandle((HANDLE)shared->handle);
    *shared = (fy_shared){0};
}
