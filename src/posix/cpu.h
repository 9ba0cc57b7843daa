/* SPDX-License-Identifier: Apache-2.0 */
/* The part of cpu.c that its test reaches. */
#ifndef FERRY_POSIX_CPU_H
#define FERRY_POSIX_CPU_H

/* How many processors' worth of time the control groups of this process grant, rounded up; 0: no limit. `root` stands
 * before every path that is read: "" is this machine. */
unsigned fy_cpu_quota(const char *root);

#endif
