/* SPDX-License-Identifier: Apache-2.0 */
/* Nothing needs preparing where a crash is a signal and a line end is a byte. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "support/system.h"

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

void fy_system_prepare(void) {
}

void fy_system_thread_name(char *ret_name, size_t size) {
    ret_name[0] = '\0';
    (void)pthread_getname_np(pthread_self(), ret_name, size);
}

bool fy_system_threads_are_dear(void) {
    return false;
}

unsigned fy_system_thread_count(void) {
    char line[256];
    unsigned count = 0;
    FILE *status = fopen("/proc/self/status", "r");
    if (!status)
        return 0;
    while (fgets(line, sizeof line, status))
        if (sscanf(line, "Threads: %u", &count) == 1)
            break;
    fclose(status);
    return count;
}

bool fy_system_begin_interrupts(void) {
    return true;
}

bool fy_system_interrupt(long long process_id) {
    return kill((pid_t)process_id, SIGINT) == 0;
}

bool fy_system_kill(long long process_id) {
    return kill((pid_t)process_id, SIGKILL) == 0;
}

bool fy_system_has_children(void) {
    siginfo_t info;
    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

unsigned fy_system_handle_count(void) {
    DIR *folder = opendir("/proc/self/fd");
    unsigned count = 0;
    if (!folder)
        return 0;
    while (readdir(folder))
        count++;
    closedir(folder);
    return count - 3; /* itself, and the two dots */
}

long long fy_system_cpu_us(void) {
    struct timespec used;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (long long)used.tv_sec * 1000000 + used.tv_nsec / 1000;
}

unsigned fy_system_shared_memory_count(void) {
    char line[512];
    unsigned count = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    if (!maps)
        return 0;
    while (fgets(line, sizeof line, maps))
        count += strstr(line, "memfd:") != NULL;
    fclose(maps);
    return count;
}

long long fy_system_process_id(void) {
    return (long long)getpid();
}

/* A zombie answers signals, so Linux is asked for more; "Z" follows the name, which is in brackets. */
static bool is_zombie(long long process_id) {
    char path[64], line[512];
    snprintf(path, sizeof path, "/proc/%lld/stat", process_id);
    FILE *file = fopen(path, "r");
    if (!file)
        return false;
    const char *name_end = fgets(line, sizeof line, file) ? strrchr(line, ')') : NULL;
    fclose(file);
    return name_end && (name_end[2] == 'Z' || name_end[2] == 'X');
}

bool fy_system_is_alive(long long process_id) {
    return kill((pid_t)process_id, 0) == 0 && !is_zombie(process_id);
}

bool fy_system_has_signals(void) {
    return true;
}
