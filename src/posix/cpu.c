/* SPDX-License-Identifier: Apache-2.0 */
/* How many processors this process may use: the affinity mask, and on Linux the CPU quota of its control groups, of
 * both versions, at every level up to the top of what is mounted. It decides what counts; what cannot be read limits
 * nothing. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "posix/cpu.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#if defined(__FreeBSD__)
#include <sys/param.h>

#include <sys/cpuset.h>
#endif

#include "seam/platform.h"

/* ---- affinity ---- */

#if defined(__linux__)
enum { CPUS_MIN = 1024, CPUS_MAX = 1 << 20 };

/* The kernel refuses a mask shorter than its own with EINVAL. */
static unsigned count_affinity(void) {
    for (size_t cpus = CPUS_MIN; cpus <= CPUS_MAX; cpus *= 2) {
        cpu_set_t *set = CPU_ALLOC(cpus);
        if (!set)
            return 0;
        int status = sched_getaffinity(0, CPU_ALLOC_SIZE(cpus), set);
        int count = status == 0 ? CPU_COUNT_S(CPU_ALLOC_SIZE(cpus), set) : 0;
        int error = errno;
        CPU_FREE(set);
        if (status == 0 || error != EINVAL)
            return (unsigned)count;
    }
    return 0;
}
#elif defined(__FreeBSD__)
static unsigned count_affinity(void) {
    cpuset_t set;
    int status = cpuset_getaffinity(CPU_LEVEL_WHICH, CPU_WHICH_TID, -1, sizeof set, &set);
    return status == 0 ? (unsigned)CPU_COUNT(&set) : 0;
}
#else
static unsigned count_affinity(void) {
    return 0;
}
#endif

unsigned fy_cpu_affinity(void) {
    unsigned count = count_affinity();
    if (count)
        return count;
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (unsigned)online : 1;
}

/* ---- quota ---- */

#if defined(__linux__)

/* More of a line or of a path is not looked at: what matters here is short. */
enum { TEXT_SIZE = 4096 };

/* A mounted control group hierarchy that may limit processor time. */
typedef struct hierarchy {
    bool is_v2;
    const char *root; /* the group that is mounted */
    const char *point; /* where */
} hierarchy;

static FILE *open_file(const char *root, const char *folder, const char *name) {
    char path[TEXT_SIZE];
    int length = snprintf(path, sizeof path, "%s%s/%s", root, folder, name);
    return length > 0 && (size_t)length < sizeof path ? fopen(path, "re") : NULL;
}

/* Reads one line without its end, and drops what does not fit. False at the end of the file. */
static bool read_line(FILE *file, char line[TEXT_SIZE]) {
    if (!fgets(line, TEXT_SIZE, file))
        return false;
    size_t length = strcspn(line, "\n");
    if (line[length] == '\0')
        for (int c = getc(file); c != EOF && c != '\n';)
            c = getc(file);
    line[length] = '\0';
    return true;
}

/* Is `word` one of the words of `list`, which commas separate? */
static bool has_word(const char *list, const char *word) {
    size_t length = strlen(word);
    for (;;) {
        size_t end = strcspn(list, ",");
        if (end == length && strncmp(list, word, length) == 0)
            return true;
        if (list[end] == '\0')
            return false;
        list += end + 1;
    }
}

/* A line of mountinfo: id, parent, device, root, mount point, options, any number of tags, "-", type, source, more
 * options. */
static bool parse_mount(char *line, hierarchy *ret_hierarchy) {
    char *rest = NULL, *root = NULL, *point = NULL;
    char *field = strtok_r(line, " ", &rest);
    for (int i = 0; field && strcmp(field, "-") != 0; field = strtok_r(NULL, " ", &rest), i++) {
        if (i == 3)
            root = field;
        if (i == 4)
            point = field;
    }
    const char *type = strtok_r(NULL, " ", &rest);
    const char *source = strtok_r(NULL, " ", &rest);
    const char *options = strtok_r(NULL, " ", &rest);
    if (!point || !type || !source || !options)
        return false;
    *ret_hierarchy = (hierarchy){.is_v2 = strcmp(type, "cgroup2") == 0, .root = root, .point = point};
    return ret_hierarchy->is_v2 || (strcmp(type, "cgroup") == 0 && has_word(options, "cpu"));
}

/* The group of this process in one hierarchy; `line` holds it. A line says number, controllers, path; version 2 has no
 * controllers. */
static const char *find_group(const char *root, bool is_v2, char line[TEXT_SIZE]) {
    const char *group = NULL;
    FILE *file = open_file(root, "/proc/self", "cgroup");
    while (file && !group && read_line(file, line)) {
        char *rest = line;
        (void)strsep(&rest, ":");
        const char *controllers = strsep(&rest, ":");
        if (controllers && rest && (is_v2 ? *controllers == '\0' : has_word(controllers, "cpu")))
            group = rest;
    }
    if (file)
        fclose(file);
    return group;
}

static int read_numbers(const char *root, const char *folder, const char *name, long long numbers[2]) {
    FILE *file = open_file(root, folder, name);
    if (!file)
        return 0;
    int count = fscanf(file, "%lld %lld", &numbers[0], &numbers[1]);
    fclose(file);
    return count;
}

/* What one folder of a hierarchy grants; 0: no limit, which the files say as "max" or -1. */
static unsigned read_quota(const char *root, const char *folder, bool is_v2) {
    long long quota[2], period[2];
    if (is_v2) {
        if (read_numbers(root, folder, "cpu.max", quota) != 2)
            return 0;
        period[0] = quota[1];
    } else if (read_numbers(root, folder, "cpu.cfs_quota_us", quota) < 1
               || read_numbers(root, folder, "cpu.cfs_period_us", period) < 1) {
        return 0;
    }
    if (quota[0] <= 0 || period[0] <= 0)
        return 0;
    long long cpus = quota[0] / period[0] + (quota[0] % period[0] != 0);
    return cpus < UINT_MAX ? (unsigned)cpus : UINT_MAX;
}

static unsigned smaller_limit(unsigned a, unsigned b) {
    return !a || (b && b < a) ? b : a;
}

/* Where below the mount point the group lies. A group outside of what is mounted is out of sight: the top counts. */
static const char *below_mount(const hierarchy *tree, const char *group) {
    size_t length = strcmp(tree->root, "/") == 0 ? 0 : strlen(tree->root);
    bool is_inside = strncmp(group, tree->root, length) == 0 && (group[length] == '/' || group[length] == '\0');
    return is_inside ? group + length : "";
}

static unsigned hierarchy_quota(const char *root, const hierarchy *tree) {
    char line[TEXT_SIZE], folder[TEXT_SIZE];
    const char *group = find_group(root, tree->is_v2, line);
    if (!group)
        return 0;
    int length = snprintf(folder, sizeof folder, "%s%s", tree->point, below_mount(tree, group));
    if (length < 0 || (size_t)length >= sizeof folder)
        return 0;
    unsigned quota = read_quota(root, folder, tree->is_v2);
    while (strlen(folder) > strlen(tree->point)) {
        *strrchr(folder, '/') = '\0';
        quota = smaller_limit(quota, read_quota(root, folder, tree->is_v2));
    }
    return quota;
}

unsigned fy_cpu_quota(const char *root) {
    char line[TEXT_SIZE];
    unsigned quota = 0;
    FILE *mounts = open_file(root, "/proc/self", "mountinfo");
    while (mounts && read_line(mounts, line)) {
        hierarchy tree;
        if (parse_mount(line, &tree))
            quota = smaller_limit(quota, hierarchy_quota(root, &tree));
    }
    if (mounts)
        fclose(mounts);
    return quota;
}

#else

unsigned fy_cpu_quota(const char *root) {
    (void)root;
    return 0;
}

#endif

unsigned fy_cpu_usable(void) {
    unsigned affinity = fy_cpu_affinity(), quota = fy_cpu_quota("");
    return quota && quota < affinity ? quota : affinity;
}
