/* SPDX-License-Identifier: Apache-2.0 */
/* Threads without making any: names, timed waiting, parking. It decides how each is done with what the system has; the
 * meaning is seam/platform.h's. */
#include <stdatomic.h>

#include "seam/platform.h"
#include "win32/clock.h"

/* ---- names and processors ---- */

enum { NAME_LENGTH_MAX = 64 };

typedef HRESULT(WINAPI *set_description)(HANDLE thread, PCWSTR description);

/* Windows before 10 1607 cannot name threads. */
static set_description find_set_description(void) {
    HMODULE kernel = GetModuleHandleW(L"kernel32.dll");
    FARPROC found = kernel ? GetProcAddress(kernel, "SetThreadDescription") : NULL;
    return (set_description)(void (*)(void))found;
}

void fy_thread_set_name(const char *name) {
    wchar_t wide[NAME_LENGTH_MAX + 1];
    set_description set = find_set_description();
    int length = 0;
    while (length < NAME_LENGTH_MAX && name[length])
        length++;
    length = MultiByteToWideChar(CP_UTF8, 0, name, length, wide, NAME_LENGTH_MAX);
    wide[length] = L'\0';
    if (set)
        set(GetCurrentThread(), wide);
}

fy_signal_mask fy_thread_signals(void) {
    return 0;
}

void fy_thread_set_signals(const fy_signal_mask *mask) {
    (void)mask;
}

void fy_thread_hold_signals(void) {
}

void fy_thread_yield(void) {
    SwitchToThread();
}

/* ---- condition variables ---- */

ferry_status fy_cond_init(fy_cond *cond) {
    InitializeConditionVariable(&cond->native);
    return 0;
}

/* The kernel counts in ticks of its own and may be a little early by our clock. */
bool fy_cond_wait_until(fy_cond *cond, fy_mutex *mutex, int64_t deadline_us) {
    DWORD timeout_ms = fy_timeout_ms(fy_clock_left(deadline_us));
    if (SleepConditionVariableSRW(&cond->native, &mutex->native, timeout_ms, 0))
        return true;
    return fy_clock_left(deadline_us) > 0;
}

/* ---- parking ---- */

/* EMPTY: nobody parks, no token. PARKED: the owner sleeps or is about to. TOKEN: an unpark came first. Only the owner
 * makes it EMPTY or PARKED, anyone makes it TOKEN. One step down leads from TOKEN to EMPTY and from EMPTY to PARKED. */
enum { EMPTY = 0, TOKEN = 1 };
#define PARKED UINT32_MAX

ferry_status fy_parker_init(fy_parker *parker) {
    atomic_init(&parker->state, EMPTY);
    return 0;
}

void fy_parker_fini(fy_parker *parker) {
    (void)parker;
}

bool fy_park(fy_parker *parker, int64_t deadline_us) {
    if (atomic_fetch_sub_explicit(&parker->state, 1, memory_order_acquire) == TOKEN)
        return true;
    if (deadline_us > 0) {
        uint32_t parked = PARKED;
        WaitOnAddress(&parker->state, &parked, sizeof parked, fy_timeout_ms(fy_clock_left(deadline_us)));
    }
    return atomic_exchange_explicit(&parker->state, EMPTY, memory_order_acquire) == TOKEN;
}

void fy_unpark(fy_parker *parker) {
    if (atomic_exchange_explicit(&parker->state, TOKEN, memory_order_release) == PARKED)
        WakeByAddressSingle((void *)&parker->state);
}
