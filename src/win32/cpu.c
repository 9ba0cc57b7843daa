/* SPDX-License-Identifier: Apache-2.0 */
/* How many processors this process may use: the affinity of the thread and the processor groups of the process, and the
 * cap of the job object that it is in. What cannot be read limits nothing. */
#include <limits.h>

#include "seam/platform.h"

enum { GROUPS_MAX = 64, RATE_OF_ALL = 10000 };

/* JobObjectCpuRateControlInformation and its struct, under names of our own: not every header has them. */
enum { JOB_CPU_RATE = 15, RATE_IS_ENABLED = 1, RATE_IS_HARD_CAP = 4, RATE_IS_MIN_MAX = 16 };

typedef struct job_cpu_rate {
    DWORD flags;
    union {
        DWORD cap;
        struct {
            WORD min, max;
        } range;
    };
} job_cpu_rate;

static unsigned count_bits(KAFFINITY mask) {
    unsigned count = 0;
    for (; mask; mask &= mask - 1)
        count++;
    return count;
}

static unsigned all_processors(void) {
    DWORD count = GetActiveProcessorCount(ALL_PROCESSOR_GROUPS);
    return count ? count : 1;
}

/* Since Windows 11 the threads of a process run in all groups, unless somebody has said otherwise; a mask then tells of
 * the thread's first group alone. */
static unsigned count_groups(void) {
    USHORT groups[GROUPS_MAX], count = GROUPS_MAX;
    unsigned processors = 0;
    if (!GetProcessGroupAffinity(GetCurrentProcess(), &count, groups) || count < 2)
        return 0;
    for (USHORT i = 0; i < count; i++)
        processors += GetActiveProcessorCount(groups[i]);
    return processors;
}

unsigned fy_cpu_affinity(void) {
    GROUP_AFFINITY affinity = {0};
    unsigned count = count_groups();
    if (!count && GetThreadGroupAffinity(GetCurrentThread(), &affinity))
        count = count_bits(affinity.Mask);
    return count ? count : all_processors();
}

/* How many processors' worth of time the job grants, rounded up; 0: no limit. Its rate is in hundredths of a percent of
 * all processors. */
static unsigned job_quota(void) {
    job_cpu_rate rate = {0};
    if (!QueryInformationJobObject(NULL, (JOBOBJECTINFOCLASS)JOB_CPU_RATE, &rate, sizeof rate, NULL)
        || !(rate.flags & RATE_IS_ENABLED))
        return 0;
    unsigned long long share = 0;
    if (rate.flags & RATE_IS_MIN_MAX)
        share = rate.range.max;
    else if (rate.flags & RATE_IS_HARD_CAP)
        share = rate.cap;
    return (unsigned)((share * all_processors() + RATE_OF_ALL - 1) / RATE_OF_ALL);
}

unsigned fy_cpu_usable(void) {
    unsigned affinity = fy_cpu_affinity(), quota = job_quota();
    return quota && quota < affinity ? quota : affinity;
}
