/* SPDX-License-Identifier: Apache-2.0 */
/* How many processors may be used: the affinity mask as it is, and what the default of a pool makes of it, and control
 * groups as written into our own folders. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "posix/cpu.h"

#include <errno.h>
#include <ftw.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "seam/platform.h"
#include "support/jobs.h"
#include "support/threads.h"

/* ---- affinity ---- */

static void affinity_counts_the_mask(void) {
    cpu_set_t set;
    CHECK_INT(sched_getaffinity(0, sizeof set, &set), 0);
    CHECK_INT(fy_cpu_affinity(), CPU_COUNT(&set));
}

static void pin_this_thread(void) {
    cpu_set_t set, one;
    size_t cpu = 0;
    CHECK_INT(sched_getaffinity(0, sizeof set, &set), 0);
    while (!CPU_ISSET(cpu, &set))
        cpu++;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    CHECK_INT(sched_setaffinity(0, sizeof one, &one), 0);
}

static void count_pinned(void *ret_count) {
    pin_this_thread();
    *(unsigned *)ret_count = fy_cpu_affinity();
}

static void affinity_of_a_pinned_thread_is_one(void) {
    unsigned count = 0;
    on_another_thread(count_pinned, &count);
    CHECK_INT(count, 1);
}

static void usable_is_at_least_one_and_within_the_affinity(void) {
    CHECK(fy_cpu_usable() >= 1);
    CHECK(fy_cpu_usable() <= fy_cpu_affinity());
}

/* With one usable processor the default is five workers, whatever the quota. */
static void fill_default_pool_pinned(void *arg) {
    ferry_executor *pool = NULL;
    fy_gate door;
    (void)arg;
    pin_this_thread();
    fy_gate_init(&door);
    CHECK_STATUS(ferry_thread_pool_create(NULL, &pool), 0);
    for (int i = 0; i < 40; i++)
        CHECK_STATUS(ferry_executor_submit(pool, fy_gate_job, &door, NULL), 0);
    fy_gate_await(&door, 5);
    CHECK_INT(fy_stats(pool).workers_started, 5);
    CHECK_INT(fy_stats(pool).queued, 35);
    fy_gate_open(&door);
    CHECK_STATUS(ferry_executor_close(pool), 0);
    fy_gate_fini(&door);
}

/* ET-003 */
static void default_maximum_follows_the_affinity(void) {
    on_another_thread(fill_default_pool_pinned, NULL);
}

/* ---- quota ---- */

/* A folder that stands for the root of a machine. */
typedef struct machine {
    char root[64];
} machine;

static machine new_machine(void) {
    const char *folder = getenv("TMPDIR");
    machine made;
    int length = snprintf(made.root, sizeof made.root, "%s/ferry-cpu-XXXXXX", folder && *folder ? folder : "/tmp");
    CHECK(length > 0 && (size_t)length < sizeof made.root);
    CHECK(mkdtemp(made.root));
    return made;
}

static void write_file(const machine *host, const char *path, const char *text) {
    char whole[512];
    int length = snprintf(whole, sizeof whole, "%s%s", host->root, path);
    CHECK(length > 0 && (size_t)length < sizeof whole);
    for (char *slash = whole + strlen(host->root) + 1; (slash = strchr(slash, '/')); *slash++ = '/') {
        *slash = '\0';
        CHECK(mkdir(whole, 0700) == 0 || errno == EEXIST);
    }
    FILE *file = fopen(whole, "w");
    CHECK(file);
    CHECK(fputs(text, file) >= 0);
    CHECK_INT(fclose(file), 0);
}

static int remove_entry(const char *path, const struct stat *what, int kind, struct FTW *where) {
    (void)what;
    (void)kind;
    (void)where;
    return remove(path);
}

/* The quota is this, and the folder goes. */
static void expect_quota(const machine *host, unsigned quota) {
    unsigned found = fy_cpu_quota(host->root);
    CHECK_INT(nftw(host->root, remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
    CHECK_INT(found, quota);
}

static const char v2_mount[] = "22 1 0:5 / /proc rw - proc proc rw\n"
                               "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
static const char v1_mounts[] = "31 30 0:27 / /sys/fs/cgroup/memory rw shared:8 - cgroup cgroup rw,memory\n"
                                "32 30 0:28 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
                                "33 30 0:29 / /sys/fs/cgroup/cpuset rw shared:7 master:2 - cgroup cgroup rw,cpuset\n";

static machine new_v2_machine(const char *group_line) {
    machine host = new_machine();
    write_file(&host, "/proc/self/mountinfo", v2_mount);
    write_file(&host, "/proc/self/cgroup", group_line);
    return host;
}

static void no_control_groups_are_no_limit(void) {
    machine host = new_machine();
    expect_quota(&host, 0);
    host = new_v2_machine("0::/\n");
    expect_quota(&host, 0);
}

static void v2_quota_is_read_at_the_group(void) {
    machine host = new_v2_machine("0::/system.slice/one.service\n");
    write_file(&host, "/sys/fs/cgroup/system.slice/one.service/cpu.max", "300000 100000\n");
    write_file(&host, "/sys/fs/cgroup/system.slice/cpu.max", "max 100000\n");
    expect_quota(&host, 3);
}

static void v2_smallest_quota_on_the_way_up_counts(void) {
    machine host = new_v2_machine("0::/pod/box\n");
    write_file(&host, "/sys/fs/cgroup/pod/box/cpu.max", "800000 100000\n");
    write_file(&host, "/sys/fs/cgroup/pod/cpu.max", "200000 100000\n");
    write_file(&host, "/sys/fs/cgroup/cpu.max", "400000 100000\n");
    expect_quota(&host, 2);
    host = new_v2_machine("0::/pod/box\n");
    write_file(&host, "/sys/fs/cgroup/cpu.max", "100000 100000\n");
    expect_quota(&host, 1);
}

static void part_of_a_processor_counts_as_one(void) {
    machine host = new_v2_machine("0::/box\n");
    write_file(&host, "/sys/fs/cgroup/box/cpu.max", "250000 100000\n");
    expect_quota(&host, 3);
    host = new_v2_machine("0::/box\n");
    write_file(&host, "/sys/fs/cgroup/box/cpu.max", "1000 100000\n");
    expect_quota(&host, 1);
}

static void v2_max_is_no_limit(void) {
    machine host = new_v2_machine("0::/box\n");
    write_file(&host, "/sys/fs/cgroup/box/cpu.max", "max 100000\n");
    expect_quota(&host, 0);
}

static void v1_quota_is_read_in_the_cpu_hierarchy(void) {
    machine host = new_machine();
    write_file(&host, "/proc/self/mountinfo", v1_mounts);
    write_file(&host, "/proc/self/cgroup", "9:memory:/elsewhere\n8:cpuset:/no\n4:cpu,cpuacct:/box\n1:name=systemd:/\n");
    write_file(&host, "/sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_quota_us", "450000\n");
    write_file(&host, "/sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_period_us", "100000\n");
    write_file(&host, "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
    write_file(&host, "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
    expect_quota(&host, 5);
}

static void v1_minus_one_is_no_limit(void) {
    machine host = new_machine();
    write_file(&host, "/proc/self/mountinfo", v1_mounts);
    write_file(&host, "/proc/self/cgroup", "4:cpu,cpuacct:/\n");
    write_file(&host, "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
    write_file(&host, "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
    expect_quota(&host, 0);
}

/* Both versions at once, each with its own group. */
static void smaller_of_both_versions_counts(void) {
    char mounts[1024];
    machine host = new_machine();
    snprintf(mounts, sizeof mounts, "%s%s", v1_mounts, v2_mount);
    write_file(&host, "/proc/self/mountinfo", mounts);
    write_file(&host, "/proc/self/cgroup", "4:cpu,cpuacct:/one\n0::/two\n");
    write_file(&host, "/sys/fs/cgroup/cpu,cpuacct/one/cpu.cfs_quota_us", "700000\n");
    write_file(&host, "/sys/fs/cgroup/cpu,cpuacct/one/cpu.cfs_period_us", "100000\n");
    write_file(&host, "/sys/fs/cgroup/two/cpu.max", "600000 100000\n");
    expect_quota(&host, 6);
}

/* In a container the mount shows the container's own group as its top. */
static void group_is_sought_below_what_is_mounted(void) {
    machine host = new_machine();
    write_file(&host, "/proc/self/mountinfo",
               "30 23 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n");
    write_file(&host, "/proc/self/cgroup", "0::/docker/abc/inner\n");
    write_file(&host, "/sys/fs/cgroup/inner/cpu.max", "400000 100000\n");
    write_file(&host, "/sys/fs/cgroup/cpu.max", "500000 100000\n");
    expect_quota(&host, 4);
}

static void group_out_of_sight_leaves_the_top_to_count(void) {
    static const char *const groups[] = {"0::/docker/abcdef/inner\n", "0::/../other\n"};
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
        machine host = new_machine();
        write_file(&host, "/proc/self/mountinfo",
                   i ? v2_mount : "30 23 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n");
        write_file(&host, "/proc/self/cgroup", groups[i]);
        write_file(&host, "/sys/fs/cgroup/cpu.max", "500000 100000\n");
        expect_quota(&host, 5);
    }
}

/* A line so long that its end looks like one of its own, a short one, numbers that are none: what makes no sense limits
 * nothing and hides nothing. */
static void garbage_is_passed_over(void) {
    enum { LONG = 4095 };
    char mounts[2 * LONG];
    machine host = new_machine();
    memset(mounts, 'x', LONG);
    snprintf(mounts + LONG, sizeof mounts - LONG, "1 2 3 / /fake - cgroup2 a b\n\nshort line\n1 2 3 4 5\n%s", v2_mount);
    write_file(&host, "/fake/cpu.max", "100000 100000\n");
    write_file(&host, "/proc/self/mountinfo", mounts);
    write_file(&host, "/proc/self/cgroup", "nonsense\n:\n\n0::/box\n");
    write_file(&host, "/sys/fs/cgroup/box/cpu.max", "400000 100000\n");
    write_file(&host, "/sys/fs/cgroup/cpu.max", "300000 0\n");
    expect_quota(&host, 4);
}

static const fy_test tests[] = {
    FY_TEST(affinity_counts_the_mask),
    FY_TEST(affinity_of_a_pinned_thread_is_one),
    FY_TEST(usable_is_at_least_one_and_within_the_affinity),
    FY_TEST(default_maximum_follows_the_affinity),
    FY_TEST(no_control_groups_are_no_limit),
    FY_TEST(v2_quota_is_read_at_the_group),
    FY_TEST(v2_smallest_quota_on_the_way_up_counts),
    FY_TEST(part_of_a_processor_counts_as_one),
    FY_TEST(v2_max_is_no_limit),
    FY_TEST(v1_quota_is_read_in_the_cpu_hierarchy),
    FY_TEST(v1_minus_one_is_no_limit),
    FY_TEST(smaller_of_both_versions_counts),
    FY_TEST(group_is_sought_below_what_is_mounted),
    FY_TEST(group_out_of_sight_leaves_the_top_to_count),
    FY_TEST(garbage_is_passed_over),
};

FY_TEST_MAIN("cpu", tests)
