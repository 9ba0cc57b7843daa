/* SPDX-License-Identifier: Apache-2.0 */
/* Writing to a pipe that nobody reads any more, without the signal that would end the program. Sockets need none of it
 * where send takes MSG_NOSIGNAL. */
#ifndef FERRY_POSIX_SIGPIPE_H
#define FERRY_POSIX_SIGPIPE_H

#include <stddef.h>
#include <sys/types.h>

/* To be called once for a descriptor of any kind, before it is written to. */
void fy_sigpipe_prepare(int fd);

/* write(2) that never raises SIGPIPE. The thread's signal mask, its pending signals and the program's handlers are
 * afterwards as before. */
ssize_t fy_sigpipe_write(int fd, const void *data, size_t size);

#endif
