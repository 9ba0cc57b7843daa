/* SPDX-License-Identifier: Apache-2.0 */
/* Hearing of the process's exit, and of a thread's end: the destructor of a thread-specific value runs after the
 * thread's function has returned, and after whoever wraps that function has let go. Thread-local variables may be gone
 * by then: on macOS they are such values themselves. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "seam/platform.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static int key_status;

static void run_call(void *value) {
    fy_exit_call *call = value;
    call->run(call->arg);
}

static void make_key(void) {
    key_status = pthread_key_create(&key, run_call);
}

ferry_status fy_thread_at_exit(fy_exit_call *call) {
    pthread_once(&once, make_key);
    return key_status ? key_status : pthread_setspecific(key, call);
}

ferry_status fy_process_at_exit(void (*run)(void)) {
    return atexit(run) ? ENOMEM : 0;
}
